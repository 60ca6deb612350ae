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
  ["optimizer", "Optimiser"],
  ["normalization", "Normalisation"],
]);

const PRESETS = new Map([
  ["quick", "Draft"],
  ["default", "Standard"],
  ["fine", "Fine"],
  ["gatys", "As in the paper"],
]);

/** The displayed name of a preset: `default` → “Standard”. @param {string} name */
export function presetName(name) {
  return PRESETS.get(name) ?? capitalized(name.replaceAll("_", " "));
}

/** @param {string} words */
function capitalized(words) {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** The server's words with the displayed names of settings: “learning_rate has no effect” → “Learning rate has no effect”. @param {string} text @param {string[]} settings */
export function withNames(text, settings) {
  let shown = text;
  for (const name of settings) {
    const known = nameOf(name);
    shown = shown.replace(new RegExp(`^${name}(?=:| has no effect)`), known);
    if (name.includes("_")) shown = shown.replace(new RegExp(`\\b${name}\\b`, "g"), known.toLowerCase());
  }
  return shown;
}

/** The displayed name of a setting: `coarse_size` → “Coarse size”. @param {string} name */
export function nameOf(name) {
  const known = NAMES.get(name);
  if (known) return known;
  return capitalized(name.replaceAll("_", " ").replace("color", "colour"));
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

/** Words of a setting's value, for people: `gram_statistics` → “gram statistics”. @param {any} value */
export function choiceText(value) {
  return typeof value === "string" ? value.replaceAll("_", " ") : valueText(value);
}

/** A picture's title, or the name of its file. @param {{name: string, title?: string}} picture */
export function pictureName(picture) {
  return picture.title || picture.name;
}

/** A name of which beginning and end are seen, where several long ones often differ. @param {string} name @param {number} [most] characters */
export function fitted(name, most = 44) {
  const letters = [...name];
  if (letters.length <= most) return name;
  const end = Math.floor(most / 3);
  return `${letters.slice(0, most - end - 1).join("").trimEnd()}…${letters.slice(-end).join("").trimStart()}`;
}

/** A picture's name without the ending of a file, or the year of a painting. @param {any} picture */
function shortName(picture) {
  if (!picture) return "a picture that is gone";
  const bare = picture.title ? picture.title.replace(/, \d{4}(-\d+)?$/, "") : picture.name.replace(/\.(png|jpe?g|webp|tiff?|bmp|gif|avif|hei[cf])$/i, "");
  return fitted(bare);
}

/**
 * A job in a few words: “red panda in the style of Café Terrace at Night”; one of several variations says which.
 *
 * @param {{content: any, styles: any[], sweep?: any}} job
 */
export function jobName(job) {
  const name = `${shortName(job.content)} in the style of ${job.styles.map(shortName).join(" and ")}`;
  const values = Object.entries(job.sweep?.values ?? {}).map(([setting, value]) => `${nameOf(setting).toLowerCase()} ${choiceText(value)}`);
  return values.length ? `${name} · ${values.join(", ")}` : name;
}
