// Owns the two wells of the rail: the photograph, and the paintings with their shares.

import { thumbnail } from "../api.js";
import { draft } from "../draft.js";
import { h, refill } from "../dom.js";
import { icon } from "../icons.js";
import { settle } from "../notices.js";
import { Part } from "../part.js";
import { fitted, pictureName } from "../format.js";
import { pick } from "./picture-picker.js";

/** @import { Style } from "../draft.js" */

class PhotoWell extends Part {
  #shown = "";

  listen() {
    this.watch("draft", () => this.#show());
    if (draft.content) this.#show();
  }

  #show() {
    const { content } = draft;
    if (!content) return;
    const name = pictureName(content);
    const button = h(
      "button",
      { class: "well", onclick: () => pick("photo") },
      h("img", { src: thumbnail(content, 320), alt: "" }),
      h(
        "span",
        { class: "well-text" },
        h("span", { class: "soft small-text" }, "Photo"),
        h("strong", { dir: "auto", title: name }, content.title ? name : fitted(name)),
        h("span", { class: "soft small-text figures" }, `${content.width} × ${content.height} px`),
      ),
      h("span", { class: "change small-text" }, "Change"),
    );
    // An error stays until another photo is there.
    const said = content.ref === this.#shown ? [...this.querySelectorAll(":scope > .notice")] : [];
    this.#shown = content.ref;
    refill(this, said, button);
  }
}

class PaintingList extends Part {
  #list = h("ul", { class: "paintings" });
  /** @type {string} */ #shown = "";

  draw() {
    this.append(
      this.#list,
      h("button", { class: "button plain small add", onclick: () => pick("painting") }, icon("add"), "Add a painting"),
    );
  }

  listen() {
    this.watch("draft", () => this.#show());
    if (draft.styles.length) this.#show();
  }

  #show() {
    const refs = JSON.stringify(draft.styles.map((style) => [style.picture.ref, Boolean(style.mask)]));
    // While a slider is held its list must not be drawn anew under the finger.
    if (refs !== this.#shown) {
      this.#shown = refs;
      settle("upload painting");
      refill(this.#list, draft.styles.map((style, index) => this.#row(style, index)));
    }
    this.#showShares();
  }

  /** @param {Style} style @param {number} index */
  #row({ picture, mask }, index) {
    const several = draft.styles.length > 1;
    const name = pictureName(picture);
    return h(
      "li",
      null,
      h(
        "button",
        { class: "well", onclick: () => pick("painting", index), "aria-label": `Painting ${index + 1}, ${name}: change it` },
        h("img", { src: thumbnail(picture, 320), alt: "" }),
        h(
          "span",
          { class: "well-text" },
          h("span", { class: "soft small-text" }, several ? `Painting ${index + 1}` : "Painting"),
          h("strong", { dir: "auto", title: name }, picture.title ? name : fitted(name)),
          mask && h("span", { class: "soft small-text" }, "in its region"),
        ),
        h("span", { class: "change small-text" }, "Change"),
      ),
      several &&
        h(
          "div",
          { class: "share" },
          h("input", {
            type: "range",
            min: "0",
            max: "1",
            step: "0.05",
            "aria-label": `Share of ${name}`,
            oninput: (/** @type {Event} */ event) => setWeight(index, Number(/** @type {HTMLInputElement} */ (event.target).value)),
          }),
          h("output", { class: "figures small-text" }),
          h("button", { class: "icon-button small", "aria-label": `Remove ${name}`, onclick: () => removeStyle(index) }, icon("close")),
        ),
    );
  }

  #showShares() {
    const sum = draft.styles.reduce((total, style) => total + style.weight, 0) || 1;
    draft.styles.forEach((style, index) => {
      const row = this.#list.children[index];
      const range = /** @type {HTMLInputElement | null | undefined} */ (row?.querySelector("input"));
      const share = `${Math.round((style.weight / sum) * 100)} %`;
      if (!range || !row) return;
      range.value = String(style.weight);
      range.style.setProperty("--filled", `${style.weight * 100}%`);
      range.setAttribute("aria-valuetext", share);
      /** @type {HTMLElement} */ (row.querySelector("output")).textContent = share;
    });
  }
}

/** @param {number} index @param {number} weight */
function setWeight(index, weight) {
  const styles = draft.styles.map((style, i) => (i === index ? { ...style, weight } : style));
  // All at 0 would leave nothing to paint after.
  if (styles.some((style) => style.weight > 0)) draft.change({ styles });
}

/** @param {number} index */
function removeStyle(index) {
  draft.change({ styles: draft.styles.filter((_, i) => i !== index), job: null });
}

customElements.define("photo-well", PhotoWell);
customElements.define("painting-list", PaintingList);
