// Owns the icons: strokes on a 24 × 24 grid, drawn in the colour of the text beside them.

import { svg } from "./dom.js";

const PATHS = {
  add: "M12 5v14M5 12h14",
  back: "M15 5l-7 7 7 7",
  brush: "M14.5 9.5 20 4M9 13c-3 0-4 2-4 4s-1 3-2 3c2 1.3 8 1 8-4M9 13l2.5-3.2a1.5 1.5 0 0 1 2.2-.2l.7.7a1.5 1.5 0 0 1-.2 2.2L11 15",
  bolt: "M13 3 5 14h6l-1 7 8-11h-6z",
  check: "M5 12.5l4.5 4.5L19 7.5",
  close: "M6 6l12 12M18 6 6 18",
  compare: "M12 4v16M4 6h5v12H4zM15 6h5v12h-5",
  curves: "M4 4v16h16M7 8c2 7 6 9 12 9",
  dark: "M20 14.5A8 8 0 1 1 9.5 4a6.5 6.5 0 0 0 10.5 10.5z",
  down: "M12 5v14M6 13l6 6 6-6",
  download: "M12 4v11M7 10.5l5 5 5-5M5 20h14",
  erase: "M8 19h12M5.5 14.5l8-8a2 2 0 0 1 2.8 0l2.7 2.7a2 2 0 0 1 0 2.8L12 19H9z",
  fit: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
  gallery: "M4 5h7v8H4zM14 5h6v5h-6zM14 13h6v6h-6zM4 16h7v3H4z",
  grid: "M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z",
  help: "M9.2 9a2.9 2.9 0 1 1 4.3 2.6c-1 .6-1.5 1.1-1.5 2.4M12 17.5v.1M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18",
  keyboard: "M3 7h18v10H3zM7 11h.1M11 11h.1M15 11h.1M8 14h8",
  light: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8M12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4",
  longer: "M5 5l7 7-7 7zM16 5v14M20 5v14",
  mask: "M12 5a7 7 0 1 0 0 14 7 7 0 0 0 0-14M12 5v14M14 8h3.5M14 12h5M14 16h3.5",
  more: "M6 12h.1M12 12h.1M18 12h.1",
  paint: "M12 3a9 9 0 1 0 0 18c1.5 0 2-1 1.6-2.2-.5-1.6.5-2.8 2-2.8H18a3 3 0 0 0 3-3c0-5.5-4-10-9-10M7.5 11h.1M10.5 7.5h.1M15 7.5h.1",
  pause: "M9 5v14M15 5v14",
  photo: "M4 5h16v14H4zM4 16l4.5-5 4 4 3-3 4.5 4M15.5 9h.1",
  queue: "M4 6h16M4 12h16M4 18h10",
  redo: "M19 8H9a5 5 0 0 0 0 10h6M15 4l4 4-4 4",
  retry: "M4.5 12a7.5 7.5 0 1 0 2.5-5.6M7 3v4h4",
  resume: "M8 5l11 7-11 7z",
  settings: "M4 7h9M19 7h1M4 17h1M11 17h9M16 4.5v5M8 14.5v5",
  side: "M4 5h7v14H4zM13 5h7v14h-7z",
  single: "M4 5h16v14H4z",
  star: "M12 4l2.5 5.2 5.7.8-4.1 4 1 5.7-5.1-2.7-5.1 2.7 1-5.7-4.1-4 5.7-.8z",
  stop: "M7 7h10v10H7z",
  swap: "M7 4v15M3.5 15.5 7 19l3.5-3.5M17 20V5M13.5 8.5 17 5l3.5 3.5",
  trash: "M5 7h14M10 4h4M7 7l1 13h8l1-13M10.5 11v5M13.5 11v5",
  undo: "M5 8h10a5 5 0 0 1 0 10H9M9 4 5 8l4 4",
  up: "M12 19V5M6 11l6-6 6 6",
  warning: "M12 4 3 19h18zM12 10v4M12 16.5v.1",
  zoom: "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13M15.5 15.5 20 20M8 10.5h5M10.5 8v5",
};

/** @typedef {keyof typeof PATHS} IconName */

/**
 * An icon. It is hidden from screen readers: the button around it has the words.
 *
 * @param {IconName} name
 * @param {{filled?: boolean}} [options]
 */
export function icon(name, { filled = false } = {}) {
  return svg(
    "svg",
    {
      class: "icon",
      viewBox: "0 0 24 24",
      fill: filled ? "currentColor" : "none",
      stroke: "currentColor",
      "stroke-width": 1.75,
      "stroke-linecap": "round",
      "stroke-linejoin": "round",
      "aria-hidden": "true",
    },
    svg("path", { d: PATHS[name] }),
  );
}

/** The mark of Impasto: three strokes of thick paint. */
export function mark() {
  return svg(
    "svg",
    { class: "mark", viewBox: "0 0 32 32", fill: "none", "stroke-linecap": "round", "stroke-width": 5, "aria-hidden": "true" },
    svg("path", { d: "M6 22C9 12 15 7 25 6", class: "mark-a" }),
    svg("path", { d: "M9 26c4-8 9-11 17-11", class: "mark-b" }),
    svg("path", { d: "M15 27c3-3 6-4 10-4", class: "mark-c" }),
  );
}
