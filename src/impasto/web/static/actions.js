// Owns the actions on a job, with undo for those that remove something.

import { api } from "./api.js";
import { draft } from "./draft.js";
import { explain, notify, say, settle } from "./notices.js";
import { go, store } from "./store.js";
import { jobName } from "./format.js";

/** @import { Job } from "./types.js" */

/** Messages after an action. @type {Record<string, string>} */
const DONE = {
  stop: "Stopped. The current picture is kept.",
  pause: "Paused. It will resume from its current picture.",
  resume: "Resumed.",
  retry: "Added to the queue again.",
  extend: "More iterations were added.",
};

/** Runs an action of a job. @param {Job} job @param {string} action @param {any} [body] */
export async function doTo(job, action, body) {
  try {
    const now = await api.act(job.id, action, body);
    settle(job.id);
    store.keep(now);
    if (action === "extend" && now.id !== job.id) go(`#/job/${now.id}`);
    if (action === "cancel") cancelled(now);
    if (action === "delete") deleted(now);
    if (action === "star") say(now.starred ? "Starred" : "Star removed");
    const words = DONE[action];
    if (words) say(words);
  } catch (error) {
    explain(error, { about: job.id });
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

/** Selects a job's pictures and settings for the next job. @param {Job} job */
export function useSettings(job) {
  const before = draft.copy();
  draft.take(job);
  void draft.forgetLostMasks().then((lost) => lost && notify({ tone: "bad", title: "A region is missing", text: "The region drawn for this picture was deleted from the studio. Draw it again; without it, each painting applies to the whole photo." }));
  notify({ text: "These pictures and settings are selected now.", action: { label: "Undo", act: () => draft.change(before) } });
}
