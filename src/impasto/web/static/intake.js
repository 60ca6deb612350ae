// Owns uploads, whether chosen, dropped or pasted. A picture that Impasto painted restores its settings.

import { api } from "./api.js";
import { draft } from "./draft.js";
import { explain, notify } from "./notices.js";
import { store } from "./store.js";
import { bytes } from "./format.js";

/** @import { Picture } from "./types.js" */
/** @typedef {"photo" | "painting"} Role */

/**
 * Takes files as the photograph or as paintings.
 *
 * @param {Iterable<File>} files @param {Role} role @param {{pasted?: boolean, place?: number | undefined}} [options]
 */
export async function takeFiles(files, role, { pasted = false, place } = {}) {
  for (const file of files) {
    const picture = await upload(file);
    if (!picture) continue;
    if (picture.recipe) {
      await takeOurs(picture, role);
    } else {
      const before = draft.copy();
      use(picture, role, place);
      if (pasted) offerOther(picture, role, before);
    }
    if (role === "photo") break;
  }
}

/** Makes a picture the photograph, or one more painting, or the one at a place. @param {Picture} picture @param {Role} role @param {number} [place] */
export function use(picture, role, place) {
  if (role === "photo") draft.setContent(picture);
  else if (place !== undefined) draft.replaceStyle(place, picture);
  else draft.addStyle(picture);
  for (const note of picture.notes ?? []) notify({ text: `${picture.name}: ${note}.` });
}

/** @param {File} file @returns {Promise<Picture | null>} */
async function upload(file) {
  const most = store.system?.limits["max_bytes"];
  if (most && file.size > most) {
    notify({ tone: "bad", title: `${file.name} is too large`, text: `It has ${bytes(file.size)}; the limit is ${bytes(most)}. Save it smaller or as JPEG.` });
    return null;
  }
  document.documentElement.dataset["busy"] = "";
  try {
    return await api.upload(file, file.name || "pasted.png");
  } catch (error) {
    explain(error);
    return null;
  } finally {
    delete document.documentElement.dataset["busy"];
  }
}

/** @param {Picture} picture @param {Role} role */
async function takeOurs(picture, role) {
  if (!picture.recipe) return;
  const before = draft.copy();
  const missing = await draft.takeRecipe(picture.recipe);
  const rest = missing.length ? ` Not in this studio: ${missing.join(", ")}; choose them again.` : "";
  notify({
    title: "Settings restored",
    text: `${picture.name} was painted with Impasto.${rest}`,
    action: { label: `Use it as the ${role} instead`, act: () => (draft.change(before), use(picture, role)) },
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

/** What the file dialog offers first. The server looks into the file itself. */
export const ACCEPTED = "image/*,.tif,.tiff,.heic,.heif,.avif,.arw,.cr2,.cr3,.dng,.nef,.orf,.pef,.raf,.rw2";
