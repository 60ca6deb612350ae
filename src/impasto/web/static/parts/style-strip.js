// Owns the strip of paintings under the photo: each shows that very photo in its style, and one is chosen.

import { RequestError, api, thumbnail } from "../api.js";
import { draft } from "../draft.js";
import { h, refill } from "../dom.js";
import { canDraft } from "../instant.js";
import { notify, say } from "../notices.js";
import { allPaintings, forgetLost } from "../paintings.js";
import { Part } from "../part.js";
import { store } from "../store.js";
import { fitted, pictureName } from "../format.js";

/** @import { Picture } from "../types.js" */

/** Looks that are asked for at once: the first few are there early. */
const AT_ONCE = 4;
/** Photos whose looks are kept in the page. */
const PHOTOS = 4;
const TRIES = 6;

class StyleStrip extends Part {
  #list = h("div", { class: "strip", role: "radiogroup", "aria-label": "Paintings on your photo" });
  /** Looks by painting, of each photo. @type {Map<string, Map<string, string>>} */ #looks = new Map();
  /** Paintings whose looks cannot be had: they are shown themselves. @type {Set<string>} */ #refused = new Set();
  #asking = "";
  #drawn = "";

  draw() {
    this.append(this.#list);
    this.#list.addEventListener("keydown", (event) => this.#key(event));
  }

  listen() {
    this.watch(["draft", "route", "ready", "paintings"], () => this.#show());
    this.#show();
    void forgetLost();
  }

  #show() {
    const { content } = draft;
    this.hidden = !content || !canDraft() || Boolean(store.current);
    if (this.hidden || !content || store.route.view !== "paint") return;
    const paintings = allPaintings();
    const chosen = draft.styles.length === 1 ? draft.styles[0]?.picture.ref : "";
    const looks = this.#looksOf(content);
    const drawn = JSON.stringify([content.ref, chosen, paintings.map(({ ref, name }) => [ref, name, looks.has(ref), this.#refused.has(ref)])]);
    if (drawn !== this.#drawn) {
      this.#drawn = drawn;
      const first = paintings.some(({ ref }) => ref === chosen) ? chosen : paintings[0]?.ref;
      const at = this.#list.scrollLeft;
      refill(this.#list, paintings.map((painting) => this.#look(painting, { chosen: painting.ref === chosen, first: painting.ref === first, url: looks.get(painting.ref) })));
      this.#list.scrollLeft = at;
    }
    void this.#fetch(content, paintings);
  }

  /** @param {Picture} content */
  #looksOf(content) {
    const known = this.#looks.get(content.ref) ?? new Map();
    this.#looks.delete(content.ref);
    this.#looks.set(content.ref, known);
    const oldest = [...this.#looks.keys()][0];
    if (this.#looks.size > PHOTOS && oldest) this.#looks.delete(oldest);
    return known;
  }

  /** @param {Picture} painting @param {{chosen: boolean, first: boolean, url: string | undefined}} state */
  #look(painting, { chosen, first, url }) {
    const name = fitted(pictureName(painting).replace(/, \d{4}(-\d+)?$/, ""), 28);
    return h(
      "button",
      { class: `look${url ? "" : " waiting"}`, role: "radio", "aria-checked": String(chosen), tabIndex: first ? 0 : -1, "data-key": painting.ref, title: pictureName(painting), onclick: () => this.#choose(painting) },
      // While a look is made nothing else is asked for: the server has enough to do.
      url || this.#refused.has(painting.ref) ? h("img", { src: url ?? thumbnail(painting, 320), alt: "", draggable: false }) : h("span", { class: "blank" }),
      h("span", { dir: "auto" }, name),
    );
  }

  /** @param {Picture} painting */
  #choose(painting) {
    const before = draft.copy();
    draft.chooseStyle(painting);
    if (before.styles.length > 1) notify({ text: `${pictureName(painting)} alone is the painting now.`, action: { label: "Undo", act: () => draft.change(before) } });
    /** @type {any} */ (document.querySelector("picture-stage"))?.look();
    say(`${pictureName(painting)} on your photo`);
  }

  /** Arrows choose the next, as in any group of radio buttons. @param {KeyboardEvent} event */
  #key(event) {
    const steps = /** @type {Record<string, number>} */ ({ ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity });
    const step = steps[event.key];
    const all = [...this.#list.querySelectorAll("button")];
    const place = all.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    if (step === undefined || place < 0) return;
    event.preventDefault();
    const next = Number.isFinite(step) ? (place + step + all.length) % all.length : step < 0 ? 0 : all.length - 1;
    const look = all[next];
    look?.focus({ preventScroll: true });
    look?.scrollIntoView({ block: "nearest", inline: "nearest" });
    look?.click();
  }

  /** Asks for the looks that are missing, a few at a time. @param {Picture} content @param {Picture[]} paintings */
  async #fetch(content, paintings) {
    if (this.#asking === content.ref) return;
    this.#asking = content.ref;
    const looks = this.#looksOf(content);
    for (let tries = 0; tries < TRIES && draft.content?.ref === content.ref; ) {
      const missing = allPaintings().filter(({ ref }) => !looks.has(ref) && !this.#refused.has(ref));
      // A painting of one's own takes a second by itself.
      const some = missing[0]?.ref.startsWith("sample:") ? missing.filter(({ ref }) => ref.startsWith("sample:")).slice(0, AT_ONCE) : missing.slice(0, 1);
      if (!some.length) break;
      try {
        for (const { style, url } of (await api.looks(content.ref, some.map(({ ref }) => ref))).looks) looks.set(style, url);
        this.#show();
      } catch (error) {
        // A look is a favour: what cannot be had is shown by the painting itself.
        const wait = error instanceof RequestError ? error.problem.retry_after : undefined;
        if (wait) await new Promise((resolve) => setTimeout(resolve, wait * 1000));
        else for (const { ref } of some) this.#refused.add(ref);
        tries += 1;
        this.#show();
      }
    }
    if (this.#asking === content.ref) this.#asking = "";
    if (paintings.length && draft.content?.ref !== content.ref) this.#show();
  }
}

customElements.define("style-strip", StyleStrip);
