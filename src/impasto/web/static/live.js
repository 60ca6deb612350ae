// Owns live changes: what is changed on the knobs while their job is painted is sent to it, after a short delay. What could
// not be sent, because the server was away, is sent when it is back, also after a reload of the page.

import { RequestError, api } from "./api.js";
import { draft, same } from "./draft.js";
import { explain, say, settle } from "./notices.js";
import { store } from "./store.js";

/** @import { Job } from "./types.js" */

const PAUSE = 350;
/** The id of the job that has not been told of a change yet. */
const UNSENT = "impasto-unsent";
let timer = 0;

/** Starts watching the draft. */
export function followDraft() {
  store.on("draft", () => {
    if (liveJob()) localStorage.setItem(UNSENT, draft.job ?? "");
    soon();
  });
  for (const topic of /** @type {const} */ (["jobs", "job", "connection"])) store.on(topic, soon);
  soon();
}

function soon() {
  if (!localStorage.getItem(UNSENT)) return;
  clearTimeout(timer);
  timer = window.setTimeout(send, PAUSE);
}

/** The job that receives live changes, if it can still be changed. @returns {Job | null} */
export function liveJob() {
  const job = draft.job ? store.jobs.get(draft.job) : null;
  return job && job.state === "running" && job.actions.includes("settings") ? job : null;
}

async function send() {
  if (localStorage.getItem(UNSENT) !== draft.job) return localStorage.removeItem(UNSENT);
  const job = liveJob();
  // A job that a restart put back into the queue is told once it is painted again.
  if (!job || !store.connected || draft.wrong.size) return;
  const change = changeOf(job);
  localStorage.removeItem(UNSENT);
  if (!change) return;
  try {
    store.keep(await api.act(job.id, "settings", change));
    settle("live");
    say("The change applies from the next iteration.");
  } catch (error) {
    if (error instanceof RequestError && (error.problem.status === 0 || error.problem.status === 503)) localStorage.setItem(UNSENT, job.id);
    else explain(error, { about: "live" });
  }
}

/** The changeable differences between the draft and the job; null if there are none. @param {Job} job */
function changeOf(job) {
  /** @type {Record<string, any>} */ const change = {};
  const live = store.settings.filter((setting) => setting.live && setting.name !== "blend");
  const settings = live.filter(({ name }) => !same(draft.value(name), job.settings[name])).map(({ name }) => [name, draft.value(name)]);
  if (settings.length) change.settings = Object.fromEntries(settings);
  if (draft.styles.length === job.styles.length && draft.styles.length > 1) {
    const weights = draft.styles.map((style) => style.weight);
    if (!same(shares(weights), shares(job.styles.map((style) => style.weight ?? 1)))) change.weights = weights;
  }
  const masks = draft.styles.map((style) => style.mask?.ref ?? null);
  const before = job.masks.map((mask) => mask.ref);
  if (masks.every(Boolean) ? !same(masks, before) : before.length && masks.every((mask) => !mask)) change.masks = masks.filter(Boolean);
  if ((draft.shapes?.ref ?? null) !== (job.content_map?.ref ?? null)) change.content_map = draft.shapes?.ref ?? null;
  return Object.keys(change).length ? change : null;
}

/** @param {number[]} weights */
function shares(weights) {
  const sum = weights.reduce((a, b) => a + b, 0) || 1;
  return weights.map((weight) => Number((weight / sum).toFixed(6)));
}
