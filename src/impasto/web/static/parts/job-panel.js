// Owns what stands under the picture: how far it is, what may be done with it, and how it was painted.

import { downloadUrl, thumbnail } from "../api.js";
import { draft } from "../draft.js";
import { fill, h, refill, worded } from "../dom.js";
import { icon } from "../icons.js";
import { doTo, useSettings } from "../actions.js";
import { use } from "../intake.js";
import { shortcut } from "../keys.js";
import { liveJob } from "../live.js";
import { named, say } from "../notices.js";
import { Part } from "../part.js";
import { go, store } from "../store.js";
import { choiceText, duration, jobName, nameOf, pictureName, plural, presetName, when } from "../format.js";
import { LossCurves } from "./loss-curves.js";

/** @import { Job } from "../types.js" */
/** @import { IconName } from "../icons.js" */

class JobPanel extends Part {
  #title = h("h2", { class: "job-title", dir: "auto" });
  #bar = h("progress", { max: 1, "aria-label": "Progress" });
  #line = h("p", { class: "figures small-text soft line" });
  #note = h("div", { class: "note", hidden: true });
  #acts = h("div", { class: "acts row wrap" });
  #curves = new LossCurves();
  #curveBox = h("details", { class: "curves", ontoggle: () => this.#openCurves() }, h("summary", null, icon("curves"), "Loss curves"), this.#curves);
  #recipe = h("dl", { class: "recipe" });
  #recipeBox = h("details", { class: "recipe-box" }, h("summary", null, icon("settings"), "How it was painted"), this.#recipe);
  #drawn = "";
  #scale = -1;

