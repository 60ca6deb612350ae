// Owns Part, the base class of the page's custom elements: it draws once, and observes the store while connected.

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

  /** Creates the child elements; called once. */
  draw() {}

  /** Subscribes with `watch`; called whenever the element is connected. */
  listen() {}

  /** @param {Topic | Topic[]} topics @param {(detail: any) => void} act */
  watch(topics, act) {
    for (const topic of [topics].flat()) this.#ends.push(store.on(topic, act));
  }
}
