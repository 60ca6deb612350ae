// Owns the button that begins a picture, and what is said about it beforehand: time, memory, warnings.

import { RequestError, api } from "../api.js";
import { draft } from "../draft.js";
import { fill, h, worded } from "../dom.js";
import { icon } from "../icons.js";
import { explain, named, notify, say, settle, wordsOf } from "../notices.js";
import { Part } from "../part.js";
import { go, store } from "../store.js";
import { bytes, duration, nameOf } from "../format.js";

class PaintBar extends Part {
  #forecast = h("div", { class: "forecast small-text soft", "aria-live": "polite" });
  #button = h("button", { class: "button main paint", onclick: () => this.paint() }, icon("brush"), "Paint");
  #timer = 0;
  #asked = new AbortController();
  /** One request has one key: a second click, or a request sent again, paints once. */
  #key = crypto.randomUUID?.() ?? String(Math.random());

  draw() {
    const vary = h("button", { class: "button", onclick: () => /** @type {any} */ (document.querySelector("sweep-dialog"))?.open() }, icon("grid"), "Vary");
    vary.title = "Try several values of one or two settings";
    this.append(this.#forecast, h("div", { class: "row" }, this.#button, vary));
  }

  listen() {
    this.watch("draft", () => {
      settle("paint");
      this.#key = crypto.randomUUID?.() ?? String(Math.random());
      clearTimeout(this.#timer);
      this.#timer = window.setTimeout(() => this.#estimate(), 450);
    });
  }

  async paint() {
    commitField();
    const request = draft.request();
    if (!request || this.#button.disabled || !mayPaint(this)) return;
    this.#button.disabled = true;
    try {
      const job = await api.paint(request, this.#key);
      this.#key = crypto.randomUUID?.() ?? String(Math.random());
      store.keep(job);
      draft.change({ job: job.id });
      go(`#/job/${job.id}`);
      say("The picture is in the queue.");
      settle("paint");
      window.scrollTo({ top: 0, behavior: "smooth" });
    } catch (error) {
      explain(error, { place: this, about: "paint" });
      point(error instanceof RequestError ? error.problem.setting : undefined);
    } finally {
      this.#button.disabled = false;
    }
  }

  async #estimate() {
    const request = draft.request();
    if (!request) return;
    this.#asked.abort();
    this.#asked = new AbortController();
    try {
      const { seconds, memory_bytes: memory, fits, size, warnings } = await api.estimate(request, this.#asked.signal);
      const parts = [`${size[1]} × ${size[0]} px`, seconds === null ? null : `about ${duration(seconds)}`, memory ? bytes(memory) : null];
      fill(
        this.#forecast,
        h("p", { class: "figures" }, parts.filter(Boolean).join(" · ")),
        !fits && h("p", { class: "bad" }, "This needs more memory than is free. Choose a smaller size."),
        warnings.map((warning) => h("p", null, worded(named(warning)))),
      );
    } catch (error) {
      if (/** @type {any} */ (error)?.name === "AbortError") return;
      fill(this.#forecast, h("p", { class: "bad" }, worded(wordsOf(error).text)));
    }
  }
}

/** A field in which one still writes says what it holds when one leaves it; a shortcut does not leave it. */
function commitField() {
  const field = document.activeElement;
  if (field?.matches("[data-setting] input")) field.dispatchEvent(new Event("change", { bubbles: true }));
}

/** Whether all fields can be used; if not, it is said in `place`, and the first of them gets the focus. @param {Element} place */
export function mayPaint(place) {
  const wrong = [...draft.wrong][0];
  if (!wrong) return true;
  const [name, why] = wrong;
  notify({ tone: "bad", about: "paint", title: `${nameOf(name)} cannot be used`, text: why }, place);
  point(name);
  return false;
}

/** Brings a setting that was refused into sight. @param {string | undefined} name */
function point(name) {
  const field = name && document.querySelector(`[data-setting="${CSS.escape(name)}"]`);
  if (!field) return;
  /** @type {HTMLDetailsElement | null} */ (field.closest("details"))?.setAttribute("open", "");
  /** @type {HTMLElement | null} */ (field.querySelector("input, select"))?.focus();
}

customElements.define("paint-bar", PaintBar);
