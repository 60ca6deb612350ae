// Owns the draft of the next job: pictures, weights, masks and settings. It is saved in the browser, so that a reload
// keeps it, and is turned into a request here.

import { api, RequestError } from "./api.js";
import { store } from "./store.js";

/** @import { Job, Picture, Recipe } from "./types.js" */
/** `rest` names the drawn masks that `mask` leaves the rest of; without it, the mask was drawn. @typedef {{picture: Picture, weight: number, mask: Picture | null, rest?: string}} Style */

const KEY = "impasto-draft";
const FIRST = { content: "sample:red_panda", style: "sample:cafe_terrace" };

class Draft {
  /** @type {Picture | null} */ content = null;
  /** @type {Style[]} */ styles = [];
  /** The content map: where the photograph's shapes are kept. @type {Picture | null} */ shapes = null;
  preset = "default";
  /** Changed settings; all others follow the preset. @type {Record<string, any>} */ settings = {};
  /** The job that was started from this draft and receives live changes. @type {string | null} */ job = null;
  /** Fields with what cannot be used, and why; while there are any, nothing is painted. @type {Map<string, string>} */ wrong = new Map();

  /** Restores the saved draft, or starts with samples. */
  async open() {
    try {
      Object.assign(this, JSON.parse(localStorage.getItem(KEY) ?? "{}"));
    } catch {
      localStorage.removeItem(KEY);
    }
    if (!store.presets.some((preset) => preset.name === this.preset)) this.preset = "default";
    const known = new Set(store.settings.map((setting) => setting.name));
    this.settings = Object.fromEntries(Object.entries(this.settings).filter(([name]) => known.has(name)));
    const [content, ...styles] = await Promise.all([this.content, ...this.styles.map((style) => style.picture)].map(stillThere));
    this.content = content ?? sample(FIRST.content);
    this.styles = this.styles.filter((_, index) => styles[index]);
    await this.forgetLostMasks();
    if (!this.styles.length) this.styles = [style(sample(FIRST.style))].filter((one) => one.picture);
    this.#changed();
  }

  /** Changes the draft. @param {Partial<Pick<Draft, "content" | "styles" | "shapes" | "preset" | "settings" | "job">>} change */
  change(change) {
    Object.assign(this, change);
    this.#changed();
  }

  /** Notes that a field says something that cannot be used. @param {string} name @param {string} why */
  refuse(name, why) {
    this.wrong.set(name, why);
    store.announce("draft");
  }

