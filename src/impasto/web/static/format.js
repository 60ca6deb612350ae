// Owns the formatting of numbers, times and names as text.

const NAMES = new Map([
  ["tv_weight", "Smoothing"],
  ["keep_color", "Keep colours"],
  ["keep_color_when", "Keep colours when"],
  ["keep_color_amount", "How far colours are kept"],
  ["style_scale", "Stroke size"],
  ["stroke_size", "Stroke size in percent"],
  ["enlarged", "What of a small painting is enlarged"],
  ["init", "Start from"],
]);

/** The displayed name of a setting: `coarse_size` → “Coarse size”. @param {string} name */
export function nameOf(name) {
  const known = NAMES.get(name);
  if (known) return known;
  const words = name.replaceAll("_", " ").replace("color", "colour");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** A duration, rounded. @param {number} seconds */
export function duration(seconds) {
  if (seconds < 1) return "less than a second";
  if (seconds < 90) return plural(Math.round(seconds), "second");
  if (seconds < 90 * 60) return plural(Math.round(seconds / 60), "minute");
  if (seconds < 36 * 3600) {
    const halves = Math.round(seconds / 1800);
    return halves % 2 ? `${(halves - 1) / 2}½ hours` : plural(halves / 2, "hour");
  }
  return plural(Math.round(seconds / 86400), "day");
}

/** @param {number} count @param {string} noun @param {string} [several] */
export function plural(count, noun, several = `${noun}s`) {
  return `${count} ${count === 1 ? noun : several}`;
}

/** @param {number} bytes */
export function bytes(bytes) {
  if (bytes < 1e6) return `${Math.max(1, Math.round(bytes / 1e3))} KB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}

/** A time relative to now. @param {string} iso */
export function when(iso) {
  const then = new Date(iso);
  const seconds = (Date.now() - then.getTime()) / 1000;
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 12 * 3600) return `${plural(Math.floor(seconds / 3600), "hour")} ago`;
  return then.toLocaleDateString(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
}

/** A number without needless digits. @param {number} value */
export function number(value) {
  return String(Number(value.toPrecision(4)));
}

/** A setting's value as text. @param {any} value */
export function valueText(value) {
  if (Array.isArray(value)) return value.length ? value.map(number).join(", ") : "none";
  if (value && typeof value === "object") return Object.entries(value).map(([k, v]) => `${k}=${number(v)}`).join(", ");
  return typeof value === "number" ? number(value) : String(value);
}

/** A picture's title, or the name of its file. @param {{name: string, title?: string}} picture */
export function pictureName(picture) {
  return picture.title || picture.name;
}

/** A job in a few words: “red panda in the style of Café Terrace at Night”. @param {{content: any, styles: any[]}} job */
export function jobName(job) {
  const short = (/** @type {any} */ p) => pictureName(p).replace(/\.(png|jpe?g|webp|tiff?|avif|heic)$/i, "").replace(/, \d.*$/, "");
  return `${short(job.content)} in the style of ${job.styles.map(short).join(" and ")}`;
}