  draw() {
    this.append(h("div", { class: "head" }, this.#title, this.#line), this.#bar, this.#note, this.#acts, this.#curveBox, this.#recipeBox);
    const act = (/** @type {string} */ name) => () => void (store.current?.actions.includes(name) && doTo(store.current, name));
    shortcut("While it paints", ["s"], "Stop and keep the current picture", act("stop"));
    shortcut("While it paints", ["l"], "Show or hide the loss curves", () => (this.#curveBox.open = !this.#curveBox.open));
    shortcut("Finished picture", ["d"], "Download as PNG", () => store.current?.result && location.assign(downloadUrl(store.current.id, "png")));
    shortcut("Finished picture", ["f"], "Star, or remove the star", () => store.current && doTo(store.current, "star", { starred: !store.current.starred }));
    shortcut("Finished picture", ["u"], "Use these settings", () => store.current && useSettings(store.current));
  }

  listen() {
    this.watch(["route", "jobs", "queue", "connection"], () => this.#show());
    this.watch(["job", "progress"], (job) => job?.id === store.route.id && this.#show());
    this.#show();
  }

  /** What was asked for is brought into sight. */
  #openCurves() {
    this.#follow();
    if (this.#curveBox.open) this.#curveBox.scrollIntoView({ block: "nearest" });
  }

  #follow() {
    if (!this.#curveBox.open) return this.#curves.stop();
    void this.#curves.follow(store.current);
  }

  #show() {
    const job = store.current;
    this.hidden = !job;
    if (!job) return this.#curves.stop();
    const open = job.state === "running" || job.state === "queued";
    this.#title.textContent = jobName(job);
    this.#line.textContent = lineOf(job);
    this.#bar.hidden = !open;
    if (job.state === "running" && !job.progress) this.#bar.removeAttribute("value");
    else this.#bar.value = job.progress?.fraction ?? 0;
    this.#note.hidden = !job.error;
    if (job.error) fill(this.#note, icon("warning"), h("div", null, h("strong", null, job.error.title), h("p", null, worded(named(job.error.detail ?? "")))));
    this.#curveBox.hidden = !job.progress && !job.result;
    this.#speak(job);
    this.#follow();
    // Buttons keep their focus while the figures run: they are drawn anew only when they change.
    const drawn = JSON.stringify([job.id, job.state, job.actions, job.starred, draft.job === job.id]);
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    refill(this.#acts, this.#buttons(job));
    this.#showRecipe(job);
  }

  /** Says each new size once; the figures between would be noise. @param {Job} job */
  #speak(job) {
    const scale = job.state === "running" ? (job.progress?.scale ?? -1) : -1;
    if (scale >= 0 && scale !== this.#scale) say(lineOf(job));
    this.#scale = scale;
  }

  /** @param {Job} job */
  #buttons(job) {
    const can = (/** @type {string} */ name) => job.actions.includes(name);
    const button = (/** @type {IconName} */ look, /** @type {string} */ words, /** @type {() => unknown} */ act, look2 = "") =>
      h("button", { class: `button ${look2}`, onclick: () => void act() }, icon(look), words);
    if (!job.result) {
      return [
        can("stop") && button("check", "Stop and keep", () => doTo(job, "stop"), "main"),
        can("pause") && !job.paused && button("pause", "Pause", () => doTo(job, "pause")),
        can("resume") && job.paused && button("resume", "Go on", () => doTo(job, "resume"), "main"),
        can("retry") && button("retry", "Try again", () => doTo(job, "retry"), "main"),
        job.sweep && variations(job.sweep.id),
        can("extend") && button("longer", "Longer", () => doTo(job, "extend", { iterations: 20 })),
        can("cancel") && button("close", "Cancel", () => doTo(job, "cancel"), "plain"),
        !liveJob() && can("settings") && job.state === "running" && button("settings", "Change while it paints", () => draft.take(job, { attach: true })),
        !can("stop") && !can("cancel") && button("settings", "Use these settings", () => useSettings(job)),
        can("delete") && !can("cancel") && button("trash", "Delete", () => doTo(job, "delete"), "plain"),
      ];
    }
    const star = h("button", { class: "icon-button star", "aria-pressed": String(job.starred), "aria-label": "Star", title: "Star (F)", onclick: () => void doTo(job, "star", { starred: !job.starred }) }, icon("star", { filled: job.starred }));
    const download = h(
      "details",
      { class: "menu" },
      h("summary", { class: "button main" }, icon("download"), "Download"),
      h(
        "div",
        { class: "menu-list" },
        /** @type {const} */ ([["png", "PNG", "with its settings inside"], ["jpeg", "JPEG", "small, for sending"], ["tiff", "TIFF", "for printing"]]).map(([format, name, words]) =>
          h("a", { href: downloadUrl(job.id, format), download: "", onclick: () => (download.open = false) }, h("strong", null, name), h("span", { class: "soft small-text" }, words)),
        ),
      ),
    );
    closeOutside(download);
    return [
      download,
      job.sweep && variations(job.sweep.id),
      can("extend") && button("longer", "Paint longer", () => doTo(job, "extend", { iterations: 20 })),
      button("settings", "Use these settings", () => useSettings(job)),
      button("photo", "Use as photo", () => job.result && (use(job.result, "photo"), go("#/"))),
      star,
      can("delete") && h("button", { class: "icon-button", "aria-label": "Delete", title: "Delete", onclick: () => void doTo(job, "delete") }, icon("trash")),
    ];
  }

  /** @param {Job} job */
  #showRecipe(job) {
    const row = (/** @type {string} */ name, /** @type {import("../dom.js").Child | import("../dom.js").Child[]} */ value) => h("div", null, h("dt", null, name), h("dd", null, value));
    const thumb = (/** @type {import("../types.js").Picture} */ picture) => h("span", { class: "row" }, h("img", { src: thumbnail(picture, 160), alt: "" }), pictureName(picture));
    fill(
      this.#recipe,
      row("Photo", thumb(job.content)),
      job.styles.map((picture) => row("Painting", thumb(picture))),
      row("Quality", presetName(job.preset)),
      Object.entries(job.changed).filter(([name]) => name !== "blend" || job.styles.length > 1).map(([name, value]) => row(nameOf(name), choiceText(value))),
      job.masks.length > 0 && row("Regions", plural(job.masks.length, "mask")),
      job.result && row("Painted in", duration(job.result.seconds)),
      job.warnings.map((warning) => row("Note", worded(named(warning)))),
    );
  }
}

/** The way back to the variations that a picture is one of. @param {string} sweep */
function variations(sweep) {
  return h("a", { class: "button", href: `#/sweep/${encodeURIComponent(sweep)}` }, icon("grid"), "All variations");
}

/** Where a job stands, in one line. @param {Job} job */
function lineOf(job) {
  const { progress, result } = job;
  if (!store.connected) return "The studio does not respond; retrying …";
  if (job.state === "queued") {
    if (job.paused) return "Paused";
    if (store.queue.paused) return "The queue is paused";
    const before = store.placeOf(job);
    return before ? `Waiting, ${plural(before, "picture")} before it` : "Waiting to begin";
  }
  if (job.state === "running") {
    if (job.stopping) return "Finishing …";
    if (!progress) return "Reading the pictures …";
    const left = progress.seconds_left === null ? "" : ` · about ${duration(progress.seconds_left)} left`;
    return `Size ${progress.scale + 1} of ${progress.scales}, ${Math.max(...progress.size)} px · ${progress.iteration} of ${progress.iterations}${left}`;
  }
  if (job.state === "succeeded" && result) {
    const how = result.stopped ? "stopped after" : "painted in";
    return `${result.width} × ${result.height} px · ${how} ${duration(result.seconds)} · ${when(job.finished ?? job.created)}`;
  }
  return job.state === "canceled" ? "Cancelled" : "This picture could not be painted";
}

/** A menu closes when one clicks elsewhere or presses Escape. @param {HTMLDetailsElement} menu */
function closeOutside(menu) {
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    menu.open = false;
    menu.querySelector("summary")?.focus();
  });
  menu.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !menu.contains(/** @type {Node} */ (event.relatedTarget))) menu.open = false;
  });
}

document.addEventListener("pointerdown", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(/** @type {Node} */ (event.target))) menu.removeAttribute("open");
  }
});

customElements.define("job-panel", JobPanel);
