// Owns notices: those that appear for a while, errors, which stay beside what they are about until it is mended, and
// messages for screen readers only.

import { RequestError } from "./api.js";
import { focusOn, h, worded } from "./dom.js";
import { icon } from "./icons.js";
import { Part } from "./part.js";
import { store } from "./store.js";
import { duration, withNames } from "./format.js";

/** `about` names what a notice is about; a later one about the same takes its place, and `settle` removes it. */
/** @typedef {{text: string, title?: string, tone?: "plain" | "bad", about?: string, action?: {label: string, act: () => void}}} Notice */

const SECONDS = 9;
/** Errors that are not about a part of the page stay longer, for they may be read late. */
const BAD_SECONDS = 60;

/** Shows a notice; it goes away by itself unless it is pointed at, or has the focus. @param {Notice} notice @param {Element | null} [place] */
export function notify(notice, place = null) {
  const dialog = [...document.querySelectorAll("dialog[open] > .sheet")].at(-1);
  const box = boxOf(notice);
  if (notice.about) settle(notice.about);
  if (dialog) {
    box.classList.add("inline");
    const head = dialog.querySelector(":scope > header");
    if (head) head.after(box);
    else dialog.prepend(box);
    box.scrollIntoView({ block: "nearest" });
  } else if (place) {
    box.classList.add("inline");
    for (const old of place.querySelectorAll(":scope > .notice")) old.remove();
    place.prepend(box);
    box.scrollIntoView({ block: "nearest" });
  } else {
    /** @type {NoticeStack | null} */ (document.querySelector("notice-stack"))?.add(box, notice.tone === "bad");
  }
}

/** Removes the notices about something, which has been mended. @param {string} about */
export function settle(about) {
  for (const box of document.querySelectorAll(`.notice[data-about="${CSS.escape(about)}"]`)) leave(/** @type {HTMLElement} */ (box));
}

/** Announces a text to screen readers only. @param {string} text */
export function say(text) {
  const region = document.getElementById("spoken");
  if (!region) return;
  region.textContent = "";
  requestAnimationFrame(() => (region.textContent = text));
}

/**
 * Shows an error: what was wrong and what to do. It stands in `place`, if that is given, or in the dialog that is open.
 *
 * @param {unknown} error @param {{place?: Element | null, about?: string}} [options]
 */
export function explain(error, { place = null, about } = {}) {
  if (error instanceof RequestError && error.word === "token-needed") return;
  const offline = error instanceof RequestError && error.word === "offline";
  const subject = offline ? "connection" : about;
  notify({ tone: "bad", ...wordsOf(error), ...(subject ? { about: subject } : {}) }, place);
}

/** Title and text of an error. @param {unknown} error @returns {{title: string, text: string}} */
export function wordsOf(error) {
  if (!(error instanceof RequestError)) {
    console.error(error);
    return { title: "Something went wrong in this page", text: "Reload it; your pictures and settings are kept." };
  }
  const { title, detail = "", retry_after: wait, errors = [] } = error.problem;
  const fields = detail ? "" : errors.map(({ field, message }) => `${field}: ${message}`).join("; ");
  const said = named(detail || fields);
  const end = wait && !/[.!?]$/.test(said) ? "." : "";
  return { title, text: [said + end, wait ? `Ask again in ${duration(wait)}.` : ""].filter(Boolean).join(" ") };
}

/** The server's words with the names that the page shows. @param {string} text */
export function named(text) {
  return withNames(text, store.settings.map(({ name }) => name));
}

/** @param {Notice} notice */
function boxOf({ text, title, tone = "plain", action, about }) {
  const box = h(
    "div",
    { class: `notice ${tone}`, role: tone === "bad" ? "alert" : "status", "data-about": about },
    tone === "bad" && icon("warning"),
    h("div", null, title && h("strong", null, title), h("p", null, worded(text))),
    action && h("button", { class: "button small plain", onclick: () => (leave(box), action.act()) }, action.label),
    h("button", { class: "icon-button small", "aria-label": "Dismiss", onclick: () => leave(box) }, icon("close")),
  );
  const before = document.activeElement;
  box.addEventListener("leave", () => {
    const inside = box.contains(document.activeElement);
    box.remove();
    if (inside) focusOn(/** @type {HTMLElement} */ (before?.isConnected && before !== document.body ? before : document.getElementById("main")));
  });
  const seconds = tone === "bad" ? BAD_SECONDS : SECONDS;
  const wait = () => setTimeout(() => (box.matches(":hover, :focus-within") ? wait() : leave(box)), seconds * 1000);
  wait();
  return box;
}

/** Removes a notice; focus that was in it goes back to where it was. @param {HTMLElement} box */
function leave(box) {
  box.dispatchEvent(new CustomEvent("leave"));
}

class NoticeStack extends Part {
  /** Errors push the page down, so that they cover nothing; what goes away soon lies over the picture. */
  #bad = h("div", { class: "notices bad-notices" });
  #plain = h("div", { class: "notices plain-notices" });

  draw() {
    this.append(this.#bad, this.#plain);
    document.addEventListener("close", (event) => {
      for (const box of /** @type {Element} */ (event.target).querySelectorAll(".notice")) box.remove();
    }, true);
  }

  listen() {
    this.watch("connection", () => store.connected && settle("connection"));
  }

  /** @param {HTMLElement} box @param {boolean} bad */
  add(box, bad) {
    const list = bad ? this.#bad : this.#plain;
    for (const old of list.children) if (old.textContent === box.textContent) old.remove();
    list.append(box);
    while (list.children.length > 2) list.firstElementChild?.remove();
  }
}

customElements.define("notice-stack", NoticeStack);
