// Owns the arithmetic of looking at a picture: how large it is shown, and which part. All functions are pure.

/** @typedef {{width: number, height: number}} Size */
/**
 * What is looked at: `zoom` is 1 where the picture just fits; `x` and `y` are the picture's point in the middle of the
 * box, from 0 to 1.
 * @typedef {{zoom: number, x: number, y: number}} View
 */
/** @typedef {{left: number, top: number, width: number, height: number, scale: number}} Place */

/** @type {View} */
export const FIT = { zoom: 1, x: 0.5, y: 0.5 };

/** A small picture is not blown up further than this just to fill its box. */
export const MOST_ENLARGED = 2;

/** Pixels of the page for one of the picture where it just fits. @param {Size} box @param {Size} picture */
export function fitScale(box, picture) {
  return Math.min(box.width / picture.width, box.height / picture.height, MOST_ENLARGED);
}

/** Where the picture lies in its box, in pixels of the page. @param {View} view @param {Size} box @param {Size} picture @returns {Place} */
export function placeOf(view, box, picture) {
  const scale = fitScale(box, picture) * view.zoom;
  const width = picture.width * scale;
  const height = picture.height * scale;
  return { left: box.width / 2 - view.x * width, top: box.height / 2 - view.y * height, width, height, scale };
}

/**
 * The same view, kept within the picture, not closer than eight pixels of the page for one of it, and not farther than
 * the whole picture, or its actual size if that is smaller.
 *
 * @param {View} view @param {Size} box @param {Size} picture @param {number} [density] of the screen @returns {View}
 */
export function kept(view, box, picture, density = 1) {
  const closest = Math.max(8, 8 / fitScale(box, picture));
  const farthest = Math.min(1, 1 / (fitScale(box, picture) * density));
  const zoom = Math.min(Math.max(view.zoom, farthest), closest);
  const { width, height } = placeOf({ ...view, zoom }, box, picture);
  return { zoom, x: within(view.x, box.width / width), y: within(view.y, box.height / height) };
}

/** @param {number} middle @param {number} seen the share of the picture that the box shows */
function within(middle, seen) {
  return seen >= 1 ? 0.5 : Math.min(Math.max(middle, seen / 2), 1 - seen / 2);
}

/** Nearer or farther about a point of the box, which stays where it is. @param {View} view @param {Size} box @param {Size} picture @param {number} factor @param {{x: number, y: number}} [at] @param {number} [density] @returns {View} */
export function zoomed(view, box, picture, factor, at = { x: box.width / 2, y: box.height / 2 }, density = 1) {
  const before = placeOf(view, box, picture);
  const zoom = kept({ ...view, zoom: view.zoom * factor }, box, picture, density).zoom;
  const point = { x: (at.x - before.left) / before.width, y: (at.y - before.top) / before.height };
  const after = placeOf({ ...view, zoom }, box, picture);
  const x = point.x + (box.width / 2 - at.x) / after.width;
  const y = point.y + (box.height / 2 - at.y) / after.height;
  return kept({ zoom, x, y }, box, picture, density);
}

/** Moved by pixels of the page. @param {View} view @param {Size} box @param {Size} picture @param {number} dx @param {number} dy @returns {View} */
export function moved(view, box, picture, dx, dy) {
  const { width, height } = placeOf(view, box, picture);
  return kept({ ...view, x: view.x - dx / width, y: view.y - dy / height }, box, picture);
}

/**
 * The tiles to show: of the level whose pixels are just finer than the screen's, those that the box sees.
 *
 * @param {Place} place @param {Size} box @param {Size} picture @param {{size: number, levels: number}} tiles @param {number} density of the screen
 * @returns {{level: number, x: number, y: number, left: number, top: number, width: number, height: number}[]} in pixels of the page
 */
export function visibleTiles(place, box, picture, tiles, density) {
  const level = Math.min(Math.max(0, Math.floor(Math.log2(1 / (place.scale * density)))), tiles.levels - 1);
  const span = tiles.size * 2 ** level;
  const [columns, rows] = [Math.ceil(picture.width / span), Math.ceil(picture.height / span)];
  const first = (/** @type {number} */ offset) => Math.max(0, Math.floor(-offset / (span * place.scale)));
  const last = (/** @type {number} */ offset, /** @type {number} */ length, /** @type {number} */ count) =>
    Math.min(count - 1, Math.floor((length - offset) / (span * place.scale)));
  const shown = [];
  for (let y = first(place.top); y <= last(place.top, box.height, rows); y += 1) {
    for (let x = first(place.left); x <= last(place.left, box.width, columns); x += 1) {
      shown.push({
        level,
        x,
        y,
        left: place.left + x * span * place.scale,
        top: place.top + y * span * place.scale,
        width: Math.min(span, picture.width - x * span) * place.scale,
        height: Math.min(span, picture.height - y * span) * place.scale,
      });
    }
  }
  return shown;
}
