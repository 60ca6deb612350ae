// Owns painting as the page sees it: questions to the thread that computes, and their answers.

/** @import { Style } from "./catalogue.js" */
/** @typedef {{id: number, kind: "paint" | "look", file: string, picture: ImageData, condition?: Float32Array}} Question */

export class Painter {
  #worker = new Worker("worker.js", { type: "module" });
  /** @type {Map<number, {resolve: (answer: any) => void, reject: (error: Error) => void}>} */ #open = new Map();
  #asked = 0;

  /** @param {(bytes: number) => void} loading  hears how much of a file is here */
  constructor(loading) {
    this.#worker.addEventListener("message", ({ data }) => {
      if ("loading" in data) return loading(data.loading);
      const question = this.#open.get(data.id);
      this.#open.delete(data.id);
      if ("error" in data) question?.reject(new Error(data.error));
      else question?.resolve(data.answer);
    });
    this.#worker.addEventListener("error", (event) => {
      event.preventDefault();
      for (const { reject } of this.#open.values()) reject(new Error("this browser cannot compute it"));
      this.#open.clear();
    });
  }

  /** The pastiche of a photograph. @param {ImageData} picture @param {string} file @param {Float32Array} condition @returns {Promise<ImageData>} */
  paint(picture, file, condition) {
    return this.#ask({ kind: "paint", file, picture, condition });
  }

  /** The condition of a painting. @param {ImageData} picture @param {string} file @returns {Promise<Float32Array>} */
  look(picture, file) {
    return this.#ask({ kind: "look", file, picture });
  }

  /** @param {Omit<Question, "id">} question @returns {Promise<any>} */
  #ask(question) {
    const id = (this.#asked += 1);
    return new Promise((resolve, reject) => {
      this.#open.set(id, { resolve, reject });
      this.#worker.postMessage({ id, ...question });
    });
  }
}
