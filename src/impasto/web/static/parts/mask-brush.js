// Owns drawing a region over the photograph: a brush, an eraser, undo, by pointer or by keys, and what becomes a mask.

import { thumbnail } from "../api.js";
import { draft } from "../draft.js";
import { fill, h } from "../dom.js";
import { icon } from "../icons.js";
import { explain, say } from "../notices.js";
import { Part } from "../part.js";
import { completed, uploadMask } from "../regions.js";
import { pictureName } from "../format.js";

/** @import { Picture } from "../types.js" */
/** What is drawn: the region of a painting (its place), or where the photograph's shapes stay. @typedef {number | "shapes"} Target */

const LONGEST = 1024;
const UNDOS = 12;

export class MaskBrush extends Part {
  #photo = h("img", { class: "brush-photo", alt: "" });
  #canvas = h("canvas", { class: "brush-canvas", tabIndex: 0, role: "application", "aria-label": "Region. Arrows move the brush, space paints, E erases." });
  #cursor = h("div", { class: "brush-cursor", "aria-hidden": "true" });
  #targets = h("div", { class: "choices" });
  #background = h("div", { class: "row background" });
  #size = h("input", { type: "range", min: "2", max: "40", value: "12", "aria-label": "Brush size", oninput: () => this.#moveCursor() });
  #dialog = h("dialog", { class: "brush", "aria-labelledby": "brush-title" });
  #erases = h("button", { class: "icon-button", "aria-pressed": "false", "aria-label": "Erase", title: "Erase (E)", onclick: () => this.#erase() }, icon("erase"));
  /** @type {Target} */ #target = 0;
  /** @type {ImageData[]} */ #undo = [];
  #at = { x: 0.5, y: 0.5 };
  #down = false;
  #changed = false;
  /** What was drawn and is not used yet. @type {Map<Target, ImageData>} */ #edits = new Map();
  /** Whether the rest of the photo is left as it is; null while nobody chose. @type {boolean | null} */ #rest = null;