  /** @param {string} name @param {any} value; undefined goes back to the preset's */
  set(name, value) {
    this.wrong.delete(name);
    const { [name]: _, ...rest } = this.settings;
    this.change({ settings: value === undefined || same(value, this.#given(name)) ? rest : { ...rest, [name]: value } });
  }

  /** The value of a setting. @param {string} name */
  value(name) {
    return name in this.settings ? this.settings[name] : this.#given(name);
  }

  /** The value of a setting that was not changed. @param {string} name */
  #given(name) {
    const preset = store.presets.find((one) => one.name === this.preset);
    return preset && name in preset.values ? preset.values[name] : store.settings.find((one) => one.name === name)?.default;
  }

  /** A new photograph has no masks yet. @param {Picture} picture */
  setContent(picture) {
    this.change({ content: picture, shapes: null, styles: this.styles.map(unmasked), job: null });
  }

  /** @param {Picture} picture */
  addStyle(picture) {
    if (this.styles.some((one) => one.picture.ref === picture.ref)) return;
    this.change({ styles: [...this.styles, style(picture)], job: null });
  }

  /** Makes a painting the only one; a region that the only one had stays. @param {Picture} picture */
  chooseStyle(picture) {
    const [only] = this.styles;
    if (this.styles.length === 1 && only?.picture.ref === picture.ref) return;
    this.change({ styles: [this.styles.length === 1 && only ? { ...only, picture } : style(picture)], job: null });
  }

  /** @param {number} place @param {Picture} picture */
  replaceStyle(place, picture) {
    if (this.styles.some((one, index) => index !== place && one.picture.ref === picture.ref)) return;
    this.change({ styles: this.styles.map((one, index) => (index === place ? { ...one, picture } : one)), job: null });
  }

  /** Takes pictures and settings from a job. @param {Job} job @param {{attach?: boolean}} [options] */
  take(job, { attach = false } = {}) {
    const preset = store.presets.some((one) => one.name === job.preset) ? job.preset : "default";
    this.preset = preset;
    this.wrong.clear();
    this.change({
      content: job.content,
      styles: job.styles.map((picture, index) => ({ picture, weight: picture.weight ?? 1, mask: job.masks[index] ?? null })),
      shapes: job.content_map,
      // For another picture, those that were asked for: changes while it was painted belong to that one.
      settings: this.#chosen(attach ? job.settings : job.recipe_settings),
      job: attach ? job.id : null,
    });
  }

  /** Takes settings, and the pictures that are known here, from a picture of ours. @param {Recipe} recipe @returns {Promise<string[]>} names of pictures not known */
  async takeRecipe(recipe) {
    const pictures = [recipe.content, ...recipe.styles];
    const [content, ...styles] = await Promise.all(pictures.map(({ ref }) => (ref ? byRef(ref) : null)));
    const known = /** @type {Picture[]} */ (styles.filter(Boolean));
    const guides = await Promise.all([recipe.content_map ?? null, ...(recipe.masks ?? [])].map((one) => (one?.ref ? byRef(one.ref) : null)));
    const [shapes = null, ...masks] = content ? guides : [];
    const regions = masks.length === styles.length && masks.every(Boolean);
    // Those of the machine that painted it need not suit this one.
    const settings = Object.fromEntries(Object.entries(recipe.settings).filter(([name]) => store.settings.find((one) => one.name === name)?.group !== "Machine"));
    this.preset = nearestPreset(settings);
    this.wrong.clear();
    const shares = recipe.settings.blend ?? [];
    this.change({
      ...(content ? { content, shapes, styles: this.styles.map(unmasked) } : {}),
      ...(known.length === styles.length ? { styles: known.map((one, i) => ({ ...style(one, regions ? (masks[i] ?? null) : null), weight: shares[i] ?? 1 })) } : {}),
      settings: this.#chosen(settings),
      job: null,
    });
    return pictures.filter((_, index) => ![content, ...styles][index]).map(({ name }) => name);
  }

  /** Removes masks that the server no longer has. @returns {Promise<boolean>} whether there were any */
  async forgetLostMasks() {
    const masks = [...this.styles.map((style) => style.mask), this.shapes];
    const lost = new Set((await Promise.all(masks.map(async (mask) => ((await isLost(mask)) ? mask?.ref : null)))).filter(Boolean));
    if (!lost.size) return false;
    const kept = (/** @type {Picture | null} */ mask) => (mask && lost.has(mask.ref) ? null : mask);
    this.change({ styles: this.styles.map((style) => ({ ...style, mask: kept(style.mask) })), shapes: kept(this.shapes) });
    return true;
  }

  /** Those settings that the preset does not give by itself. @param {Record<string, any>} settings */
  #chosen(settings) {
    return Object.fromEntries(
      Object.entries(settings).filter(([name, value]) => name !== "blend" && !same(value, this.#given(name))),
    );
  }

  /** A copy, to go back to. */
  copy() {
    const { content, styles, shapes, preset, settings, job } = this;
    return { content, styles: [...styles], shapes, preset, settings: { ...settings }, job };
  }

  /** The request for the job; null while a picture is missing. */
  request() {
    if (!this.content || !this.styles.length) return null;
    const several = this.styles.length > 1;
    const masks = this.styles.map((one) => one.mask?.ref);
    return {
      content: this.content.ref,
      styles: this.styles.map(({ picture, weight }) => (several ? { ref: picture.ref, weight } : picture.ref)),
      preset: this.preset,
      settings: this.settings,
      ...(masks.every(Boolean) ? { masks } : {}),
      ...(this.shapes ? { content_map: this.shapes.ref } : {}),
    };
  }

  #changed() {
    try {
      localStorage.setItem(KEY, JSON.stringify(this.copy()));
    } catch {
      // Without storage the page works, but forgets the draft.
    }
    store.announce("draft");
  }
}

/**
 * The preset from which settings differ least; the standard one, where others are no nearer.
 *
 * @param {Record<string, any>} settings @returns {string}
 */
function nearestPreset(settings) {
  const distance = (/** @type {import("./types.js").Preset} */ { values }) =>
    store.settings.filter(({ name, default: standard }) => name in settings && !same(settings[name], name in values ? values[name] : standard)).length;
  const presets = [...store.presets].sort((a, b) => Number(b.name === "default") - Number(a.name === "default"));
  return presets.reduce((best, one) => (distance(one) < distance(best) ? one : best)).name;
}

/** @param {Style} style @returns {Style} */
function unmasked(style) {
  return { ...style, mask: null, rest: "" };
}

/** @param {Picture} picture @param {Picture | null} [mask] @returns {Style} */
function style(picture, mask = null) {
  return { picture, weight: 1, mask };
}

/** @param {string} ref @returns {Picture} */
function sample(ref) {
  return /** @type {Picture} */ (store.samples.find((one) => one.ref === ref) ?? store.samples[0]);
}

/** @param {string} ref @returns {Promise<Picture | null>} */
async function byRef(ref) {
  if (ref.startsWith("sample:")) return store.samples.find((one) => one.ref === ref) ?? null;
  if (ref.startsWith("job:")) return (await store.find(ref.slice(4)))?.result ?? null;
  return api.picture(ref).catch(() => null);
}

/** Whether the server says that it does not have a picture (any more). @param {Picture | null} picture */
async function isLost(picture) {
  if (!picture?.ref.startsWith("picture:")) return false;
  try {
    await api.picture(picture.ref);
    return false;
  } catch (error) {
    return error instanceof RequestError && error.problem.status === 404;
  }
}

/** @param {Picture | null} picture */
async function stillThere(picture) {
  return picture ? byRef(picture.ref) : null;
}

/** @param {any} a @param {any} b */
export function same(a, b) {
  return JSON.stringify(a) === JSON.stringify(b);
}

export const draft = new Draft();
