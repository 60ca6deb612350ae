// Owns the middle of the page: the photograph, the picture while it is painted, or the finished one, with the tools to look.

import { thumbnail } from "../api.js";
import { draft } from "../draft.js";
import { h } from "../dom.js";
import { icon } from "../icons.js";
import { canDraft, draftOf } from "../instant.js";
import { shortcut } from "../keys.js";
import { say } from "../notices.js";
import { Part } from "../part.js";
import { store } from "../store.js";
import { jobName, pictureName } from "../format.js";
import { CompareView } from "./compare-view.js";

/** @import { Job, Picture } from "../types.js" */
/** @import { Mode } from "./compare-view.js" */
/** @import { Shown } from "./picture-pane.js" */

/** Pictures up to this are shown whole; larger ones by a thumbnail under tiles. */
const WHOLE = 2560;
/** How long the knobs must rest before a draft of them is made. */
const REST = 300;
/** The long sides of an instant draft and of a preview, at most. */
const [SKETCHED, PREVIEWED] = [640, 512];
/** Formats that every browser draws. */
const DRAWN = new Set(["JPEG", "PNG", "WEBP", "GIF"]);
/** @type {{mode: Mode, name: string, icon: import("../icons.js").IconName}[]} */
const MODES = [
  { mode: "single", name: "Picture", icon: "single" },
  { mode: "slider", name: "Before and after", icon: "compare" },
  { mode: "side", name: "Side by side", icon: "side" },
];

