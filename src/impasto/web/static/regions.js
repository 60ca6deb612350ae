// Owns the completion of regions: with several paintings, all need one; those without get the area that the others leave.

import { api } from "./api.js";
import { draft } from "./draft.js";
import { h } from "./dom.js";
import { explain } from "./notices.js";
import { store } from "./store.js";

/** @import { Style } from "./draft.js" */
/** @import { Picture } from "./types.js" */

/** Keeps the draft's regions complete when its paintings change. */
export function followRegions() {
  store.on("draft", () => void complete().catch(explain));
}

async function complete() {
  const { styles } = draft;
  const whole = await completed(styles);
  // What changed meanwhile is looked at by itself.
  if (whole !== styles && draft.styles === styles) draft.change({ styles: whole });
}

/**
 * The styles, each with a region if any has one that was drawn; the same ones, if nothing is to be done.
 *
 * @param {Style[]} styles @returns {Promise<Style[]>}
 */
export async function completed(styles) {
  const drawn = styles.flatMap(({ mask, rest }) => (mask && !rest ? [mask] : []));
  if (drawn.length === styles.length) return styles;
  const key = styles.length > 1 ? drawn.map(({ ref }) => ref).join(" ") : "";
  if (styles.every(({ mask, rest }) => (mask && !rest) || (rest ?? "") === key)) return styles;
  const mask = key ? await restOf(drawn) : null;
  return styles.map((style) => (style.mask && !style.rest ? style : { ...style, mask, rest: key }));
}

/** A white picture, black where the masks are. @param {Picture[]} masks @returns {Promise<Picture>} */
async function restOf(masks) {
  const images = await Promise.all(masks.map((mask) => decoded(mask.url)));
  const { width, height } = /** @type {HTMLImageElement} */ (images[0]);
  const canvas = new OffscreenCanvas(width, height);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.globalCompositeOperation = "difference";
  const union = new OffscreenCanvas(width, height);
  const covered = /** @type {OffscreenCanvasRenderingContext2D} */ (union.getContext("2d"));
  covered.globalCompositeOperation = "lighten";
  for (const image of images) covered.drawImage(image, 0, 0, width, height);
  context.drawImage(union, 0, 0);
  return uploadMask(canvas, "rest.png");
}

/** @param {OffscreenCanvas} canvas @param {string} name @returns {Promise<Picture>} */
export async function uploadMask(canvas, name) {
  return api.upload(await canvas.convertToBlob({ type: "image/png" }), name);
}

/** @param {string} url */
async function decoded(url) {
  const image = h("img", { src: url });
  await image.decode();
  return image;
}
