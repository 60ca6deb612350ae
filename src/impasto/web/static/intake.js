// Owns uploads, whether chosen, dropped or pasted. A picture that Impasto painted restores its settings.

import { api } from "./api.js";
import { draft } from "./draft.js";
import { explain, notify, settle } from "./notices.js";
import { remember } from "./paintings.js";
import { store } from "./store.js";
import { bytes, pictureName, plural } from "./format.js";

/** @import { Picture } from "./types.js" */
/** @typedef {"photo" | "painting"} Role */

/**
 * Takes files as the photograph or as paintings.
 *
 * @param {Iterable<File>} files @param {Role} role @param {{pasted?: boolean, place?: number | undefined}} [options]
 */
export async function takeFiles(files, role, { pasted = false, place } = {}) {
  const all = [...files];
  for (const [index, file] of all.entries()) {
    const picture = await upload(file, role);
    if (!picture) continue;
    if (picture.recipe) {
      await takeOurs(picture, role, place);
    } else {
      const before = draft.copy();
      use(picture, role, place);
      if (pasted) offerOther(picture, role, before);
    }
    if (role === "photo" || place !== undefined) {
      const rest = all.length - index - 1;
      if (rest) notify({ text: `${pictureName(picture)} is the ${role} now. There is one at a time: ${plural(rest, "other file was", "other files were")} left out.` });
      break;
    }
  }
}

/** Makes a picture the photograph, or one more painting, or the one at a place. @param {Picture} picture @param {Role} role @param {number} [place] */
export function use(picture, role, place) {
  if (role === "painting") remember(picture);
  if (role === "photo") draft.setContent(picture);
  else if (place !== undefined) draft.replaceStyle(place, picture);
  else draft.addStyle(picture);
  for (const note of picture.notes ?? []) notify({ text: `${pictureName(picture)}: ${note}.` });
}

/** @param {File} file @param {Role} role @returns {Promise<Picture | null>} */
async function upload(file, role) {
  const place = document.querySelector(role === "photo" ? "photo-well" : "painting-list");
  const about = `upload ${role}`;
  const most = store.system?.limits["max_bytes"];
  if (most && file.size > most) {
    notify({ tone: "bad", about, title: `${file.name} is too large`, text: `It has ${bytes(file.size)}; the limit is ${bytes(most)}. Save it smaller or as JPEG.` }, place);
    return null;
  }
  document.documentElement.dataset["busy"] = "";
  try {
    const name = file.name || "pasted.png";
    const picture = await api.upload(file, name);
    settle(about);
    return picture;
  } catch (error) {
    explain(error, { place, about });
    return null;
  } finally {
    delete document.documentElement.dataset["busy"];
  }
}

/** @param {Picture} picture @param {Role} role @param {number} [place] */
async function takeOurs(picture, role, place) {
  if (!picture.recipe) return;
  const before = draft.copy();
  const missing = await draft.takeRecipe(picture.recipe);
  const rest = missing.length ? ` Not in this studio: ${missing.join(", ")}; choose them again.` : "";
  notify({
    title: "Settings restored",
    text: `${picture.name} was painted with Impasto.${rest}`,
    action: { label: `Use it as the ${role} instead`, act: () => (draft.change(before), use(picture, role, place)) },
  });
}

/** @param {Picture} picture @param {Role} role @param {ReturnType<typeof draft.copy>} before what was on the knobs without it */
function offerOther(picture, role, before) {
  const other = role === "photo" ? "painting" : "photo";
  notify({
    text: `Pasted as the ${role}.`,
    action: { label: `Use it as a ${other}`, act: () => (draft.change(before), use(picture, other)) },
  });
}

/** The pictures among what was dropped or pasted. @param {DataTransfer | null} transfer @returns {File[]} */
export function filesIn(transfer) {
  return [...(transfer?.files ?? [])];
}

/** What the file dialog is to offer for each of the server's formats. @type {Record<string, string>} */
const ENDINGS = {
  JPEG: "image/jpeg",
  PNG: "image/png",
  WebP: "image/webp",
  GIF: "image/gif",
  BMP: "image/bmp",
  TIFF: "image/tiff,.tif,.tiff",
  AVIF: "image/avif,.avif",
  HEIC: "image/heic,image/heif,.heic,.heif",
  RAW: ".arw,.cr2,.cr3,.dng,.nef,.orf,.pef,.raf,.rw2",
};

/** What the file dialog offers: what this studio reads, and nothing that it would refuse. */
export function accepted() {
  const formats = /** @type {string[]} */ (store.system?.limits["formats"] ?? []);
  return formats.map((format) => ENDINGS[format] ?? "").filter(Boolean).join(",") || "image/*";
}
