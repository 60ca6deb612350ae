// Owns the page: what is to be painted, and when. All its parts are in index.html; here they are brought to life.

import { Camera } from "./camera.js";
import { mixed, openCatalogue } from "./catalogue.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { Painter } from "./painter.js";
import { fetchPicture, ofArea, ofSide, read } from "./pictures.js";
import { theme, turnTheme } from "./theme.js";
import { duration } from "./format.js";

/** @import { Catalogue, Model, Style } from "./catalogue.js" */

const SIDES = [256, 384, 512, 768, 1024];
// Long side to begin with: of a photograph, and of what the camera sees, many times a second.
const USUAL = { photo: 512, camera: 256 };
// Root of the area that paintings are looked at with, as in training.
const STYLE_SIDE = 256;

/** @template {HTMLElement} T @param {string} id @param {new () => T} kind @returns {T} */
function part(id, kind) {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new Error(`there is no ${id}`);
  return element;
}

const canvas = part("canvas", HTMLCanvasElement);
const status = part("status", HTMLParagraphElement);
const pace = part("pace", HTMLParagraphElement);
const compare = part("compare", HTMLButtonElement);
const save = part("save", HTMLButtonElement);
const cameraButton = part("camera", HTMLButtonElement);
const strength = part("strength", HTMLInputElement);
const side = part("side", HTMLSelectElement);
const tiles = part("styles", HTMLFieldSetElement);
const credits = part("credits", HTMLParagraphElement);

const painter = new Painter((bytes) => say(`Loading … ${(bytes / 1e6).toFixed(1)} MB`));
const camera = new Camera();
const sides = { ...USUAL };

/** @type {ImageBitmap | null} */ let photo = null;
let photoName = "";
/** @type {Style | null} */ let style = null;
/** The picture as it was, and painted. @type {{before: ImageData, after: ImageData} | null} */ let result = null;
let busy = false;
let stale = false;

/** @param {string} words @param {boolean} [bad] */
function say(words, bad = false) {
  if (status.textContent !== words) status.textContent = words;
  status.classList.toggle("bad", bad);
}

/** @param {unknown} error */
function fail(error) {
  const words = error instanceof Error ? error.message : String(error);
  say(`${words.charAt(0).toUpperCase()}${words.slice(1)}.`, true);
}

/** Paints what there is to paint, again if it has changed meanwhile, and on and on what the camera sees. */
async function paint() {
  stale = true;
  if (busy) return;
  busy = true;
  try {
    while (stale || camera.view) {
      stale = false;
      await paintOnce();
      // A page that nobody sees gets no frames to draw, and so rests.
      if (camera.view) await new Promise(requestAnimationFrame);
    }
  } catch (error) {
    fail(error);
    stopCamera();
  } finally {
    busy = false;
  }
}

async function paintOnce() {
  const source = camera.view ?? photo;
  if (!source || !style) return;
  const chosen = style;
  const before = ofSide(source, Number(side.value));
  const begin = performance.now();
  if (!camera.view) say("Painting …");
  const after = await painter.paint(before, chosen.model.file, mixed(chosen, Number(strength.value) / 100));
  const seconds = (performance.now() - begin) / 1000;
  result = { before, after };
  const what = camera.view ? "The camera" : photoName;
  canvas.setAttribute("aria-label", `${what}, in the style of ${chosen.title}`);
  compare.disabled = save.disabled = false;
  show();
  if (camera.view) {
    say("The camera is on");
    pace.textContent = `${(1 / seconds).toFixed(seconds > 0.5 ? 1 : 0)} pictures a second`;
  } else {
    say(`Painted ${after.width} × ${after.height} px in ${seconds < 10 ? `${seconds.toFixed(1)} seconds` : duration(seconds)}`);
    pace.textContent = "";
  }
  document.documentElement.dataset["painted"] = String(Number(document.documentElement.dataset["painted"] ?? 0) + 1);
}

function show() {
  if (!result) return;
  const picture = compare.ariaPressed === "true" ? result.before : result.after;
  canvas.width = picture.width;
  canvas.height = picture.height;
  canvas.style.setProperty("--aspect", String(picture.width / picture.height));
  canvas.getContext("2d")?.putImageData(picture, 0, 0);
}

/** @param {ImageBitmap} bitmap @param {string} name */
function setPhoto(bitmap, name) {
  stopCamera();
  photo = bitmap;
  photoName = name;
  compare.ariaPressed = "false";
  paint();
}

