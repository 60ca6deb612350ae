// Owns looking at the picture and the photograph: alone, under a divider or side by side, zoomed and moved as one.

import { h, tell } from "../dom.js";
import { Part } from "../part.js";
import { FIT, MOST_ENLARGED, fitScale, kept, moved, zoomed } from "../view.js";
import { PicturePane } from "./picture-pane.js";

/** @import { Size, View } from "../view.js" */
/** @import { Shown } from "./picture-pane.js" */
/** @typedef {"single" | "slider" | "side"} Mode */

const STEP = 1.25;

export class CompareView extends Part {
  #before = new PicturePane();
  #after = new PicturePane();
  /** @type {View} */ #view = FIT;
  /** @type {Mode} */ #mode = "single";
  /** @type {Size} */ #frame = { width: 4, height: 3 };
  /** @type {Map<number, {x: number, y: number}>} */ #fingers = new Map();
  #dragsDivider = false;
  #divider = h("input", {
    type: "range",
    class: "divider",
    min: "0",
    max: "100",
    step: "0.5",
    value: "50",
    "aria-label": "How much of the photograph is shown",
    oninput: () => this.#divide(),
  });

  draw() {
    this.#before.classList.add("before");
    this.#after.classList.add("after");
    const line = h("div", { class: "divider-line", "aria-hidden": "true" }, h("span"));
    this.append(
      this.#after,
      this.#before,
      line,
      this.#divider,
      h("span", { class: "tag tag-before", "aria-hidden": "true" }, "Photo"),
      h("span", { class: "tag tag-after", "aria-hidden": "true" }, "Painting"),
    );
    this.tabIndex = 0;
    this.setAttribute("role", "group");
    this.setAttribute("aria-roledescription", "picture viewer");
    this.setAttribute("aria-label", "Picture. Plus and minus zoom, arrows move, 0 fits.");
    this.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    this.addEventListener("pointerdown", (event) => this.#press(event));
    this.addEventListener("pointermove", (event) => this.#drag(event));
    for (const name of ["pointerup", "pointercancel"]) this.addEventListener(name, (event) => this.#release(/** @type {PointerEvent} */ (event)));
    this.addEventListener("dblclick", (event) => this.#toggle(event));
    this.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.#set(this.#view)).observe(this);
    this.mode = "single";
    this.#divide();
  }

  /** @returns {Mode} */
  get mode() {
    return this.#mode;
  }

  set mode(mode) {
    this.#mode = mode;
    this.dataset["mode"] = mode;
    this.#divider.disabled = mode !== "slider";
    requestAnimationFrame(() => this.#set(this.#view));
  }

  /** @param {Shown | null} before @param {Shown | null} after @param {{reset?: boolean}} [options] */
  show(before, after, { reset = false } = {}) {
    const shown = after ?? before;
    this.hidden = !shown;
    if (!shown) return;
    this.#frame = shown.frame;
    this.style.setProperty("--aspect", String(shown.frame.width / shown.frame.height));
    this.style.setProperty("--widest", `${shown.frame.width * MOST_ENLARGED}px`);
    void this.#before.show(before && after ? { ...before, frame: shown.frame } : null);
    void this.#after.show(shown);
    this.#set(reset ? FIT : this.#view);
  }

  /** @returns {View} */
  get view() {
    return this.#view;
  }

  /** The share of the picture's own size at which it is shown, 1 for 100 %. */
  get magnification() {
    return fitScale(this.#after.box, this.#frame) * this.#view.zoom * devicePixelRatio;
  }

  zoomIn() {
    this.#zoom(STEP);
  }

  zoomOut() {
    this.#zoom(1 / STEP);
  }

  /** Nearer or farther, about the middle or a point. @param {number} factor @param {{x: number, y: number}} [at] */
  #zoom(factor, at) {
    this.#set(zoomed(this.#view, this.#after.box, this.#frame, factor, at, devicePixelRatio));
  }

  fit() {
    this.#set(FIT);
  }

  /** One pixel of the picture for one of the screen. */
  actualSize() {
    this.#set({ ...this.#view, zoom: 1 / (fitScale(this.#after.box, this.#frame) * devicePixelRatio) });
  }

  /** @param {View} view */
  #set(view) {
    if (!this.#after.box.width) return;
    this.#view = kept(view, this.#after.box, this.#frame, devicePixelRatio);
    this.#before.view = this.#view;
    this.#after.view = this.#view;
    this.classList.toggle("zoomed", this.#view.zoom > 1.001);
    tell(this, "view", this.#view);
  }

  #divide() {
    this.style.setProperty("--divide", `${this.#divider.value}%`);
    this.#divider.setAttribute("aria-valuetext", `${Math.round(Number(this.#divider.value))} % photograph`);
  }

  /** A point of the page within the pane under it. @param {{clientX: number, clientY: number}} event */
  #point({ clientX, clientY }) {
    const after = this.#after.getBoundingClientRect();
    const before = this.#before.getBoundingClientRect();
    const inBefore = this.#mode === "side" && clientX >= before.left && clientX <= before.right && clientY >= before.top && clientY <= before.bottom;
    const box = inBefore ? before : after;
    return { x: clientX - box.left, y: clientY - box.top };
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    const out = event.deltaY > 0;
    // At its smallest the picture lets the page scroll on.
    if (out && this.#view.zoom <= 1 && !event.ctrlKey) return;
    event.preventDefault();
    const speed = event.ctrlKey ? 0.01 : 0.0015;
    this.#zoom(Math.exp(-event.deltaY * speed), this.#point(event));
  }

  /** @param {PointerEvent} event */
  #press(event) {
    if (event.button !== 0 || event.target === this.#divider) return;
    this.#fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    this.setPointerCapture(event.pointerId);
    if (this.#mode === "slider" && this.#fingers.size === 1) {
      const box = this.getBoundingClientRect();
      const line = box.left + (box.width * Number(this.#divider.value)) / 100;
      this.#dragsDivider = this.#view.zoom <= 1.001 || Math.abs(event.clientX - line) < 28;
      if (this.#dragsDivider) this.#divideAt(event.clientX);
    } else {
      this.#dragsDivider = false;
    }
  }

  /** @param {number} clientX */
  #divideAt(clientX) {
    const box = this.getBoundingClientRect();
    this.#divider.value = String(Math.min(100, Math.max(0, ((clientX - box.left) / box.width) * 100)));
    this.#divide();
  }

  /** @param {PointerEvent} event */
  #drag(event) {
    const last = this.#fingers.get(event.pointerId);
    if (!last) return;
    const now = { x: event.clientX, y: event.clientY };
    this.#fingers.set(event.pointerId, now);
    if (this.#dragsDivider) return this.#divideAt(event.clientX);
    const others = [...this.#fingers].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
    const other = others[0];
    let view = moved(this.#view, this.#after.box, this.#frame, (now.x - last.x) / this.#fingers.size, (now.y - last.y) / this.#fingers.size);
    if (other) {
      const factor = Math.hypot(now.x - other.x, now.y - other.y) / Math.max(1, Math.hypot(last.x - other.x, last.y - other.y));
      const middle = { clientX: (now.x + other.x) / 2, clientY: (now.y + other.y) / 2 };
      view = zoomed(view, this.#after.box, this.#frame, factor, this.#point(middle));
    }
    this.#set(view);
  }

  /** @param {PointerEvent} event */
  #release(event) {
    this.#fingers.delete(event.pointerId);
    this.#dragsDivider = false;
  }

  /** @param {MouseEvent} event */
  #toggle(event) {
    if (event.target === this.#divider) return;
    const actual = 1 / (fitScale(this.#after.box, this.#frame) * devicePixelRatio);
    const nearer = Math.max(2, actual) / this.#view.zoom;
    this.#set(this.#view.zoom > 1.001 ? FIT : zoomed(this.#view, this.#after.box, this.#frame, nearer, this.#point(event)));
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target === this.#divider && event.key.startsWith("Arrow")) return;
    const move = (/** @type {number} */ dx, /** @type {number} */ dy) => this.#set(moved(this.#view, this.#after.box, this.#frame, dx, dy));
    /** @type {Record<string, () => void>} */
    const acts = {
      "+": () => this.zoomIn(),
      "=": () => this.zoomIn(),
      "-": () => this.zoomOut(),
      0: () => this.fit(),
      1: () => this.actualSize(),
      ArrowLeft: () => move(60, 0),
      ArrowRight: () => move(-60, 0),
      ArrowUp: () => move(0, 60),
      ArrowDown: () => move(0, -60),
    };
    const act = acts[event.key];
    if (!act || (event.key.startsWith("Arrow") && this.#view.zoom <= 1.001)) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }
}

customElements.define("compare-view", CompareView);
