// Owns pictures in the page: from files, addresses and the camera to pixels of a size.

/** @typedef {ImageBitmap | HTMLVideoElement} Source */

/** A picture that was chosen, dropped or pasted. @param {Blob} file @returns {Promise<ImageBitmap>} */
export async function read(file) {
  try {
    return await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    const name = file instanceof File ? file.name : "this";
    throw new Error(`${name} is not a picture that this browser reads; try a JPEG, PNG or WebP`);
  }
}

/** A picture that came with the page. @param {string} address */
export async function fetchPicture(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address} is missing; export the page again`);
  return read(await answer.blob());
}

/** Pixels with a long side. @param {Source} source @param {number} side */
export function ofSide(source, side) {
  const [width, height] = size(source);
  return pixels(source, side / Math.max(width, height), 2);
}

/** Pixels with about the area of a square. @param {Source} source @param {number} side */
export function ofArea(source, side) {
  const [width, height] = size(source);
  return pixels(source, side / Math.sqrt(width * height), 32);
}

/** @param {Source} source @returns {[number, number]} */
function size(source) {
  return source instanceof HTMLVideoElement ? [source.videoWidth, source.videoHeight] : [source.width, source.height];
}

/** @param {Source} source @param {number} factor @param {number} least */
function pixels(source, factor, least) {
  const [width, height] = size(source).map((side) => Math.max(least, Math.round(side * factor)));
  const canvas = new OffscreenCanvas(Number(width), Number(height));
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  // What is transparent is white.
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}
