// Owns what there is to paint with: the models and styles that were exported with the page.

/**
 * @typedef {object} Model
 * @property {string} name
 * @property {string} file  of the network
 * @property {string | null} encoder  file of what looks at paintings, in a model of any
 * @property {Float32Array} photo  the condition by which a photograph stays as it is
 *
 * @typedef {object} Style
 * @property {Model} model
 * @property {Float32Array} condition
 * @property {string} title
 * @property {string} [author]
 * @property {string} [picture]
 *
 * @typedef {{picture: string, title: string, author: string, licence: string}} Sample
 * @typedef {{version: string, photo: Sample, models: Model[], styles: Style[]}} Catalogue
 */

/** @returns {Promise<Catalogue>} */
export async function openCatalogue() {
  const answer = await fetch("catalogue.json");
  if (!answer.ok) throw new Error("catalogue.json is missing; export the page again");
  const { version, photo, models, styles } = await answer.json();
  const known = models.map((/** @type {any} */ model) => ({ ...model, photo: numbers(model.photo) }));
  return {
    version,
    photo,
    models: known,
    styles: styles.map((/** @type {any} */ style) => ({
      ...style,
      model: known.find((/** @type {Model} */ model) => model.name === style.model),
      condition: numbers(style.condition),
    })),
  };
}

/** The condition that lies `strength` (0 to 1) of the way from the photograph to a style. @param {Style} style @param {number} strength */
export function mixed({ model, condition }, strength) {
  return model.photo.map((from, place) => from + strength * (Number(condition[place]) - from));
}

/** Little-endian float32 in Base64. @param {string} text */
function numbers(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length / 4 }, (_, place) => view.getFloat32(4 * place, true));
}
