// Owns instant drafts: what the fast engine makes of the pictures, shown until the painting itself can be seen. A draft
// is a favour; where there is none (no fast model, a studio that is busy), the photograph stays, and nobody is told off.

import { api } from "./api.js";
import { store } from "./store.js";

/** @import { Shown } from "./parts/picture-pane.js" */
/** @import { Picture } from "./types.js" */
/** @typedef {{content: Picture, styles: {picture: Picture, weight: number}[], strength: number}} Sketch */

const SIZE = 640;
const KEPT = 12;
const TRIES = 4;

/** What was made, by what it is of; null while it is made, or where there is none. @type {Map<string, string | null>} */
const made = new Map();

/** Whether this studio can make drafts. */
export function canDraft() {
  return Boolean(store.system?.fast?.available);
}

/**
 * The draft of some pictures, if it is there; if not, it is made, and a "draft-made" follows.
 *
 * @param {Sketch} sketch @returns {string | null} its address
 */
export function draftOf(sketch) {
  if (!canDraft() || !sketch.styles.length) return null;
  const key = JSON.stringify([sketch.content.ref, sketch.styles.map(({ picture, weight }) => [picture.ref, weight]), sketch.strength]);
  const known = made.get(key);
  if (known === undefined) {
    made.set(key, null);
    forgetOldest();
    void make(sketch, key);
  }
  return known ?? null;
}

/** @param {Sketch} sketch @param {string} key */
async function make({ content, styles, strength }, key) {
  const fields = [["content", content.ref], ["strength", String(strength)], ["size", String(SIZE)]];
  for (const { picture, weight } of styles) fields.push(["style", picture.ref], ["weight", String(weight)]);
  for (let tries = 1; tries <= TRIES && made.has(key); tries += 1) {
    try {
      made.set(key, URL.createObjectURL(await api.fast(fields)));
      return store.announce("instant");
    } catch (error) {
      const wait = /** @type {import("./api.js").RequestError} */ (error).problem?.retry_after;
      if (!wait) return;
      await new Promise((resolve) => setTimeout(resolve, wait * 1000));
    }
  }
}

function forgetOldest() {
  for (const [key, url] of made) {
    if (made.size <= KEPT) return;
    made.delete(key);
    if (url) URL.revokeObjectURL(url);
  }
}
