// Owns what every part of the page has in common: it draws itself once, and listens to the store while it is shown.

import { store } from "./store.js";

/** @import { Topic } from "./store.js" */

export class Part extends HTMLElement {
  /** @type {(() => void)[]} */ #ends = [];
  #drawn = false;

  connectedCallback() {
    if (!this.#drawn) {
      this.#drawn = true;
      this.draw();
    }
    this.listen();
  }

  disconnectedCallback() {
    for (const end of this.#ends.splice(0)) end();
  }

  /** Puts the part's elements in place; called once. */
  draw() {}

  /** Subscribes with `watch`; called whenever the part comes onto the page. */
  listen() {}

  /** @param {Topic | Topic[]} topics @param {(detail: any) => void} act */
  watch(topics, act) {
    for (const topic of [topics].flat()) this.#ends.push(store.on(topic, act));
  }
}
