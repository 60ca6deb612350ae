// Owns one setting as a field, drawn from the server's own definition of it: its kind, range, unit and meaning.

import { draft, same } from "../draft.js";
import { h, freshId } from "../dom.js";
import { icon } from "../icons.js";
import { choiceText, nameOf, number, valueText } from "../format.js";

/** @import { Setting } from "../types.js" */
/** @typedef {{element: HTMLElement, show: () => void}} Field */

/**
 * A field that follows the draft and changes it.
 *
 * @param {Setting} setting
 * @returns {Field}
 */
export function settingField(setting) {
  const id = freshId(setting.name);
  const { input, read, write } = inputFor(setting);
  /** What the field showed when it was last right; another value of the draft replaces what is wrong in it. @type {any} */ let shown;
  const problem = h("p", { class: "small-text bad", id: `${id}-problem`, hidden: true });
  const back = h(
    "button",
    { class: "icon-button small", title: "Reset to the default", "aria-label": `${nameOf(setting.name)}: reset to the default`, onclick: () => ((shown = undefined), draft.set(setting.name, undefined)) },
    icon("undo"),
  );
  input.id = id;
  input.setAttribute("aria-describedby", `${id}-meaning ${id}-problem`);
  input.addEventListener("change", () => {
    const { value, wrong } = read();
    if (wrong) draft.refuse(setting.name, wrong);
    else draft.set(setting.name, value);
  });
  const range = setting.type === "choice" || !setting.range ? "" : `${setting.range}${setting.unit ? ` ${setting.unit}` : ""}`;
  const element = h(
    "div",
    { class: "field", "data-setting": setting.name },
    h("div", { class: "row apart" }, h("label", { for: id }, nameOf(setting.name)), setting.live && h("span", { class: "live-tag" }, "live")),
    h("div", { class: "row" }, input, back),
    h("p", { class: "soft small-text", id: `${id}-meaning` }, setting.meaning, range && h("span", { class: "figures" }, ` (${range})`)),
    problem,
  );
  const show = () => {
    const value = draft.value(setting.name);
    if (shown !== undefined && !same(value, shown)) draft.wrong.delete(setting.name);
    shown = value;
    const wrong = draft.wrong.get(setting.name);
    if (!wrong) write(value);
    input.setAttribute("aria-invalid", String(Boolean(wrong)));
    problem.hidden = !wrong;
    problem.textContent = wrong ?? "";
    const own = setting.name in draft.settings || Boolean(wrong);
    back.classList.toggle("unseen-place", !own);
    back.disabled = !own;
    element.classList.toggle("own", own);
  };
  return { element, show };
}

/** @typedef {{input: HTMLInputElement | HTMLSelectElement, read: () => {value?: any, wrong?: string | undefined}, write: (value: any) => void}} Input */

/** @param {Setting} setting @returns {Input} */
function inputFor(setting) {
  if (setting.type === "choice") return choice(setting.choices);
  if (setting.type === "text" && setting.words.length && (setting.name === "init" || !setting.open_ended)) return choice(setting.words);
  if (setting.type === "integer" || setting.type === "number") return figure(setting);
  const input = h("input", { type: "text", spellcheck: false, autocomplete: "off" });
  const read = setting.type === "layers" ? layers : setting.type === "shares" ? shares : text;
  return { input, read: () => read(input.value.trim()), write: (value) => (input.value = setting.type === "shares" && !value.length ? "" : valueText(value)) };
}

/** @param {string[]} words @returns {Input} */
function choice(words) {
  const input = h("select", null, words.map((word) => h("option", { value: word }, choiceText(word))));
  return { input, read: () => ({ value: input.value }), write: (value) => (input.value = value) };
}

/** @param {Setting} setting @returns {Input} */
function figure(setting) {
  const input = h("input", { type: "text", inputMode: setting.type === "integer" ? "numeric" : "decimal", autocomplete: "off" });
  const read = () => readFigure(setting, input.value.replace(",", "."));
  return { input, read, write: (value) => (input.value = Number.isInteger(value) ? String(value) : number(value)) };
}

/**
 * A number that a setting may have, or what is wrong with the text.
 *
 * @param {Setting} setting @param {string} text @returns {{value?: number, wrong?: string}}
 */
export function readFigure({ type, low, high, range, unit }, text) {
  const value = Number(text.trim());
  const whole = type !== "integer" || Number.isInteger(value);
  const inside = (low === null || value >= low) && (high === null || value <= high);
  if (text.trim() !== "" && Number.isFinite(value) && whole && inside) return { value };
  return { wrong: `${type === "integer" ? "A whole number" : "A number"}, ${range}${unit ? ` ${unit}` : ""}.` };
}

/** @param {string} words */
function layers(words) {
  /** @type {Record<string, number>} */ const weights = {};
  for (const part of words.split(",")) {
    const [name = "", weight = "1"] = part.split("=").map((side) => side.trim());
    if (!name || !Number.isFinite(Number(weight)) || Number(weight) < 0) return { wrong: "Write layers like relu1_1=1, relu2_1=0.5." };
    weights[name] = Number(weight);
  }
  return { value: weights };
}

/** @param {string} words */
function shares(words) {
  const values = words ? words.split(",").map(Number) : [];
  return values.every((value) => Number.isFinite(value) && value >= 0) ? { value: values } : { wrong: "Write shares like 0.7, 0.3." };
}

/** @param {string} words */
function text(words) {
  return words ? { value: words } : { wrong: "It must not be empty." };
}

