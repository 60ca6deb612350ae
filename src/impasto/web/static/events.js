// Owns the event stream from the server, and reconnecting.

import { store } from "./store.js";

/** How long the page waits for the stream before it reads the jobs without it, in ms. */
const PATIENCE = 2500;

/** @type {string | null} */
let boot = null;

/**
 * Listens while the page is open. The browser reconnects by itself; the jobs are read after each connection, once.
 *
 * @returns {Promise<void>} fulfilled when the jobs have been read
 */
export function listen() {
  const stream = new EventSource("/api/events");
  const heard = (/** @type {string} */ name, /** @type {(data: any) => void} */ act) =>
    stream.addEventListener(name, (event) => act(JSON.parse(/** @type {MessageEvent} */ (event).data)));

  heard("job", (job) => store.keep(job));
  heard("progress", (news) => store.advance(news));
  heard("removed", ({ id }) => store.forget(id));
  heard("queue", (queue) => store.arrange(queue));
  stream.addEventListener("error", () => {
    setConnected(false);
    // After a refusal (429, 503) the browser gives up; we do not.
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 3000);
  });
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => store.refresh().then(resolve, reject), PATIENCE);
    heard("hello", async (hello) => {
      clearTimeout(late);
      const restarted = boot !== null && boot !== hello.boot;
      boot = hello.boot;
      await store.refresh().then(
        () => setConnected(true, restarted),
        () => setConnected(false),
      );
      resolve();
    });
  });
}

/** @param {boolean} connected @param {boolean} [restarted] */
function setConnected(connected, restarted = false) {
  if (store.connected === connected && !restarted) return;
  store.connected = connected;
  store.announce("connection", { restarted });
}
