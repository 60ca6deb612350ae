// Owns dropping and pasting anywhere on the page, dialogs included: a veil over everything says what the picture will be.

import { h, fill } from "../dom.js";
import { icon } from "../icons.js";
import { filesIn, takeFiles } from "../intake.js";
import { Part } from "../part.js";
import { go } from "../store.js";
import { aimOfPicker } from "./picture-picker.js";

/** @import { Role } from "../intake.js" */
/** What a dropped or pasted picture will be. @typedef {{role: Role, place?: number | undefined}} Aim */

/** Browsers tell of a drag at least this often, in ms, while it is over the page; none tells reliably when it leaves. */
const SILENCE = 900;

class DropVeil extends Part {
  /** A modal dialog lies above all others, and what is below it takes no drops. */
  #dialog = h("dialog", { class: "veil", "aria-label": "Drop a picture" });
  #timer = 0;

  draw() {
    this.append(this.#dialog);
    document.addEventListener("dragover", (event) => {
      event.preventDefault();
      if (event.dataTransfer?.types.includes("Files") && !tokenIsAsked()) this.#show();
    });
    // A file that misses must not make the browser leave the page.
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      this.#hide();
    });
    document.addEventListener("paste", (event) => {
      const files = filesIn(event.clipboardData);
      if (!files.length || tokenIsAsked()) return;
      event.preventDefault();
      const inPaintings = Boolean(document.activeElement?.closest("painting-list"));
      const aim = aimOfPicker() ?? { role: inPaintings ? "painting" : "photo" };
      take(files, aim, true);
    });
  }

  #show() {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => this.#hide(), SILENCE);
    if (this.#dialog.open) return;
    const aim = aimOfPicker();
    if (aim) fill(this.#dialog, this.#half(aim));
    else fill(this.#dialog, this.#half({ role: "photo" }), this.#half({ role: "painting" }));
    this.#dialog.showModal();
  }

  #hide() {
    clearTimeout(this.#timer);
    this.#dialog.close();
  }

  /** @param {Aim} aim */
  #half(aim) {
    const photo = aim.role === "photo";
    const half = h(
      "div",
      {
        class: "half",
        "data-role": aim.role,
        ondragenter: () => half.classList.add("over"),
        ondragleave: () => half.classList.remove("over"),
        ondrop: (/** @type {DragEvent} */ event) => {
          half.classList.remove("over");
          const files = filesIn(event.dataTransfer);
          this.#hide();
          take(files, aim, false);
        },
      },
      icon(photo ? "photo" : "paint"),
      h("strong", null, photo ? "The photo" : aim.place === undefined ? "A painting" : `Painting ${aim.place + 1}`),
      h("span", null, photo ? "the content" : "the style"),
    );
    return half;
  }
}

/** Takes files, and shows where they went: every dialog that is open is closed. @param {File[]} files @param {Aim} aim @param {boolean} pasted */
function take(files, { role, place }, pasted) {
  for (const dialog of document.querySelectorAll("dialog[open]")) /** @type {HTMLDialogElement} */ (dialog).close();
  go("#/");
  void takeFiles(files, role, { pasted, place });
}

/** Without the token no picture can be taken. */
function tokenIsAsked() {
  return Boolean(document.querySelector("token-sheet dialog[open]"));
}

customElements.define("drop-veil", DropVeil);
