// Owns the start of the page: loading in order, and showing the view of the address.

import "./parts/app-bar.js";
import "./parts/drop-veil.js";
import "./parts/help-sheet.js";
import "./parts/history-gallery.js";
import "./parts/job-panel.js";
import "./parts/job-queue.js";
import "./parts/knob-panel.js";
import "./parts/mask-brush.js";
import "./parts/paint-bar.js";
import "./parts/picture-inputs.js";
import "./parts/picture-picker.js";
import "./parts/picture-stage.js";
import "./parts/style-strip.js";
import "./parts/sweep-grid.js";
import "./parts/token-sheet.js";

import { api } from "./api.js";
import { draft } from "./draft.js";
import { focusOn } from "./dom.js";
import { listen } from "./events.js";
import { listenToKeys } from "./keys.js";
import { followDraft } from "./live.js";
import { explain, notify } from "./notices.js";
import { followRegions } from "./regions.js";
import { routeOf, store } from "./store.js";

const TITLES = { paint: "Impasto", gallery: "Gallery – Impasto", sweep: "Variations – Impasto" };

async function start() {
  await takeToken();
  measureHead();
  listenToKeys();
  window.addEventListener("hashchange", () => void arrive());
  store.on("connection", showConnection);
  const { token_needed: needed, authorized } = await api.health();
  if (needed && !authorized) return document.dispatchEvent(new CustomEvent("token-needed"));
  await store.open();
  await listen();
  await arrive();
  await draft.open();
  followDraft();
  followRegions();
  document.documentElement.dataset["ready"] = "";
}

/** Exchanges the token in the address for a cookie, and removes it from the address. */
async function takeToken() {
  const token = /^#token=(.+)$/.exec(location.hash)?.[1];
  if (!token) return;
  history.replaceState(null, "", "#/");
  await api.openSession(decodeURIComponent(token)).catch(explain);
}

/** Shows what the address names. */
async function arrive() {
  const before = store.route.view;
  store.route = routeOf(location.hash);
  const { view, id } = store.route;
  if (view === "paint" && id && !(await store.find(id))) {
    notify({ tone: "bad", about: "route", title: "This picture was not found", text: "It may have been deleted. The gallery shows all others." });
    location.replace("#/");
    return;
  }
  for (const section of document.querySelectorAll("[data-view]")) /** @type {HTMLElement} */ (section).hidden = section.getAttribute("data-view") !== view;
  document.title = TITLES[view];
  store.announce("route");
  if (before !== view) window.scrollTo(0, 0);
  // What had the focus may be hidden now; one goes on from the beginning of the view, not of the page.
  if (document.activeElement?.closest("[hidden]")) focusOn(/** @type {HTMLElement} */ (document.getElementById("main")));
}

/** Tells the styles how high the head of the page is, with what is said in it. */
function measureHead() {
  const head = /** @type {HTMLElement} */ (document.querySelector("body > header"));
  new ResizeObserver(() => document.documentElement.style.setProperty("--head", `${head.offsetHeight}px`)).observe(head);
}

/** @param {{restarted: boolean}} news */
function showConnection({ restarted }) {
  document.documentElement.toggleAttribute("data-offline", !store.connected);
  const line = document.getElementById("offline");
  if (line) line.hidden = store.connected;
  if (store.connected && restarted) notify({ text: "The studio was restarted. Painting resumes from the last checkpoints." });
}

start().catch(explain);
