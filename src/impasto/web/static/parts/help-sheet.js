// Owns the help sheet: what to do first, and every key.

import { fill, h } from "../dom.js";
import { icon } from "../icons.js";
import { described, shortcut } from "../keys.js";
import { Part } from "../part.js";
import { store } from "../store.js";

const STEPS = [
  ["Choose a photo and a painting.", "Drop them anywhere, paste them, or take the samples."],
  ["Press Paint.", "The picture sharpens while it is painted. Strength and shares may be changed meanwhile."],
  ["Stop when you like it.", "Or let it finish. Every picture stays in the gallery with its settings."],
  ["Drop a finished picture here again", "and its settings come back."],
];

export class HelpSheet extends Part {
  #keys = h("div", { class: "keys" });
  #version = h("p", { class: "soft small-text" });
  #dialog = h("dialog", { class: "help", "aria-labelledby": "help-title" });

  draw() {
    this.#dialog.append(
      h(
        "div",
        { class: "sheet" },
        h("header", null, h("h2", { id: "help-title" }, "Help"), h("button", { class: "icon-button", "aria-label": "Close", onclick: () => this.#dialog.close() }, icon("close"))),
        h("ol", { class: "steps" }, STEPS.map(([what, how]) => h("li", null, h("strong", null, what ?? ""), " ", how ?? ""))),
        this.#keys,
        this.#version,
      ),
    );
    this.append(this.#dialog);
    shortcut("Everywhere", ["?"], "This help", () => this.open());
  }

  open() {
    fill(
      this.#keys,
      [...described()].map(([where, list]) =>
        h("section", null, h("h3", null, where), h("dl", null, list.map(({ keys, words }) => h("div", null, h("dt", null, keys.map((key) => h("kbd", null, key.replace("Enter", "↵").toUpperCase()))), h("dd", null, words))))),
      ),
    );
    this.#version.textContent = store.system ? `Impasto ${store.system.versions.impasto}. ${whereItStays()}` : "";
    this.#dialog.showModal();
  }
}

/** Where the pictures are: a phone shows the page of another computer. */
function whereItStays() {
  const own = ["localhost", "[::1]"].includes(location.hostname) || location.hostname.startsWith("127.");
  return own ? "Everything stays on this computer." : `Your pictures are sent to ${location.host}, the computer that runs this studio, and to nobody else.`;
}

customElements.define("help-sheet", HelpSheet);
