// Owns dropping and pasting anywhere on the page: a veil in two halves says what the picture will be.

import { h, fill } from "../dom.js";
import { icon } from "../icons.js";
import { filesIn, takeFiles } from "../intake.js";
import { Part } from "../part.js";
import { go } from "../store.js";

/** @import { Role } from "../intake.js" */

class DropVeil extends Part {
  draw() {
    this.hidden = true;
    fill(
      this,
      this.#half("photo", "The photo", "the content"),
      this.#half("painting", "A painting", "the style"),
    );
    document.addEventListener("dragenter", (event) => {
      if (event.dataTransfer?.types.includes("Files")) this.hidden = false;
    });
    document.addEventListener("dragover", (event) => event.preventDefault());
    document.addEventListener("dragleave", (event) => {
      if (!event.relatedTarget) this.hidden = true;
    });
    // A file that misses must not make the browser leave the page.
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      this.hidden = true;
    });
    document.addEventListener("paste", (event) => {
      const files = filesIn(event.clipboardData);
      if (!files.length) return;
      event.preventDefault();
      const inPaintings = Boolean(document.activeElement?.closest("painting-list"));
      void takeFiles(files, inPaintings ? "painting" : "photo", { pasted: true });
      go("#/");
    });
  }

  /** @param {Role} role @param {string} title @param {string} text */
  #half(role, title, text) {
    const half = h(
      "div",
      {
        class: "half",
        "data-role": role,
        ondragenter: () => half.classList.add("over"),
        ondragleave: () => half.classList.remove("over"),
        ondrop: (/** @type {DragEvent} */ event) => {
          half.classList.remove("over");
          void takeFiles(filesIn(event.dataTransfer), role);
          go("#/");
        },
      },
      icon(role === "photo" ? "photo" : "paint"),
      h("strong", null, title),
      h("span", null, text),
    );
    return half;
  }
}

customElements.define("drop-veil", DropVeil);
