// Owns choosing a picture: from a file, or from the samples that come with Impasto.

import { thumbnail } from "../api.js";
import { fill, h } from "../dom.js";
import { icon } from "../icons.js";
import { accepted, takeFiles, use } from "../intake.js";
import { Part } from "../part.js";
import { store } from "../store.js";
import { pictureName } from "../format.js";

/** @import { Role } from "../intake.js" */

/** A dialog; `open("photo")` or `open("painting")`. */
export class PicturePicker extends Part {
  /** @type {Role} */ #role = "photo";
  /** @type {number | undefined} */ #place;
  #title = h("h2", null);
  #samples = h("ul", { class: "samples" });
  #file = h("input", {
    type: "file",
    hidden: true,
    "aria-label": "Picture file",
    onchange: () => {
      this.#dialog.close();
      void takeFiles([...(this.#file.files ?? [])], this.#role, { place: this.#place });
      this.#file.value = "";
    },
  });
  #dialog = h("dialog", { class: "picker", "aria-labelledby": "picker-title" });

  draw() {
    this.#title.id = "picker-title";
    const close = h("button", { class: "icon-button", "aria-label": "Close", onclick: () => this.#dialog.close() }, icon("close"));
    this.#dialog.append(
      h(
        "div",
        { class: "sheet" },
        h("header", null, this.#title, close),
        h("button", { class: "file-button", onclick: () => this.#file.click() }, icon("photo"), h("span", null, h("strong", null, "Choose a file"), h("br", null), h("span", { class: "soft small-text" }, "or drop or paste a picture here"))),
        h("h3", null, "Or one that comes with Impasto"),
        this.#samples,
      ),
    );
    this.append(this.#dialog, this.#file);
  }

  /** @param {Role} role @param {number} [place] of the painting that the new one replaces */
  open(role, place) {
    this.#role = role;
    this.#place = place;
    this.#file.accept = accepted();
    this.#title.textContent = role === "photo" ? "Choose the photo" : place === undefined ? "Choose a painting" : "Choose the painting";
    this.#file.multiple = role === "painting" && place === undefined;
    const other = role === "photo" ? "painting" : "photo";
    const fitting = store.samples.filter((sample) => sample.kind !== other);
    fill(
      this.#samples,
      fitting.map((sample) =>
        h(
          "li",
          null,
          h(
            "button",
            { onclick: () => (this.#dialog.close(), use(sample, role, place)) },
            h("img", { src: thumbnail(sample, 320), alt: "", loading: "lazy" }),
            h("span", null, pictureName(sample)),
            sample.author && h("span", { class: "soft small-text" }, sample.author),
          ),
        ),
      ),
    );
    this.#dialog.showModal();
  }

  /** What the picture that is chosen will be; null while nobody chooses. @returns {{role: Role, place: number | undefined} | null} */
  get aim() {
    return this.#dialog.open ? { role: this.#role, place: this.#place } : null;
  }
}

customElements.define("picture-picker", PicturePicker);

/** What the page's picker is open for, if it is. */
export function aimOfPicker() {
  return /** @type {PicturePicker | null} */ (document.querySelector("picture-picker"))?.aim ?? null;
}

/** Opens the page's picker. @param {Role} role @param {number} [place] of the painting that the new one replaces */
export function pick(role, place) {
  /** @type {PicturePicker | null} */ (document.querySelector("picture-picker"))?.open(role, place);
}
