// Owns the page's state: the server's jobs and queue, the catalogue, and the present route. Parts read it and listen for
// topics; only data from the server or the address are written here.

import { api } from "./api.js";
import { jobName } from "./format.js";

/** @import { Job, Picture, Preset, Queue, Setting, System } from "./types.js" */
/** @typedef {"ready" | "jobs" | "job" | "progress" | "queue" | "route" | "connection" | "draft" | "instant" | "paintings"} Topic */
/** @typedef {"all" | "starred"} Shown */
/** @typedef {{view: "paint" | "gallery" | "sweep", id: string | null}} Route */

/** Finished pictures that are read at once, and the most jobs that the server gives. */
const PAGE = 60;
const MOST = 200;

class Store {
  /** @type {Picture[]} */ samples = [];
  /** @type {Preset[]} */ presets = [];
  /** @type {Setting[]} */ settings = [];
  /** @type {string[]} */ groups = [];
  /** @type {System | null} */ system = null;
  /** @type {Map<string, Job>} */ jobs = new Map();
  /** Cursors to older pictures: of all, and of the starred ones; both are read when first shown. @type {Record<Shown, string | null | undefined>} */
  next = { all: undefined, starred: undefined };
  /** @type {Queue} */ queue = { paused: false, order: [], running: [] };
  /** @type {Route} */ route = { view: "paint", id: null };
  connected = true;
  ready = false;

  #target = new EventTarget();

  /**
   * Calls `listener` whenever a topic is announced, with what it is about (a job, mostly).
   *
   * @param {Topic} topic @param {(detail: any) => void} listener @returns {() => void} ends it
   */
  on(topic, listener) {
    const heard = (/** @type {Event} */ event) => listener(/** @type {CustomEvent} */ (event).detail);
    this.#target.addEventListener(topic, heard);
    return () => this.#target.removeEventListener(topic, heard);
  }

  /** @param {Topic} topic @param {any} [detail] */
  announce(topic, detail) {
    this.#target.dispatchEvent(new CustomEvent(topic, { detail }));
  }

  /** Reads the catalogue, once. */
  async open() {
    const [samples, presets, settings, system] = await Promise.all([api.samples(), api.presets(), api.settings(), api.system()]);
    this.samples = samples.samples;
    this.presets = presets.presets;
    this.settings = settings.settings;
    this.groups = settings.groups;
    this.system = system;
    this.ready = true;
    this.announce("ready");
  }

  /** Reads the jobs, after every (re)connection: all unfinished ones, and the newest of the others as far as they are shown. */
  async refresh() {
    const seen = this.next.all !== undefined || this.route.view === "gallery";
    const [open, failed, done] = await Promise.all([this.#open(), api.jobs({ state: "failed", limit: PAGE }), seen ? api.jobs({ state: "succeeded", limit: PAGE }) : { jobs: [], next: undefined }]);
    this.jobs = new Map([...done.jobs, ...failed.jobs, ...open.jobs].map((job) => [job.id, this.#titled(job)]));
    this.next = { all: done.next, starred: undefined };
    this.queue = open.queue;
    this.announce("jobs");
    this.announce("queue");
    if (this.route.view === "paint" && this.route.id) await this.find(this.route.id);
  }

  /** All queued and running jobs. */
  async #open() {
    const state = ["running", "queued"];
    const all = await api.jobs({ state, limit: MOST });
    for (let { next } = all; next; ) {
      const more = await api.jobs({ state, limit: MOST, before: next });
      all.jobs.push(...more.jobs);
      next = more.next;
    }
    return all;
  }

  /** Reads more finished pictures, older than those known; or the first ones. @param {Shown} shown */
  async older(shown) {
    const before = this.next[shown];
    if (before === null) return;
    const { jobs, next } = await api.jobs({ state: "succeeded", limit: PAGE, ...(shown === "starred" ? { starred: true } : {}), ...(before ? { before } : {}) });
    for (const job of jobs) this.jobs.set(job.id, this.#titled(job));
    this.next[shown] = next;
    this.announce("jobs");
  }

  /** The job, read from the server if it is not known; null if there is none. @param {string} id */
  async find(id) {
    const known = this.jobs.get(id);
    if (known) return known;
    try {
      const job = await api.job(id);
      this.keep(job);
      return job;
    } catch {
      return null;
    }
  }

  /** Stores a job from the server. @param {Job} job */
  keep(job) {
    const isNew = !this.jobs.has(job.id);
    this.jobs.set(job.id, this.#titled(job));
    this.announce("job", job);
    if (isNew) this.announce("jobs");
  }

  /** Titles of results that are known, for jobs that begin with them. @type {Map<string, string>} */ #titles = new Map();

  /** Gives samples and results in a job their titles, which the server does not repeat. @param {Job} job */
  #titled(job) {
    for (const picture of [job.content, ...job.styles].filter(Boolean)) picture.title ||= this.samples.find(({ ref }) => ref === picture.ref)?.title ?? this.#titles.get(picture.id) ?? "";
    if (job.result) {
      job.result.title = jobName(job);
      this.#titles.set(job.result.id, job.result.title);
    }
    return job;
  }

  /** @param {{id: string, progress: Job["progress"], preview: Job["preview"]}} news */
  advance({ id, progress, preview }) {
    const job = this.jobs.get(id);
    if (!job) return;
    job.progress = progress ?? job.progress;
    job.preview = preview ?? job.preview;
    this.announce("progress", job);
  }

  /** @param {string} id */
  forget(id) {
    if (this.jobs.delete(id)) this.announce("jobs");
  }

  /** @param {Queue} queue */
  arrange(queue) {
    this.queue = queue;
    this.announce("queue");
  }

  /** The job that is shown. @returns {Job | null} */
  get current() {
    return this.route.view === "paint" && this.route.id ? (this.jobs.get(this.route.id) ?? null) : null;
  }

  /** Finished pictures, newest first. @returns {Job[]} */
  get works() {
    return [...this.jobs.values()].filter((job) => job.result && !job.deleted).sort((a, b) => (a.created < b.created ? 1 : -1));
  }

  /** How many jobs are queued before a job; null if it is not queued. The queue's order is newer than the job's position. @param {Job} job */
  placeOf(job) {
    const place = this.queue.order.indexOf(job.id);
    return place < 0 ? null : place;
  }

  /** Running jobs, then queued ones in their order, then failed ones. @returns {Job[]} */
  get line() {
    const all = [...this.jobs.values()].filter((job) => !job.deleted);
    const place = (/** @type {Job} */ job) => (job.state === "running" ? -1 : (this.placeOf(job) ?? Infinity));
    const open = all.filter((job) => job.state === "running" || job.state === "queued");
    const failed = all.filter((job) => job.state === "failed");
    return [...open.sort((a, b) => place(a) - place(b) || (a.created < b.created ? -1 : 1)), ...failed];
  }
}

export const store = new Store();

/** Reads the address: `#/`, `#/job/ID`, `#/gallery`, `#/sweep/ID`. @param {string} hash @returns {Route} */
export function routeOf(hash) {
  const [view = "", id = ""] = hash.replace(/^#\/?/, "").split("/");
  if (view === "gallery") return { view, id: null };
  if (view === "sweep" && id) return { view, id: decodeURIComponent(id) };
  return { view: "paint", id: view === "job" && id ? decodeURIComponent(id) : null };
}

/** Goes to an address of the page. @param {string} hash */
export function go(hash) {
  if (location.hash === hash) store.announce("route");
  else location.hash = hash;
}
