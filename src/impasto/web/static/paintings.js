// Owns the paintings that one can choose: those that come with Impasto, and the visitor's own, which are remembered.

import { RequestError, api } from "./api.js";
import { store } from "./store.js";

/** @import { Picture } from "./types.js" */

const KEY = "impasto-paintings";
const MOST = 24;

/** @type {Picture[]} */
let own = read();

/** @returns {Picture[]} */
function read() {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "[]");
  } catch {
    return [];
  }
}

/** @param {Picture[]} pictures */
function keep(pictures) {
  own = pictures.slice(0, MOST);
  try {
    localStorage.setItem(KEY, JSON.stringify(own));
  } catch {
    // Without storage they are known as long as the page is open.
  }
  store.announce("paintings");
}

/** The visitor's own, the latest first. */
export function ownPaintings() {
  return own;
}

/** The bundled paintings, then the visitor's own. */
export function allPaintings() {
  return [...store.samples.filter(({ kind }) => kind === "painting"), ...own];
}

/** Remembers an uploaded painting. @param {Picture} picture */
export function remember(picture) {
  if (picture.ref.startsWith("sample:") || own[0]?.ref === picture.ref) return;
  const { ref, id, name, width, height, url, thumbnail_url, title = "" } = picture;
  keep([{ ref, id, name, width, height, url, thumbnail_url, title }, ...own.filter((one) => one.ref !== ref)]);
}

/** @param {string} ref */
export function forget(ref) {
  keep(own.filter((one) => one.ref !== ref));
}

/** Forgets those that the studio no longer has. */
export async function forgetLost() {
  for (const { ref } of own) {
    if (!ref.startsWith("picture:")) continue;
    await api.picture(ref).catch((error) => error instanceof RequestError && error.problem.status === 404 && forget(ref));
  }
}