  draw() {
    const tool = (/** @type {import("../icons.js").IconName} */ name, /** @type {string} */ words, /** @type {() => void} */ act) =>
      h("button", { class: "icon-button", "aria-label": words, title: words, onclick: act }, icon(name));
    this.#dialog.append(
      h(
        "div",
        { class: "sheet" },
        h(
          "header",
          null,
          h("div", null, h("h2", { id: "brush-title" }, "Where each painting goes"), h("p", { class: "soft small-text" }, "Brush over a part of the photo. Without a region a painting covers all of it.")),
          tool("close", "Close", () => this.#dialog.close()),
        ),
        this.#targets,
        h("div", { class: "brush-area" }, this.#photo, this.#canvas, this.#cursor),
        h("div", { class: "row wrap" }, h("label", { class: "row brush-size" }, h("span", { class: "small-text" }, "Brush"), this.#size), this.#erases, tool("undo", "Undo", () => this.#back()), tool("swap", "Turn inside out", () => this.#invert()), tool("trash", "Clear", () => this.#clear())),
        this.#background,
        h("footer", null, h("button", { class: "button", onclick: () => this.#dialog.close() }, "Leave as it was"), h("button", { class: "button main", onclick: () => this.#done() }, "Use this region")),
      ),
    );
    this.append(this.#dialog);
    this.#canvas.addEventListener("pointerdown", (event) => this.#press(event));
    this.#canvas.addEventListener("pointermove", (event) => this.#drag(event));
    for (const name of ["pointerup", "pointercancel"]) this.#canvas.addEventListener(name, () => (this.#down = false));
    this.#canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  open() {
    if (!draft.content) return;
    const { content } = draft;
    const scale = Math.min(1, LONGEST / Math.max(content.width, content.height));
    this.#canvas.width = Math.max(1, Math.round(content.width * scale));
    this.#canvas.height = Math.max(1, Math.round(content.height * scale));
    this.#photo.src = thumbnail(content, 1280);
    this.style.setProperty("--aspect", String(content.width / content.height));
    this.#edits.clear();
    this.#changed = false;
    this.#rest = null;
    this.#dialog.showModal();
    void this.#aim(0);
    this.#moveCursor();
  }

  get #context() {
    return /** @type {CanvasRenderingContext2D} */ (this.#canvas.getContext("2d", { willReadFrequently: true }));
  }

  /** Chooses what is drawn. @param {Target} target */
  async #aim(target) {
    this.#hold();
    this.#target = target;
    this.#undo = [];
    const names = draft.styles.map((style) => pictureName(style.picture).replace(/, \d.*$/, ""));
    const button = (/** @type {Target} */ one, /** @type {string} */ words) =>
      h("button", { "aria-pressed": String(one === target), onclick: () => this.#aim(one) }, words);
    fill(this.#targets, names.map((name, index) => button(index, name)), button("shapes", "Keep shapes here"));
    this.#showBackground();
    this.#context.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    const mask = target === "shapes" ? draft.shapes : (draft.styles[target]?.mask ?? null);
    const edited = this.#edits.get(target);
    if (edited) this.#context.putImageData(edited, 0, 0);
    else if (mask) await this.#load(mask, target);
  }

  /** Keeps what is drawn, until it is used or left. */
  #hold() {
    if (this.#changed) this.#edits.set(this.#target, this.#context.getImageData(0, 0, this.#canvas.width, this.#canvas.height));
    this.#changed = false;
  }

  #showBackground() {
    const several = draft.styles.length > 1;
    const keep = h("input", { type: "checkbox", role: "switch", class: "switch", id: "keep-background", checked: this.#keepsRest });
    keep.addEventListener("change", () => (this.#rest = keep.checked));
    fill(this.#background, !several && this.#target !== "shapes" && [h("label", { for: "keep-background" }, "Leave the rest of the photo as it is"), keep]);
  }

  /** What the switch shows, and what will be done: the first region of a single painting leaves the rest. */
  get #keepsRest() {
    if (this.#rest !== null) return this.#rest;
    const first = draft.styles.length === 1 && !draft.styles[0]?.mask && !("background" in draft.settings);
    return first || draft.value("background") === "keep";
  }

  /** Draws a mask that was kept: its white becomes paint. @param {Picture} mask @param {Target} target */
  async #load(mask, target) {
    const image = h("img", { src: mask.url });
    const read = await image.decode().then(
      () => true,
      () => false,
    );
    // Meanwhile another may have been chosen, or the brush begun.
    if (!read || target !== this.#target || this.#changed) return;
    const { width, height } = this.#canvas;
    this.#context.drawImage(image, 0, 0, width, height);
    const data = this.#context.getImageData(0, 0, width, height);
    for (let at = 0; at < data.data.length; at += 4) data.data.set([255, 255, 255, data.data[at] ?? 0], at);
    this.#context.putImageData(data, 0, 0);
  }

  /** @param {PointerEvent} event */
  #press(event) {
    this.#canvas.setPointerCapture(event.pointerId);
    this.#remember();
    this.#down = true;
    this.#move(event);
    this.#stroke(this.#at, this.#at);
  }

  /** @param {PointerEvent} event */
  #drag(event) {
    const before = this.#at;
    this.#move(event);
    if (this.#down) this.#stroke(before, this.#at);
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const box = this.#canvas.getBoundingClientRect();
    this.#at = { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
    this.#moveCursor();
  }

  #moveCursor() {
    const { width, height } = this.#canvas.getBoundingClientRect();
    const side = (Number(this.#size.value) / 100) * Math.max(width, height);
    this.#size.style.setProperty("--filled", `${((Number(this.#size.value) - 2) / 38) * 100}%`);
    this.#cursor.style.inlineSize = `${side}px`;
    this.#cursor.style.blockSize = `${side}px`;
    this.#cursor.style.transform = `translate(${this.#at.x * width - side / 2}px, ${this.#at.y * height - side / 2}px)`;
  }

  /** @param {{x: number, y: number}} from @param {{x: number, y: number}} to */
  #stroke(from, to) {
    const { width, height } = this.#canvas;
    const context = this.#context;
    context.globalCompositeOperation = this.#erasing ? "destination-out" : "source-over";
    context.strokeStyle = "#fff";
    context.lineCap = "round";
    context.lineWidth = (Number(this.#size.value) / 100) * Math.max(width, height);
    context.beginPath();
    context.moveTo(from.x * width, from.y * height);
    context.lineTo(to.x * width + 0.01, to.y * height);
    context.stroke();
    this.#changed = true;
  }

  get #erasing() {
    return this.#erases.getAttribute("aria-pressed") === "true";
  }

  #erase() {
    this.#erases.setAttribute("aria-pressed", String(!this.#erasing));
  }

  #remember() {
    this.#undo.push(this.#context.getImageData(0, 0, this.#canvas.width, this.#canvas.height));
    if (this.#undo.length > UNDOS) this.#undo.shift();
  }

  #back() {
    const last = this.#undo.pop();
    if (!last) return;
    this.#context.putImageData(last, 0, 0);
    this.#changed = true;
  }

  #clear() {
    this.#remember();
    this.#context.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    this.#changed = true;
  }

  #invert() {
    this.#remember();
    this.#context.globalCompositeOperation = "xor";
    this.#context.fillStyle = "#fff";
    this.#context.fillRect(0, 0, this.#canvas.width, this.#canvas.height);
    this.#changed = true;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const step = event.shiftKey ? 0.1 : 0.03;
    /** @type {Record<string, [number, number]>} */
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    const move = moves[event.key];
    if (move) {
      this.#at = { x: Math.min(1, Math.max(0, this.#at.x + move[0])), y: Math.min(1, Math.max(0, this.#at.y + move[1])) };
      this.#moveCursor();
    } else if (event.key === " ") {
      this.#remember();
      this.#stroke(this.#at, this.#at);
      say(this.#erasing ? "Erased" : "Painted");
    } else if (event.key.toLowerCase() === "e") this.#erase();
    else if (event.key.toLowerCase() === "z") this.#back();
    else return;
    event.preventDefault();
  }

  /** Makes what is drawn the draft's masks, all at once; if one cannot be kept, nothing is changed and nothing is lost. */
  async #done() {
    this.#hold();
    this.#dialog.inert = true;
    try {
      /** @type {Map<Target, Picture | null>} */ const masks = new Map();
      for (const [target, drawn] of this.#edits) masks.set(target, await kept(drawn, nameFor(target)));
      const styles = await completed(draft.styles.map((style, index) => (masks.has(index) ? { ...style, mask: masks.get(index) ?? null, rest: "" } : style)));
      if (styles.length === 1 && (masks.get(0) || this.#rest !== null)) draft.set("background", this.#keepsRest ? "keep" : "paint");
      draft.change({ styles, ...(masks.has("shapes") ? { shapes: masks.get("shapes") ?? null } : {}) });
      this.#dialog.close();
    } catch (error) {
      explain(error);
    } finally {
      this.#dialog.inert = false;
    }
  }
}

/** What a mask's file is called. @param {Target} target */
function nameFor(target) {
  return target === "shapes" ? "shapes.png" : `region-${target + 1}.png`;
}

/** The mask of what was drawn; null if that is nothing. @param {ImageData} drawn @param {string} name @returns {Promise<Picture | null>} */
async function kept(drawn, name) {
  const { width, height, data } = drawn;
  if (!data.some((value, at) => at % 4 === 3 && value > 0)) return null;
  const paint = new OffscreenCanvas(width, height);
  /** @type {OffscreenCanvasRenderingContext2D} */ (paint.getContext("2d")).putImageData(drawn, 0, 0);
  const flat = new OffscreenCanvas(width, height);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (flat.getContext("2d"));
  context.fillRect(0, 0, width, height);
  context.drawImage(paint, 0, 0);
  return uploadMask(flat, name);
}

customElements.define("mask-brush", MaskBrush);
