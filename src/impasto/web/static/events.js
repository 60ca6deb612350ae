// Owns the event stream from the server, and reconnecting.

import { store } from "./store.js";

/** @type {string | null} */
let boot = null;

/** Listens while the page is open. The browser reconnects by itself; then the jobs are read again. */
export function listen() {
  const stream = new EventSource("/api/events");
  const heard = (/** @type {string} */ name, /** @type {(data: any) => void} */ act) =>
    stream.addEventListener(name, (event) => act(JSON.parse(/** @type {MessageEvent} */ (event).data)));

  heard("hello", async (hello) => {
    const restarted = boot !== null && boot !== hello.boot;
    boot = hello.boot;
    setConnected(true, restarted);
    await store.refresh().catch(() => setConnected(false));
  });
  heard("job", (job) => store.keep(job));
  heard("progress", (news) => store.advance(news));
  heard("removed", ({ id }) => store.forget(id));
  heard("queue", (queue) => store.arrange(queue));
  stream.addEventListener("error", () => {
    setConnected(false);
    // After a refusal (429, 503) the browser gives up; we do not.
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 3000);
  });
}

/** @param {boolean} connected @param {boolean} [restarted] */
function setConnected(connected, restarted = false) {
  if (store.connected === connected && !restarted) return;
  store.connected = connected;
  store.announce("connection", { restarted });
}
