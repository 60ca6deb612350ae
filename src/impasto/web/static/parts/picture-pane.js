// Owns one picture in its box: placed by a view, faded over when a better one comes, tiled when it is a giant.

import { h } from "../dom.js";
import { Part } from "../part.js";
import { FIT, placeOf, visibleTiles } from "../view.js";

/** @import { Tiles } from "../types.js" */
/** @import { Size, View } from "../view.js" */
/**
 * `frame` is the shape it is shown in, the same for two that are compared; `size` is the picture's own, which its tiles
 * cover; `url` gives `longest` pixels of its long side.
 * @typedef {{url: string, alt: string, frame: Size, size?: Size, tiles?: Tiles | null, longest?: number}} Shown
 */

export class PicturePane extends Part {
  /** @type {View} */ #view = FIT;
  /** @type {Shown | null} */ #shown = null;
  /** @type {HTMLImageElement | null} */ #image = null;
  /** @type {Map<string, HTMLImageElement>} */ #tiles = new Map();
  #layer = h("div", { class: "tiles", "aria-hidden": "true" });

  draw() {
    this.append(this.#layer);
    new ResizeObserver(() => this.#place()).observe(this);
  }

  /** @param {View} view */
  set view(view) {
    this.#view = view;
    this.#place();
  }

  /** @returns {Size} */
  get box() {
    return { width: this.clientWidth, height: this.clientHeight };
  }

  /** Shows a picture; the one before stays until it is there. @param {Shown | null} shown */
  async show(shown) {
    const before = this.#shown;
    this.#shown = shown;
    if (!shown) {
      this.#image?.remove();
      this.#image = null;
      return this.#clearTiles();
    }
    if (before?.tiles?.url !== shown.tiles?.url) this.#clearTiles();
    if (before?.url === shown.url) {
      if (this.#image) this.#image.alt = shown.alt;
      return this.#place();
    }
    const image = h("img", { src: shown.url, alt: shown.alt, draggable: false, decoding: "async" });
    try {
      await image.decode();
    } catch {
      return;
    }
    if (this.#shown?.url !== shown.url) return;
    const old = this.#image;
    this.#image = image;
    this.insertBefore(image, this.#layer);
    this.#place();
    if (old) {
      old.alt = "";
      image.classList.add("fresh");
      setTimeout(() => (old.remove(), image.classList.remove("fresh")), 400);
    }
    this.dataset["shown"] = shown.url;
  }

  #place() {
    const { box } = this;
    if (!this.#shown || !box.width || !box.height) return;
    const place = placeOf(this.#view, box, this.#shown.frame);
    for (const image of this.querySelectorAll(":scope > img")) put(/** @type {HTMLElement} */ (image), place);
    this.#showTiles(place, box);
  }

  /** @param {import("../view.js").Place} place @param {Size} box */
  #showTiles(place, box) {
    const { tiles, size, longest = 0 } = /** @type {Shown} */ (this.#shown);
    const enough = Math.max(place.width, place.height) * devicePixelRatio <= longest;
    if (!tiles || !size || enough) return this.#clearTiles();
    const wanted = visibleTiles({ ...place, scale: place.width / size.width }, box, size, tiles, devicePixelRatio);
    const keys = new Set();
    for (const tile of wanted) {
      const key = `${tile.level}/${tile.x}/${tile.y}`;
      keys.add(key);
      let image = this.#tiles.get(key);
      if (!image) {
        const url = tiles.url.replace("{level}", String(tile.level)).replace("{x}", String(tile.x)).replace("{y}", String(tile.y));
        image = h("img", { src: url, alt: "", draggable: false });
        this.#tiles.set(key, image);
        this.#layer.append(image);
      }
      // Half a pixel more than needed, so that no seam shows between two tiles.
      put(image, { ...tile, width: tile.width + 0.5, height: tile.height + 0.5 });
    }
    for (const [key, image] of this.#tiles) {
      if (keys.has(key)) continue;
      image.remove();
      this.#tiles.delete(key);
    }
  }

  #clearTiles() {
    this.#layer.replaceChildren();
    this.#tiles.clear();
  }
}

/** @param {HTMLElement} element @param {{left: number, top: number, width: number, height: number}} place */
function put(element, { left, top, width, height }) {
  element.style.transform = `translate(${left}px, ${top}px)`;
  element.style.width = `${width}px`;
  element.style.height = `${height}px`;
}

customElements.define("picture-pane", PicturePane);
