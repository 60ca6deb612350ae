// Owns the bar at the top: the name, the ways through the page, the queue, light and dark, and help.

import { fill, h } from "../dom.js";
import { icon, mark } from "../icons.js";
import { shortcut } from "../keys.js";
import { Part } from "../part.js";
import { go, store } from "../store.js";
import { theme, turnTheme } from "../theme.js";
import { plural } from "../format.js";

class AppBar extends Part {
  #paint = h("a", { href: "#/" }, icon("brush"), h("span", null, "Paint"));
  #gallery = h("a", { href: "#/gallery" }, icon("gallery"), h("span", null, "Gallery"));
  #queue = h("button", { class: "icon-button queue-button", onclick: () => /** @type {any} */ (document.querySelector("job-queue"))?.open() });
  #theme = h("button", { class: "icon-button", onclick: () => this.#turn() });

  draw() {
    const help = h("button", { class: "icon-button", "aria-label": "Help", title: "Help (?)", onclick: () => /** @type {any} */ (document.querySelector("help-sheet"))?.open() }, icon("help"));
    this.append(
      h("a", { class: "brand", href: "#/", "aria-label": "Impasto" }, mark(), h("span", null, "Impasto")),
      h("nav", { "aria-label": "Page" }, this.#paint, this.#gallery),
      h("div", { class: "row tight end" }, this.#queue, this.#theme, help),
    );
    shortcut("Everywhere", ["Ctrl+Enter", "p"], "Paint", () => {
      go("#/");
      /** @type {any} */ (document.querySelector("paint-bar"))?.paint();
    });
    shortcut("Everywhere", ["g"], "Gallery", () => go("#/gallery"));
    shortcut("Everywhere", ["n"], "Back to the photo and the next picture", () => go("#/"));
    shortcut("Everywhere", ["q"], "Queue", () => this.#queue.click());
    shortcut("Everywhere", ["v"], "Try variations", () => /** @type {any} */ (document.querySelector("sweep-dialog"))?.open());
    shortcut("Everywhere", ["t"], "Light or dark", () => this.#turn());
    this.#showTheme();
  }

  listen() {
    this.watch(["route"], () => this.#showRoute());
    this.watch(["jobs", "job", "queue"], () => this.#showQueue());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#showTheme());
    this.#showRoute();
    this.#showQueue();
  }

  #showRoute() {
    for (const [link, here] of /** @type {const} */ ([[this.#paint, store.route.view === "paint"], [this.#gallery, store.route.view === "gallery"]])) {
      if (here) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  }

  #showQueue() {
    const open = store.line.filter((job) => job.state !== "failed").length;
    this.#queue.setAttribute("aria-label", open ? `Queue, ${plural(open, "picture")}` : "Queue");
    this.#queue.title = "Queue (Q)";
    fill(this.#queue, icon("queue"), open > 0 && h("span", { class: "badge figures", "aria-hidden": "true" }, open));
  }

  #turn() {
    turnTheme();
    this.#showTheme();
  }

  #showTheme() {
    const next = theme() === "dark" ? "light" : "dark";
    this.#theme.setAttribute("aria-label", next === "dark" ? "Dark" : "Light");
    this.#theme.title = next === "dark" ? "Dark (T)" : "Light (T)";
    fill(this.#theme, icon(next));
  }
}

customElements.define("app-bar", AppBar);