class PictureStage extends Part {
  #view = new CompareView();
  #percent = h("button", { class: "percent small-text figures", title: "Actual size (1)", onclick: () => this.#view.actualSize() });
  #modes = MODES.map(({ mode, name, icon: look }) =>
    h("button", { class: "icon-button", "aria-label": name, title: name, "aria-pressed": "false", onclick: () => this.#setMode(mode) }, icon(look)),
  );
  #modeGroup = h("div", { class: "row tight", role: "group", "aria-label": "Compare" }, this.#modes);
  #masks = h("button", { class: "button small", onclick: () => /** @type {any} */ (document.querySelector("mask-brush"))?.open() }, icon("mask"), "Regions");
  #inset = h("img", { class: "inset", alt: "" });
  #look = h("button", { class: "button small", "aria-pressed": "false", title: "Show roughly what will be painted (I)", onclick: () => this.#turnLook() }, icon("bolt"), "Draft");
  #tag = h("p", { class: "tag draft-tag", role: "status" });
  #looking = false;
  #timer = 0;
  /** @type {string | null} */ #id = null;

  draw() {
    const tool = (/** @type {import("../icons.js").IconName} */ name, /** @type {string} */ words, /** @type {() => void} */ act) =>
      h("button", { class: "icon-button", "aria-label": words, title: words, onclick: act }, icon(name));
    this.append(
      h("div", { class: "frame" }, this.#view, this.#inset),
      document.createElement("style-strip"),
      h(
        "div",
        { class: "tools", role: "toolbar", "aria-label": "Look" },
        this.#modeGroup,
        this.#look,
        this.#masks,
        h("span", { class: "grow" }),
        h("div", { class: "row tight", role: "group", "aria-label": "Zoom" }, tool("zoom", "Nearer (+)", () => this.#view.zoomIn()), this.#percent, tool("fit", "Fit (0)", () => this.#view.fit())),
      ),
    );
    this.#view.append(this.#tag);
    this.#view.addEventListener("view", () => (this.#percent.textContent = `${Math.round(this.#view.magnification * 100)} %`));
    shortcut("Picture", ["c"], "Picture, before and after, side by side", () => this.#turnMode());
    shortcut("Picture", ["+", "="], "Nearer", () => this.#view.zoomIn());
    shortcut("Picture", ["-"], "Farther", () => this.#view.zoomOut());
    shortcut("Picture", ["0"], "Fit the whole picture", () => this.#view.fit());
    shortcut("Picture", ["1"], "Actual size", () => this.#view.actualSize());
    shortcut("Picture", ["← ↑ → ↓"], "Move the picture, or the divider");
    shortcut("Picture", ["i"], "Instant draft of what will be painted", () => !this.#look.hidden && this.#turnLook());
    shortcut("Picture", ["r"], "Draw regions", () => this.#masks.click());
    this.#setMode("single");
  }

  listen() {
    this.watch(["route", "jobs", "ready", "instant"], () => this.#show());
    this.watch("draft", () => {
      clearTimeout(this.#timer);
      this.#timer = window.setTimeout(() => this.#show(), this.#looking ? REST : 0);
    });
    this.watch(["job", "progress"], (job) => job?.id === store.route.id && this.#show());
    this.#show();
  }

  /** @param {Mode} mode */
  #setMode(mode) {
    this.#view.mode = mode;
    this.#modes.forEach((button, index) => button.setAttribute("aria-pressed", String(MODES[index]?.mode === mode)));
  }

  #turnMode() {
    if (this.#modeGroup.hidden) return;
    const next = MODES[(MODES.findIndex(({ mode }) => mode === this.#view.mode) + 1) % MODES.length];
    if (!next) return;
    this.#setMode(next.mode);
    say(next.name);
  }

  /** Shows a draft of what is on the knobs, where one can be made. */
  look() {
    if (!this.#looking && !this.#look.hidden) this.#turnLook();
  }

  #turnLook() {
    this.#looking = !this.#looking;
    this.#look.setAttribute("aria-pressed", String(this.#looking));
    this.#show();
  }

  /** Says on the canvas that it shows a draft, and what comes of it. @param {Job | null} job @param {boolean} sketched */
  #tell(job, sketched) {
    const begun = job?.preview && job.progress ? `the painting is at ${Math.max(...job.progress.size)} of ${longest(finalSize(job))} px` : "the painting will replace it";
    const words = !sketched ? "" : job ? `Instant draft · ${begun}` : "Instant draft · press Paint for the full painting";
    if (this.#tag.textContent !== words) this.#tag.textContent = words;
    this.#tag.hidden = !words;
  }

  #show() {
    const job = store.current;
    const photo = job ? job.content : draft.content;
    if (!photo) return;
    const painted = job ? afterOf(job) : null;
    const sketched = (job && isAsSharp(job)) || (!job && !this.#looking) ? null : sketchOf(job);
    const after = sketched ?? painted;
    this.#look.hidden = Boolean(job) || !canDraft();
    this.#tell(job, Boolean(sketched));
    const fresh = (job?.id ?? photo.ref) !== this.#id;
    this.#id = job?.id ?? photo.ref;
    this.#modeGroup.hidden = !after;
    this.#masks.hidden = Boolean(job && job.id !== draft.job) || Boolean(job?.result);
    if (!after || fresh) this.#setMode(after ? this.#view.mode : "single");
    this.#view.show(shownOf(photo, `The photo: ${pictureName(photo)}`), after, { reset: fresh });
    const first = job ? job.styles[0] : draft.styles[0]?.picture;
    // Beside a draft the painting is seen as it comes.
    const begun = sketched && job?.preview ? job.preview.url : null;
    this.#inset.hidden = !begun && (!first || Boolean(after));
    if (begun) this.#inset.src = begun;
    else if (first) this.#inset.src = thumbnail(first, 320);
  }
}

/**
 * What the fast engine makes of a job that waits or begins, or of what is on the knobs; null while it is made.
 *
 * @param {Job | null} job @returns {Shown | null}
 */
function sketchOf(job) {
  if (job && job.state !== "queued" && job.state !== "running") return null;
  const content = job ? job.content : draft.content;
  const styles = job ? job.styles.map((picture) => ({ picture, weight: picture.weight ?? 1 })) : draft.styles;
  const strength = job ? job.settings["strength"] : draft.value("strength");
  const url = content && draftOf({ content, styles, strength: asFast(strength) });
  return url && content ? { url, alt: "An instant draft; the painting will be finer", frame: finalSize(job) } : null;
}

/** Whether a job's picture shows as much as its draft: so long, the draft stays. @param {Job} job */
function isAsSharp(job) {
  if (job.result) return true;
  if (!job.preview || !job.progress) return false;
  return Math.min(PREVIEWED, Math.max(...job.progress.size)) >= Math.min(SKETCHED, PREVIEWED, longest(finalSize(job)));
}

/** How large the picture of a job, or of what is on the knobs, will be. @param {Job | null} job @returns {import("../view.js").Size} */
function finalSize(job) {
  const { width, height } = /** @type {Picture} */ (job ? job.content : draft.content);
  const scale = (job ? job.settings["size"] : draft.value("size")) / Math.max(width, height);
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

/** @param {import("../view.js").Size} size */
function longest({ width, height }) {
  return Math.max(width, height);
}

/** The fast engine's strength: its models were trained for what is 0.5 here. @param {number} strength */
function asFast(strength) {
  return Math.min(1, Math.round((strength / 0.5) * 20) / 20);
}

/** @param {Job} job @returns {Shown | null} */
function afterOf(job) {
  if (job.result) return shownOf(job.result, `The picture: ${jobName(job)}`, "PNG");
  if (!job.preview) return null;
  return { url: job.preview.url, alt: `The picture so far: ${jobName(job)}`, frame: finalSize(job) };
}

/** @param {Picture} picture @param {string} alt @param {string} [format] @returns {Shown} */
function shownOf(picture, alt, format = picture.format ?? "") {
  const { width, height, tiles = null } = picture;
  const long = Math.max(width, height);
  const whole = long <= WHOLE && DRAWN.has(format.toUpperCase());
  const size = { width, height };
  if (whole) return { url: picture.url, alt, frame: size };
  return { url: thumbnail(picture, 2560), alt, frame: size, size, tiles: long > WHOLE ? tiles : null, longest: WHOLE };
}

customElements.define("picture-stage", PictureStage);
