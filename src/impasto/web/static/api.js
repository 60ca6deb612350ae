// Owns requests to the server, and their errors.

/** @import { Estimate, Job, LossPoint, Picture, Preset, Problem, Queue, Setting, Sweep, System } from "./types.js" */

/** A failed request, with the server's problem. */
export class RequestError extends Error {
  /** @param {Problem} problem */
  constructor(problem) {
    super(problem.detail || problem.title);
    this.problem = problem;
  }

  /** The last word of the problem's type: `queue-full`. */
  get word() {
    return this.problem.type.split("#").pop() ?? "";
  }
}

/** @type {Problem} */
const SILENCE = {
  type: "about:blank#offline",
  title: "The studio does not answer",
  status: 0,
  detail: "The server cannot be reached. See whether `impasto serve` is still running, then try again; nothing is lost.",
};

/**
 * @param {string} method
 * @param {string} path
 * @param {{json?: any, form?: FormData, headers?: Record<string, string>, signal?: AbortSignal, blob?: boolean}} [options]
 */
async function ask(method, path, { json, form, headers = {}, signal, blob = false } = {}) {
  /** @type {Response} */
  let response;
  try {
    response = await fetch(path, {
      method,
      signal: signal ?? null,
      headers: json === undefined ? headers : { "Content-Type": "application/json", ...headers },
      body: json === undefined ? (form ?? null) : JSON.stringify(json),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new RequestError(SILENCE);
  }
  if (response.ok) return response.status === 204 ? null : blob ? response.blob() : response.json();
  const error = new RequestError(await problemOf(response));
  if (error.word === "token-needed") document.dispatchEvent(new CustomEvent("token-needed"));
  throw error;
}

/** @param {Response} response @returns {Promise<Problem>} */
async function problemOf(response) {
  try {
    return await response.json();
  } catch {
    const title = `The server answered ${response.status}`;
    return { type: "about:blank#unknown", title, status: response.status, detail: `${title} without saying why.` };
  }
}

/** @param {string} id */
const job = (id) => `/api/jobs/${encodeURIComponent(id)}`;

export const api = {
  /** @returns {Promise<{status: string, version: string, token_needed: boolean, authorized: boolean}>} */
  health: () => ask("GET", "/api/health"),
  /** @param {string} token */
  openSession: (token) => ask("POST", "/api/session", { json: { token } }),
  /** @returns {Promise<{samples: Picture[]}>} */
  samples: () => ask("GET", "/api/samples"),
  /** @returns {Promise<{default: string, presets: Preset[]}>} */
  presets: () => ask("GET", "/api/presets"),
  /** @returns {Promise<{groups: string[], settings: Setting[]}>} */
  settings: () => ask("GET", "/api/settings"),
  /** @returns {Promise<System>} */
  system: () => ask("GET", "/api/system"),

  /** @param {Blob} file @param {string} name @returns {Promise<Picture>} */
  upload(file, name) {
    const form = new FormData();
    form.append("file", file, name);
    return ask("POST", "/api/pictures", { form });
  },
  /** What is known of an uploaded picture. @param {string} ref @returns {Promise<Picture>} */
  picture: (ref) => ask("GET", `/api/pictures/${encodeURIComponent(ref.replace(/^picture:/, ""))}/info`),

  /** @param {Record<string, string | number | boolean | string[]>} [query] @returns {Promise<{jobs: Job[], next: string | null, queue: Queue}>} */
  jobs: (query = {}) => ask("GET", `/api/jobs?${new URLSearchParams(Object.entries(query).flatMap(([k, v]) => [v].flat().map((one) => [k, String(one)])))}`),
  /** @param {string} id @returns {Promise<Job>} */
  job: (id) => ask("GET", job(id)),
  /** A second click on the same wish must not paint twice: `key` is the wish. @param {any} wish @param {string} key @returns {Promise<Job>} */
  paint: (wish, key) => ask("POST", "/api/jobs", { json: wish, headers: { "Idempotency-Key": key } }),
  /** A picture at once, by the fast engine. @param {string[][]} fields @returns {Promise<Blob>} */
  fast(fields) {
    const form = new FormData();
    for (const [name = "", value = ""] of fields) form.append(name, value);
    return ask("POST", "/api/fast", { form, blob: true });
  },
  /** A photo, small, in the style of each of several paintings. @param {string} content @param {string[]} styles @returns {Promise<{looks: {style: string, url: string}[]}>} */
  looks: (content, styles) => ask("POST", "/api/looks", { json: { content, styles } }),
  /** @param {any} wish @param {AbortSignal} [signal] @returns {Promise<Estimate>} */
  estimate: (wish, signal) => ask("POST", "/api/estimate", signal ? { json: wish, signal } : { json: wish }),
  /** One of the job's `actions`. @param {string} id @param {string} action @param {any} [body] @returns {Promise<Job>} */
  act: (id, action, body) => ask("POST", `${job(id)}/${action}`, { json: body ?? {} }),
  /** @param {string} id @returns {Promise<{points: LossPoint[]}>} */
  losses: (id) => ask("GET", `${job(id)}/losses`),
  /** @param {{order?: string[], paused?: boolean}} change @returns {Promise<Queue>} */
  arrange: (change) => ask("POST", "/api/queue", { json: change }),

  /** @param {any} wish @returns {Promise<Sweep>} */
  sweep: (wish) => ask("POST", "/api/sweeps", { json: wish }),
  /** @param {string} id @returns {Promise<Sweep>} */
  sweepById: (id) => ask("GET", `/api/sweeps/${encodeURIComponent(id)}`),
  /** @returns {Promise<{sweeps: Sweep[]}>} */
  sweeps: () => ask("GET", "/api/sweeps"),
  /** @param {string} id */
  cancelSweep: (id) => ask("POST", `/api/sweeps/${encodeURIComponent(id)}/cancel`, { json: {} }),
};

/** Where a result lies in a format. @param {string} id @param {"png" | "jpeg" | "tiff"} format */
export function downloadUrl(id, format) {
  return `${job(id)}/result?format=${format}&download=1`;
}

/** A picture's thumbnail of a size. @param {Picture} picture @param {160 | 320 | 640 | 1280 | 2560} side */
export function thumbnail(picture, side) {
  return `${picture.thumbnail_url}${picture.thumbnail_url.includes("?") ? "&" : "?"}side=${side}`;
}

/** Where the events of one job come from. @param {string} id */
export function eventsUrl(id) {
  return `${job(id)}/events`;
}
