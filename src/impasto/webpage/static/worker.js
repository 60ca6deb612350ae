// Owns the thread that computes: ONNX Runtime and the networks that it has loaded. It is asked by painter.js, and
// answers with the number of the question.

import * as ort from "./onnxruntime/ort.js";

/** @import { Question } from "./painter.js" */

// Several threads need memory that they share, which browsers give only to pages that are served in isolation.
ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency) : 1;
ort.env.logLevel = "error";

/** @type {Promise<void> | undefined} */
let runtime;
/** @type {Map<string, Promise<any>>} */
const networks = new Map();

self.addEventListener("message", async ({ data }) => {
  const { id, kind, file, picture, condition } = /** @type {Question} */ (data);
  try {
    const network = await loaded(file);
    if (kind === "paint") {
      const size = condition?.length ?? 0;
      const { pastiche } = await network.run({
        image: planes(picture),
        condition: new ort.Tensor("float32", condition, [1, size]),
      });
      const painted = rgba(pastiche);
      postMessage({ id, answer: painted }, { transfer: [painted.data.buffer] });
    } else {
      const found = await network.run({ painting: planes(picture) });
      postMessage({ id, answer: found.condition.data });
    }
  } catch (error) {
    postMessage({ id, error: error instanceof Error ? error.message : String(error) });
  }
});

/** The network in a file, which is loaded once. @param {string} file @returns {Promise<any>} */
function loaded(file) {
  let network = networks.get(file);
  if (!network) {
    network = load(file);
    networks.set(file, network);
    // What could not be had may be had later.
    network.catch(() => networks.delete(file));
  }
  return network;
}

/** @param {string} file */
async function load(file) {
  runtime ??= fetched("onnxruntime/ort.wasm").then((bytes) => void (ort.env.wasm.wasmBinary = bytes.buffer));
  try {
    await runtime;
  } catch (error) {
    runtime = undefined;
    throw error;
  }
  return ort.InferenceSession.create(await fetched(file), { executionProviders: ["wasm"] });
}

/** The bytes of a file beside the page; how far it has come is told on the way. @param {string} file */
async function fetched(file) {
  const answer = await fetch(new URL(file, import.meta.url)).catch(() => {
    throw new Error(`${file} cannot be had; see whether the page is still served`);
  });
  if (!answer.ok || !answer.body) throw new Error(`${file} is missing; export the page again`);
  const parts = [];
  let length = 0;
  for (const reader = answer.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    length += value.length;
    postMessage({ loading: length });
  }
  const bytes = new Uint8Array(length);
  let place = 0;
  for (const part of parts) {
    bytes.set(part, place);
    place += part.length;
  }
  return bytes;
}

/** A picture as numbers in [0, 1], colour by colour. @param {ImageData} picture */
function planes({ data, width, height }) {
  const count = width * height;
  const values = new Float32Array(3 * count);
  for (let from = 0, to = 0; to < count; from += 4, to += 1) {
    values[to] = Number(data[from]) / 255;
    values[to + count] = Number(data[from + 1]) / 255;
    values[to + 2 * count] = Number(data[from + 2]) / 255;
  }
  return new ort.Tensor("float32", values, [1, 3, height, width]);
}

/** The way back. @param {{data: Float32Array, dims: readonly number[]}} tensor */
function rgba({ data, dims }) {
  const [, , height = 0, width = 0] = dims;
  const count = width * height;
  const picture = new ImageData(width, height);
  // Rounded and kept within 0 and 255 by the array itself.
  for (let to = 0, from = 0; from < count; from += 1, to += 4) {
    picture.data[to] = 255 * Number(data[from]);
    picture.data[to + 1] = 255 * Number(data[from + count]);
    picture.data[to + 2] = 255 * Number(data[from + 2 * count]);
    picture.data[to + 3] = 255;
  }
  return picture;
}
