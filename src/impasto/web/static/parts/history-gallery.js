// Owns the gallery: every finished picture, newest first, with star, delete and the way back to its settings.

import { thumbnail } from "../api.js";
import { doTo, useSettings } from "../actions.js";
import { fill, h, refill } from "../dom.js";
import { icon } from "../icons.js";
import { explain } from "../notices.js";
import { Part } from "../part.js";
import { go, store } from "../store.js";
import { jobName, plural, when } from "../format.js";

/** @import { Job, Result } from "../types.js" */

class HistoryGallery extends Part {
  #starred = false;
  #asking = false;
  #grid = h("ul", { class: "gallery-grid" });
  #count = h("p", { class: "soft small-text" });
  #older = h("button", { class: "button", onclick: () => this.#more() }, "Older pictures");
  #filters = [false, true].map((starred) =>
    h("button", { "aria-pressed": String(!starred), onclick: () => this.#filter(starred) }, starred ? "Starred" : "All"),
  );
  #drawn = "";

  draw() {
    this.append(
      h("div", { class: "row apart wrap view-head" }, h("div", null, h("h1", null, "Gallery"), this.#count), h("div", { class: "choices narrow", role: "group", "aria-label": "Show" }, this.#filters)),
      this.#grid,
      this.#older,
    );
  }

  listen() {
    this.watch(["jobs", "job", "route"], () => this.#show());
    this.#show();
  }

  /** @param {boolean} starred */
  #filter(starred) {
    this.#starred = starred;
    this.#filters.forEach((button, index) => button.setAttribute("aria-pressed", String(Boolean(index) === starred)));
    this.#show();
  }

  /** @returns {import("../store.js").Shown} */
  get #shown() {
    return this.#starred ? "starred" : "all";
  }

  #more() {
    if (this.#asking) return;
    this.#asking = true;
    void store
      .older(this.#shown)
      .catch(explain)
      .finally(() => (this.#asking = false));
  }

  #show() {
    if (store.route.view !== "gallery") return;
    // The page begins without the finished ones, and of the older ones only the server knows which are starred.
    if (store.next[this.#shown] === undefined) this.#more();
    const works = store.works.filter((job) => job.starred || !this.#starred);
    const drawn = JSON.stringify([this.#starred, store.next[this.#shown] === undefined, works.map((job) => [job.id, job.starred])]);
    this.#older.hidden = !store.next[this.#shown];
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    this.#count.textContent = works.length ? plural(works.length, "picture") : "";
    refill(this.#grid, works.length ? works.map((job) => this.#card(job, /** @type {Result} */ (job.result))) : this.#nothing());
  }

  #nothing() {
    const words = this.#starred ? "Star a picture to find it here again." : "Every picture you paint is kept here, with its settings.";
    return h("li", { class: "empty" }, icon("gallery"), h("p", null, words), h("a", { class: "button", href: "#/" }, "Paint one"));
  }

  /** @param {Job} job @param {Result} result */
  #card(job, result) {
    const name = jobName(job);
    const tool = (/** @type {import("../icons.js").IconName} */ look, /** @type {string} */ words, /** @type {() => unknown} */ act) =>
      h("button", { class: "icon-button small", "aria-label": `${words}: ${name}`, title: words, "data-key": `${job.id} ${words}`, onclick: () => void act() }, icon(look));
    const star = tool("star", "Star", () => doTo(job, "star", { starred: !job.starred }));
    star.classList.add("star");
    star.setAttribute("aria-pressed", String(job.starred));
    fill(star, icon("star", { filled: job.starred }));
    const card = h(
      "li",
      { class: "card", "data-job": job.id },
      h("a", { href: `#/job/${encodeURIComponent(job.id)}`, class: "card-picture" }, h("img", { src: thumbnail(result, 640), alt: name, loading: "lazy", width: result.width, height: result.height })),
      h(
        "div",
        { class: "card-foot" },
        h("p", { class: "card-name", dir: "auto" }, name),
        h("p", { class: "soft small-text figures" }, `${result.width} × ${result.height} · ${when(job.finished ?? job.created)}`),
        star,
        tool("settings", "Use these settings", () => (useSettings(job), go("#/"))),
        tool("trash", "Delete", () => doTo(job, "delete")),
      ),
    );
    card.style.setProperty("--aspect", String(result.width / result.height));
    return card;
  }
}

customElements.define("history-gallery", HistoryGallery);
