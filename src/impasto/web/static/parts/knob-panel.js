// Owns the plain knobs (strength, stroke size, colours, size, quality), and all other settings under “more”.

import { draft } from "../draft.js";
import { fill, freshId, h } from "../dom.js";
import { liveJob } from "../live.js";
import { Part } from "../part.js";
import { store } from "../store.js";
import { nameOf, number, presetName } from "../format.js";
import { settingField } from "./setting-field.js";


const SIZES = [256, 384, 512, 640, 768, 1024, 1280, 1536, 2048, 3072, 4096, 6144, 8192];
const QUALITIES = ["quick", "default", "fine"];
/** Settings that have a knob of their own, or that the list of paintings sets. */
const ELSEWHERE = new Set(["strength", "style_scale", "size", "blend"]);

/** What a strength looks like. @param {number} value */
function strengthWords(value) {
  if (value < 0.06) return "almost the photo";
  if (value < 0.18) return "tinted";
  if (value < 0.33) return "halfway, with brushwork";
  if (value < 0.63) return "a painting of the scene";
  return value < 0.88 ? "bends the shapes" : "just to be recognized";
}

/** @param {number} value */
function strokeWords(value) {
  if (value < 0.7) return "fine";
  return value <= 1.4 ? "as in the painting" : "broad";
}

class KnobPanel extends Part {
  /** @type {(() => void)[]} */ #shows = [];
  #more = h("div", { class: "more-settings" });
  #chosen = h("span", { class: "count" });

  draw() {
    this.append(
      this.#slider({ name: "strength", low: 0, high: 1, step: 0.05, words: strengthWords }),
      // Steps of the stroke size are factors: halving is as far as doubling.
      this.#slider({ name: "style_scale", low: -2, high: 2, step: 0.25, words: strokeWords, to: (v) => Number((2 ** v).toPrecision(3)), from: (v) => Math.log2(v), unit: "×" }),
      this.#colors(),
      this.#slider({
        name: "size",
        low: 0,
        high: SIZES.length - 1,
        highest: largestStop,
        step: 1,
        words: () => "long side",
        to: (place) => SIZES[place] ?? 512,
        from: (size) => nearest(size),
        unit: " px",
      }),
      this.#quality(),
      h("details", { class: "more" }, h("summary", null, "More settings", this.#chosen), this.#more),
    );
  }

  listen() {
    this.watch("ready", () => this.#fillMore());
    this.watch("draft", () => this.#show());
    this.watch("job", () => this.#show());
    if (store.ready) this.#fillMore();
  }

  #show() {
    for (const show of this.#shows) show();
    const others = Object.keys(draft.settings).filter((name) => !ELSEWHERE.has(name)).length;
    this.#chosen.textContent = others ? String(others) : "";
    this.#chosen.setAttribute("aria-label", others ? `, ${others} changed` : "");
    this.classList.toggle("live", Boolean(liveJob()));
  }

  /** `highest` is the last step now, where that changes. @param {{name: string, low: number, high: number, highest?: () => number, step: number, words: (value: number) => string, to?: (v: number) => number, from?: (v: number) => number, unit?: string}} knob */
  #slider({ name, low, high, highest = () => high, step, words, to = (v) => v, from = (v) => v, unit = "" }) {
    const id = freshId(name);
    const output = h("output", { for: id, class: "figures" });
    const hint = h("span", { class: "soft small-text" });
    const input = h("input", {
      type: "range",
      id,
      name,
      min: String(low),
      max: String(high),
      step: String(step),
      oninput: () => draft.set(name, to(Number(input.value))),
    });
    this.#shows.push(() => {
      const value = draft.value(name) ?? to(low);
      const last = highest();
      input.max = String(last);
      input.value = String(from(value));
      input.style.setProperty("--filled", `${((Number(input.value) - low) / Math.max(1e-9, last - low)) * 100}%`);
      output.textContent = `${number(value)}${unit}`;
      hint.textContent = words(value);
      input.setAttribute("aria-valuetext", `${number(value)}${unit}, ${words(value)}`);
    });
    const label = name === "size" ? "Size" : nameOf(name);
    return h("div", { class: "knob" }, h("div", { class: "row apart" }, h("label", { for: id }, label), h("span", { class: "row" }, hint, output)), input);
  }

  #colors() {
    const id = freshId("colors");
    const input = h("input", {
      type: "checkbox",
      role: "switch",
      id,
      class: "switch",
      onchange: () => draft.set("keep_color", input.checked ? "luminance" : "none"),
    });
    this.#shows.push(() => (input.checked = draft.value("keep_color") !== "none"));
    return h("div", { class: "knob row apart" }, h("label", { for: id }, "Keep the photo’s colours"), input);
  }

  #quality() {
    const name = freshId("quality");
    const inputs = QUALITIES.map((preset) =>
      h("input", { type: "radio", name, value: preset, onchange: () => draft.change({ preset }) }),
    );
    const other = h("p", { class: "soft small-text" });
    this.#shows.push(() => {
      for (const input of inputs) input.checked = input.value === draft.preset;
      const known = QUALITIES.includes(draft.preset);
      other.textContent = store.presets.find((one) => one.name === draft.preset)?.description ?? "";
      if (!known) other.textContent = `${presetName(draft.preset)}: ${other.textContent}`;
    });
    return h(
      "fieldset",
      { class: "knob" },
      h("legend", null, "Quality"),
      h("div", { class: "choices" }, QUALITIES.map((quality, index) => h("label", null, inputs[index], presetName(quality)))),
      other,
    );
  }

  #fillMore() {
    const fields = store.settings.filter(({ name }) => !ELSEWHERE.has(name)).map((setting) => ({ setting, field: settingField(setting) }));
    this.#shows.push(...fields.map(({ field }) => field.show));
    const group = (/** @type {string} */ name) => {
      const own = fields.filter(({ setting }) => setting.group === name);
      return own.length > 0 && h("section", null, h("h3", null, name), own.map(({ field }) => field.element));
    };
    const reset = h("button", { class: "button small", onclick: () => (draft.wrong.clear(), draft.change({ settings: {} })) }, "Reset all settings");
    fill(this.#more, store.groups.map(group), this.#presets(), reset);
    this.#show();
  }

  /** Presets that are no quality, as the paper's own. */
  #presets() {
    const others = store.presets.filter(({ name }) => !QUALITIES.includes(name));
    if (!others.length) return false;
    const row = (/** @type {import("../types.js").Preset} */ preset) =>
      h("p", { class: "small-text" }, h("button", { class: "button small", onclick: () => draft.change({ preset: preset.name, settings: {} }) }, presetName(preset.name)), " ", h("span", { class: "soft" }, preset.description));
    return h("section", null, h("h3", null, "Presets"), others.map(row));
  }
}

/** The last stop whose picture the studio paints: its limit is of pixels, and the photo says how high and wide they stand. */
function largestStop() {
  const most = store.system?.limits["max_pixels"] ?? Infinity;
  const { width, height } = draft.content ?? { width: 1, height: 1 };
  const flat = Math.min(width, height) / Math.max(width, height);
  return Math.max(0, SIZES.findLastIndex((size) => size * Math.max(1, Math.round(size * flat)) <= most));
}

/** The place of the stop nearest to a size. @param {number} size */
function nearest(size) {
  const distance = (/** @type {number} */ stop) => Math.abs(Math.log(stop / size));
  return SIZES.reduce((best, stop, place) => (distance(stop) < distance(SIZES[best] ?? 1) ? place : best), 0);
}

customElements.define("knob-panel", KnobPanel);