/** @param {Blob | null | undefined} file */
async function openPhoto(file) {
  if (!file) return;
  try {
    setPhoto(await read(file), file instanceof File ? file.name : "A picture");
  } catch (error) {
    fail(error);
  }
}

/** Takes a painting for a style: its condition is made here. @param {Model} model @param {Blob | undefined} file */
async function openPainting(model, file) {
  if (!file) return;
  try {
    const bitmap = await read(file);
    say("Looking at the painting …");
    const condition = await painter.look(ofArea(bitmap, STYLE_SIDE), String(model.encoder));
    const title = file instanceof File ? file.name.replace(/\.\w+$/, "") : "Your painting";
    addStyle({ model, condition, title, picture: URL.createObjectURL(file) }, true);
  } catch (error) {
    fail(error);
  }
}

/** @param {Style} one @param {boolean} chosen */
function addStyle(one, chosen) {
  const choose = () => {
    style = one;
    credits.textContent = one.author ? `${one.title}, by ${one.author}` : one.title;
    paint();
  };
  const button = h("input", { type: "radio", name: "style", checked: chosen, onchange: choose });
  const picture = one.picture ? h("img", { src: one.picture, alt: "" }) : h("span", { class: "blank" });
  tiles.append(h("label", { title: one.title }, button, picture, h("span", { class: "name" }, one.title.replace(/, \d.*$/, ""))));
  if (chosen) choose();
}
async function turnCamera() {
  if (camera.view) {
    stopCamera();
    paint();
    return;
  }
  try {
    say("Asking for the camera …");
    await camera.start(stopCamera);
    cameraButton.ariaPressed = "true";
    compare.ariaPressed = "false";
    setSide("camera");
    paint();
  } catch (error) {
    fail(error);
  }
}

function stopCamera() {
  camera.stop();
  cameraButton.ariaPressed = "false";
  pace.textContent = "";
  setSide("photo");
}

/** @param {"photo" | "camera"} what */
function setSide(what) {
  side.value = String(sides[what]);
}

function saveResult() {
  canvas.toBlob((blob) => {
    if (!blob) return;
    const address = URL.createObjectURL(blob);
    h("a", { href: address, download: "impasto.png" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  });
}

function sayStrength() {
  part("strength-said", HTMLOutputElement).value = `${strength.value} %`;
  strength.style.setProperty("--filled", `${strength.value}%`);
}

function drawTheme() {
  part("theme", HTMLButtonElement).replaceChildren(icon(theme() === "dark" ? "light" : "dark"));
}

function listen() {
  const photoFile = part("photo-file", HTMLInputElement);
  part("open", HTMLButtonElement).addEventListener("click", () => photoFile.click());
  photoFile.addEventListener("change", () => openPhoto(photoFile.files?.[0]).finally(() => (photoFile.value = "")));
  cameraButton.addEventListener("click", turnCamera);
  save.addEventListener("click", saveResult);
  compare.addEventListener("click", () => {
    compare.ariaPressed = compare.ariaPressed === "true" ? "false" : "true";
    show();
  });
  strength.addEventListener("input", () => {
    sayStrength();
    paint();
  });
  side.addEventListener("change", () => {
    sides[camera.view ? "camera" : "photo"] = Number(side.value);
    paint();
  });
  part("theme", HTMLButtonElement).addEventListener("click", () => {
    turnTheme();
    drawTheme();
  });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    openPhoto(event.dataTransfer?.files[0]);
  });
  addEventListener("paste", (event) => openPhoto(event.clipboardData?.files[0]));
}

/** @param {Catalogue} catalogue */
function offerPaintings({ models }) {
  const model = models.find((one) => one.encoder);
  if (!model) return;
  const own = part("own", HTMLButtonElement);
  const file = part("painting-file", HTMLInputElement);
  own.hidden = false;
  own.addEventListener("click", () => file.click());
  file.addEventListener("change", () => openPainting(model, file.files?.[0]).finally(() => (file.value = "")));
}

async function begin() {
  document.documentElement.dataset["ready"] = "";
  side.append(...SIDES.map((one) => h("option", { value: String(one) }, `${one} px`)));
  setSide("photo");
  sayStrength();
  drawTheme();
  listen();
  try {
    const catalogue = await openCatalogue();
    catalogue.styles.forEach((one, place) => addStyle(one, place === 0));
    offerPaintings(catalogue);
    setPhoto(await fetchPicture(catalogue.photo.picture), catalogue.photo.title);
  } catch (error) {
    fail(error);
  }
}

begin();
