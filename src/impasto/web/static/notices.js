// Owns notices, which appear for a while, and messages for screen readers only.

import { RequestError } from "./api.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { Part } from "./part.js";
import { duration } from "./format.js";

/** @typedef {{text: string, title?: string, tone?: "plain" | "bad", action?: {label: string, act: () => void}}} Notice */

const SECONDS = 9;

/** Shows a notice; it goes away by itself unless it is bad, is pointed at, or has the focus. @param {Notice} notice */
export function notify(notice) {
  document.querySelector("notice-stack")?.dispatchEvent(new CustomEvent("notice", { detail: notice }));
}

/** Announces a text to screen readers only. @param {string} text */
export function say(text) {
  const region = document.getElementById("spoken");
  if (!region) return;
  region.textContent = "";
  requestAnimationFrame(() => (region.textContent = text));
}

/** Shows an error: what was wrong and what to do. @param {unknown} error */
export function explain(error) {
  if (error instanceof RequestError && error.word === "token-needed") return;
  notify({ tone: "bad", ...wordsOf(error) });
}

/** Title and text of an error. @param {unknown} error @returns {{title: string, text: string}} */
export function wordsOf(error) {
  if (!(error instanceof RequestError)) {
    console.error(error);
    return { title: "Something went wrong in this page", text: "Reload it; your pictures and settings are kept." };
  }
  const { title, detail = "", retry_after: wait, errors = [] } = error.problem;
  const fields = detail ? "" : errors.map(({ field, message }) => `${field}: ${message}`).join("; ");
  const said = detail || fields;
  const end = wait && !/[.!?]$/.test(said) ? "." : "";
  return { title, text: [said + end, wait ? `Ask again in ${duration(wait)}.` : ""].filter(Boolean).join(" ") };
}

class NoticeStack extends Part {
  draw() {
    this.addEventListener("notice", (event) => this.#show(/** @type {CustomEvent} */ (event).detail));
  }

  /** @param {Notice} notice */
  #show({ text, title, tone = "plain", action }) {
    const away = () => box.remove();
    const box = h(
      "div",
      { class: `notice ${tone}`, role: tone === "bad" ? "alert" : "status" },
      tone === "bad" && icon("warning"),
      h("div", null, title && h("strong", null, title), h("p", null, text)),
      action && h("button", { class: "button small plain", onclick: () => (away(), action.act()) }, action.label),
      h("button", { class: "icon-button small", "aria-label": "Dismiss", onclick: away }, icon("close")),
    );
    this.append(box);
    while (this.children.length > 3) this.firstElementChild?.remove();
    if (tone === "bad") return;
    const wait = () => setTimeout(() => (box.matches(":hover, :focus-within") ? wait() : away()), SECONDS * 1000);
    wait();
  }
}

customElements.define("notice-stack", NoticeStack);
