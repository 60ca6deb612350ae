// Owns what is done to a job from anywhere on the page: its actions, with undo where something goes away.

import { api } from "./api.js";
import { draft } from "./draft.js";
import { explain, notify, say } from "./notices.js";
import { go, store } from "./store.js";
import { jobName } from "./words.js";

/** @import { Job } from "./types.js" */

/** What is said when it is done. @type {Record<string, string>} */
const DONE = {
  stop: "Stopped; what is there is kept.",
  pause: "Paused. It goes on from where it is.",
  resume: "It goes on.",
  retry: "It is in the queue again.",
  extend: "It is painted longer.",
};

/** Does one of the job's actions. @param {Job} job @param {string} action @param {any} [body] */
export async function doTo(job, action, body) {
  try {
    const now = await api.act(job.id, action, body);
    store.keep(now);
    if (action === "extend" && now.id !== job.id) go(`#/job/${now.id}`);
    if (action === "cancel") cancelled(now);
    if (action === "delete") deleted(now);
    if (action === "star") say(now.starred ? "Starred" : "Star taken away");
    const words = DONE[action];
    if (words) say(words);
  } catch (error) {
    explain(error);
  }
}

/** @param {Job} job */
function cancelled(job) {
  if (store.route.id === job.id) go("#/");
  const action = job.actions.includes("retry") ? { label: "Undo", act: () => void doTo(job, "retry").then(() => go(`#/job/${job.id}`)) } : undefined;
  notify({ text: `Cancelled: ${jobName(job)}.`, ...(action ? { action } : {}) });
}

/** @param {Job} job */
function deleted(job) {
  store.announce("jobs");
  if (store.route.id === job.id) go("#/");
  notify({
    text: `Deleted: ${jobName(job)}.`,
    action: { label: "Undo", act: () => void doTo(job, "undelete").then(() => store.announce("jobs")) },
  });
}

/** Takes a job's pictures and settings for the next picture. @param {Job} job */
export function useSettings(job) {
  const before = draft.copy();
  draft.take(job);
  void draft.forgetLostMasks().then((lost) => lost && notify({ tone: "bad", title: "A region is gone", text: "What was drawn for this picture is no longer in the studio. Draw it again, or each painting covers all of the photo." }));
  notify({ text: "These pictures and settings are on the knobs now.", action: { label: "Undo", act: () => draft.change(before) } });
}
