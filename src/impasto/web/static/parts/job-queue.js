// Owns the queue: what is painted now, what waits and in which order, and what went wrong.

import { api, thumbnail } from "../api.js";
import { doTo } from "../actions.js";
import { fill, h, refill, worded } from "../dom.js";
import { icon } from "../icons.js";
import { explain, named, say } from "../notices.js";
import { Part } from "../part.js";
import { store } from "../store.js";
import { duration, jobName } from "../format.js";

/** @import { Job } from "../types.js" */
/** @import { IconName } from "../icons.js" */

export class JobQueue extends Part {
  #list = h("ol", { class: "queue" });
  #pause = h("button", { class: "button small", onclick: () => this.#togglePause() });
  #dialog = h("dialog", { class: "drawer", "aria-labelledby": "queue-title" });
  #drawn = "";

  draw() {
    this.#dialog.append(
      h(
        "div",
        { class: "sheet" },
        h("header", null, h("h2", { id: "queue-title" }, "Queue"), h("button", { class: "icon-button", "aria-label": "Close", onclick: () => this.#dialog.close() }, icon("close"))),
        h("div", { class: "row" }, this.#pause),
        this.#list,
      ),
    );
    this.append(this.#dialog);
    this.#dialog.addEventListener("click", (event) => event.target === this.#dialog && this.#dialog.close());
  }

  listen() {
    this.watch(["jobs", "job", "queue", "progress"], () => this.#dialog.open && this.#show());
  }

  open() {
    this.#drawn = "";
    this.#show();
    this.#dialog.showModal();
  }

  #show() {
    const { line, queue } = store;
    const drawn = JSON.stringify([queue.paused, line.map((job) => [job.id, job.state, store.placeOf(job), job.actions, job.paused])]);
    if (drawn !== this.#drawn) {
      this.#drawn = drawn;
      fill(this.#pause, icon(queue.paused ? "resume" : "pause"), queue.paused ? "Resume the queue" : "Pause the queue");
      refill(this.#list, line.length ? line.map((job) => this.#row(job)) : h("li", { class: "empty soft" }, "Nothing is waiting."));
    }
    for (const job of line) this.#showProgress(job);
  }

  /** @param {Job} job */
  #row(job) {
    const waiting = job.actions.includes("move");
    const place = store.placeOf(job) ?? 0;
    const act = (/** @type {IconName} */ look, /** @type {string} */ words, /** @type {string} */ action, /** @type {any} */ body = undefined, disabled = false) =>
      h(
        "button",
        { class: "icon-button small", "aria-label": `${words}: ${jobName(job)}`, title: words, disabled, "data-key": `${job.id} ${words}`, onclick: () => doTo(job, action, body).then(() => say(words)) },
        icon(look),
      );
    const can = (/** @type {string} */ name) => job.actions.includes(name);
    return h(
      "li",
      { "data-job": job.id, draggable: waiting, ...(waiting ? dragging(job, this.#list) : {}) },
      h("img", { src: job.preview?.url ?? thumbnail(job.content, 160), alt: "" }),
      h(
        "div",
        { class: "grow" },
        h("a", { href: `#/job/${encodeURIComponent(job.id)}`, onclick: () => this.#dialog.close() }, jobName(job)),
        h("p", { class: "soft small-text figures" }),
        job.state === "running" && h("progress", { max: 1, "aria-label": `Progress of ${jobName(job)}` }),
        h(
          "div",
          { class: "row tight" },
          waiting && act("up", "Earlier", "move", { to: Math.max(0, place - 1) }, place === 0),
          waiting && act("down", "Later", "move", { to: place + 1 }, place >= store.queue.order.length - 1),
          can("pause") && !job.paused && act("pause", "Pause", "pause"),
          can("resume") && job.paused && act("resume", "Go on", "resume"),
          can("retry") && act("retry", "Try again", "retry"),
          can("stop") && act("check", "Stop and keep", "stop"),
          can("cancel") && act("close", "Cancel", "cancel"),
          !can("cancel") && can("delete") && act("trash", "Delete", "delete"),
        ),
      ),
    );
  }

  /** @param {Job} job */
  #showProgress(job) {
    const row = this.#list.querySelector(`[data-job="${CSS.escape(job.id)}"]`);
    const bar = row?.querySelector("progress");
    const text = row?.querySelector("p");
    if (bar && job.progress) bar.value = job.progress.fraction;
    const left = job.progress?.seconds_left;
    const states = {
      running: job.stopping ? "Finishing …" : left == null ? "Painting …" : `About ${duration(left)} left`,
      queued: job.paused ? "Paused" : "Waiting",
      failed: job.error?.detail ?? job.error?.title ?? "It could not be painted",
      succeeded: "Done",
      canceled: "Cancelled",
    };
    if (text) fill(text, worded(named(states[job.state])));
  }

  async #togglePause() {
    try {
      store.arrange(await api.arrange({ paused: !store.queue.paused }));
      this.#drawn = "";
      this.#show();
      say(store.queue.paused ? "The queue is paused" : "The queue is resumed");
    } catch (error) {
      explain(error);
    }
  }
}

/** Listeners that let a row be dragged to another place. @param {Job} job @param {HTMLElement} list */
function dragging(job, list) {
  return {
    ondragstart: (/** @type {DragEvent} */ event) => event.dataTransfer?.setData("application/x-impasto-job", job.id),
    ondragover: (/** @type {DragEvent} */ event) => event.preventDefault(),
    ondrop: (/** @type {DragEvent} */ event) => {
      const id = event.dataTransfer?.getData("application/x-impasto-job");
      const moved = id ? store.jobs.get(id) : null;
      const place = store.placeOf(job);
      if (moved && moved.id !== job.id && place !== null && list.isConnected) void doTo(moved, "move", { to: place });
    },
  };
}

customElements.define("job-queue", JobQueue);
