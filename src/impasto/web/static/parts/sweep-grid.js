// Owns trying several values: choosing one or two settings, and the labelled grid from which one is taken.

import { api, thumbnail } from "../api.js";
import { useSettings } from "../actions.js";
import { draft } from "../draft.js";
import { fill, freshId, h } from "../dom.js";
import { icon } from "../icons.js";
import { explain, say } from "../notices.js";
import { Part } from "../part.js";
import { go, store } from "../store.js";
import { choiceText, jobName, nameOf, plural } from "../format.js";
import { mayPaint } from "./paint-bar.js";
import { readFigure } from "./setting-field.js";

/** @import { Axis, Job, Setting, Sweep } from "../types.js" */

const MOST = 36;
/** Values worth a first try. @type {Record<string, string>} */
const FIRST = { strength: "0.25, 0.5, 0.75", style_scale: "0.5, 1, 2", style_loss: "gram statistics, cross gram, wasserstein", keep_color: "none, luminance, covariance, histogram", size: "256, 384, 512", detail: "0, 0.5, 1" };

class SweepDialog extends Part {
  #dialog = h("dialog", { "aria-labelledby": "vary-title" });
  #fields = h("div", { class: "axes" });
  #count = h("p", { class: "soft small-text", "aria-live": "polite" });
  #button = h("button", { class: "button main", onclick: () => this.#paint() }, icon("grid"), "Paint them");
  #axes = [
    { setting: "strength", values: FIRST["strength"] ?? "" },
    { setting: "", values: "" },
  ];

  draw() {
    this.#dialog.append(
      h(
        "div",
        { class: "sheet" },
        h(
          "header",
          null,
          h("div", null, h("h2", { id: "vary-title" }, "Try variations"), h("p", { class: "soft small-text" }, "Several values of one or two settings, side by side. Take the one you like.")),
          h("button", { class: "icon-button", "aria-label": "Close", onclick: () => this.#dialog.close() }, icon("close")),
        ),
        this.#fields,
        this.#count,
        h("footer", null, h("button", { class: "button", onclick: () => this.#dialog.close() }, "Not now"), this.#button),
      ),
    );
    this.append(this.#dialog);
  }

  open() {
    this.#show();
    this.#dialog.showModal();
  }

  #show() {
    const able = store.settings.filter(({ type }) => type !== "layers" && type !== "shares");
    fill(
      this.#fields,
      this.#axes.map((axis, index) => {
        const [select, values] = [freshId("axis"), freshId("values")];
        const choose = h("select", { id: select }, index > 0 && h("option", { value: "" }, "nothing else"), able.map(({ name }) => h("option", { value: name }, nameOf(name))));
        choose.value = axis.setting;
        const problem = h("p", { class: "bad small-text axis-problem", id: `${values}-problem`, role: "alert" });
        const input = h("input", { type: "text", id: values, value: axis.values, disabled: !axis.setting, autocomplete: "off", "aria-describedby": problem.id });
        const check = () => {
          const wrong = axis.setting ? parsed(axis.setting, axis.values).wrong : "";
          problem.textContent = wrong;
          input.setAttribute("aria-invalid", String(Boolean(wrong)));
          this.#showCount();
        };
        choose.addEventListener("change", () => {
          axis.setting = choose.value;
          axis.values = FIRST[choose.value] ?? firstValues(able.find(({ name }) => name === choose.value));
          input.value = axis.values;
          input.disabled = !axis.setting;
          check();
        });
        input.addEventListener("input", () => {
          axis.values = input.value;
          check();
        });
        return h("div", { class: "axis-row" }, h("div", null, h("label", { for: select }, index ? "And" : "Setting"), choose), h("div", null, h("label", { for: values }, "Values"), input, problem));
      }),
    );
    this.#showCount();
  }

  /** @returns {(Axis & {wrong: string})[]} */
  get #wanted() {
    return this.#axes.filter(({ setting }) => setting).map(({ setting, values }) => ({ setting, ...parsed(setting, values) }));
  }

  #showCount() {
    const cells = this.#wanted.reduce((count, { values }) => count * values.length, 1);
    const twice = new Set(this.#wanted.map(({ setting }) => setting)).size < this.#wanted.length;
    const wrong = this.#wanted.some((axis) => axis.wrong);
    this.#button.disabled = cells < 1 || cells > MOST || twice || wrong;
    this.#count.textContent = wrong ? "" : twice ? "Choose two different settings." : cells > MOST ? `${cells} pictures; at most ${MOST}.` : plural(cells, "picture");
  }

  async #paint() {
    const request = draft.request();
    if (!request) return;
    if (draft.wrong.size) {
      this.#dialog.close();
      return void mayPaint(/** @type {Element} */ (document.querySelector("paint-bar")));
    }
    this.#button.disabled = true;
    try {
      const sweep = await api.sweep({ ...request, axes: this.#wanted.map(({ setting, values }) => ({ setting, values })) });
      for (const job of sweep.jobs.flat()) store.keep(job);
      this.#dialog.close();
      go(`#/sweep/${sweep.id}`);
    } catch (error) {
      explain(error);
    } finally {
      this.#button.disabled = false;
    }
  }
}

/**
 * The values of an axis, and what is wrong with the first that cannot be used.
 *
 * @param {string} name @param {string} text @returns {{values: any[], wrong: string}}
 */
function parsed(name, text) {
  const setting = store.settings.find((one) => one.name === name);
  const parts = text.split(/[,;]/).map((part) => part.trim()).filter(Boolean);
  if (!setting || !parts.length) return { values: [], wrong: "Write at least one value." };
  const read = parts.map((part) => readValue(setting, part));
  const bad = read.findIndex(({ wrong }) => wrong);
  if (bad >= 0) return { values: [], wrong: `“${parts[bad]}”: ${read[bad]?.wrong}` };
  const values = read.map(({ value }) => value);
  const twice = parts.find((_, index) => values.indexOf(values[index]) < index);
  return twice === undefined ? { values, wrong: "" } : { values: [], wrong: `“${twice}” appears twice.` };
}

/** @param {Setting} setting @param {string} text @returns {{value?: any, wrong?: string}} */
function readValue(setting, text) {
  if (setting.type === "integer" || setting.type === "number") return readFigure(setting, text);
  const words = setting.choices.length ? setting.choices : setting.open_ended ? [] : setting.words;
  const word = words.find((one) => one === text || choiceText(one) === text);
  if (!words.length || word) return { value: word ?? text };
  return { wrong: `One of ${words.map(choiceText).join(", ")}.` };
}

/** @param {Setting | undefined} setting */
function firstValues(setting) {
  if (!setting) return "";
  if (setting.choices.length || setting.words.length) return (setting.choices.length ? setting.choices : setting.words).map(choiceText).join(", ");
  const middle = Number(setting.default);
  return [middle / 2, middle, middle * 2].filter((value) => value >= (setting.low ?? -Infinity) && value <= (setting.high ?? Infinity)).map((value) => (setting.type === "integer" ? Math.round(value) : value)).join(", ");
}

class SweepGrid extends Part {
  #head = h("div", { class: "view-head row apart wrap" });
  #table = h("table", { class: "sweep" });
  /** @type {Sweep | null} */ #sweep = null;
  #ended = false;

  draw() {
    this.append(this.#head, h("div", { class: "sweep-scroll", tabIndex: 0, role: "region", "aria-label": "Variations" }, this.#table));
  }

  listen() {
    this.watch("route", () => this.#open());
    this.watch(["job", "progress"], (job) => job?.sweep && job.sweep.id === this.#sweep?.id && this.#showCell(job));
    void this.#open();
  }

  async #open() {
    const { view, id } = store.route;
    if (view !== "sweep" || !id) return;
    try {
      this.#sweep = await api.sweepById(id);
      for (const job of this.#sweep.jobs.flat()) store.keep(job);
      this.#show(this.#sweep);
    } catch (error) {
      explain(error);
      go("#/gallery");
    }
  }

  /** @param {Sweep} sweep */
  #show({ axes, jobs, sheet }) {
    // One axis alone goes across; of two, the first goes down.
    const across = axes.at(-1);
    const down = axes.length > 1 ? axes[0] : undefined;
    const label = (/** @type {Axis | undefined} */ axis, /** @type {number} */ index) => (axis ? `${nameOf(axis.setting)} ${choiceText(axis.values[index])}` : "");
    fill(
      this.#head,
      h("div", null, h("h1", null, `Variations of ${axes.map(({ setting }) => nameOf(setting).toLowerCase()).join(" and ")}`), h("p", { class: "soft small-text" }, "Choose a picture to look at it or to use its settings.")),
      h("div", { class: "row wrap" }, jobs.flat().some((job) => job.actions.includes("cancel")) && h("button", { class: "button small", onclick: () => this.#cancel() }, icon("close"), "Cancel the rest"), sheet && h("a", { class: "button small", href: sheet.url, download: "" }, icon("download"), "Labelled sheet"), h("a", { class: "button small", href: "#/" }, "Back to painting")),
    );
    // By their places, for a picture may have been deleted.
    const at = new Map(jobs.flat().map((job) => [`${job.sweep?.row} ${job.sweep?.column}`, job]));
    const cells = (down?.values ?? [null]).map((_, y) =>
      h("tr", null, down && h("th", { scope: "row" }, label(down, y)), (across?.values ?? []).map((_, x) => h("td", { "data-job": at.get(`${y} ${x}`)?.id ?? "" }))),
    );
    fill(this.#table, h("caption", { class: "unseen" }, "Variations"), across && h("thead", null, h("tr", null, down && h("td", null), across.values.map((_, x) => h("th", { scope: "col" }, label(across, x))))), h("tbody", null, cells));
    for (const job of jobs.flat()) this.#showCell(job);
  }

  async #cancel() {
    if (!this.#sweep) return;
    try {
      await api.cancelSweep(this.#sweep.id);
      await this.#open();
      say("The remaining pictures are cancelled; finished ones stay");
    } catch (error) {
      explain(error);
    }
  }

  /** @param {Job} job */
  #showCell(job) {
    const cell = this.#table.querySelector(`[data-job="${CSS.escape(job.id)}"]`);
    if (!cell) return;
    const picture = job.result ? thumbnail(job.result, 320) : (job.preview?.url ?? thumbnail(job.content, 320));
    const label = labelOf(job);
    const state = { queued: "waiting", running: "painting", failed: "not painted", canceled: "cancelled", succeeded: "" }[job.state];
    const kept = cell.querySelector("img");
    if (kept && /** @type {HTMLElement} */ (cell).dataset["state"] === job.state) {
      if (kept.getAttribute("src") !== picture) kept.src = picture;
    } else {
      fill(
        cell,
        h("a", { href: `#/job/${encodeURIComponent(job.id)}`, class: `cell ${job.state}`, title: label }, h("img", { src: picture, alt: `${label} ${state}` })),
        state && h("span", { class: "cell-state small-text" }, state),
        job.result && h("button", { class: "button small", "aria-label": `Use ${label}`, onclick: () => (useSettings(job), go("#/")) }, "Use"),
      );
      /** @type {HTMLElement} */ (cell).dataset["state"] = job.state;
    }
    const all = this.#sweep?.jobs.flat() ?? [];
    const ended = all.every(({ id }) => store.jobs.get(id)?.finished);
    // Once all are, there may be a sheet, and nothing is left to cancel.
    if (ended && !this.#ended && !this.#sweep?.sheet) void this.#open();
    this.#ended = ended;
  }
}

/** What is particular to one of several variations. @param {Job} job */
function labelOf(job) {
  const values = Object.entries(job.sweep?.values ?? {});
  return values.map(([setting, value]) => `${nameOf(setting)} ${choiceText(value)}`).join(", ") || jobName(job);
}

customElements.define("sweep-dialog", SweepDialog);
customElements.define("sweep-grid", SweepGrid);
