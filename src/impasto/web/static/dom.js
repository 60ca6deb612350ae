// Owns the creation of elements from names, properties and children, never from HTML strings. Text that people typed,
// such as file names, can therefore never become markup.

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * Makes an element. Properties beginning with `on` are listeners; `class`, `for`, `role`, `aria-…`, `data-…` are
 * attributes; all others are set as properties. A value of `undefined` or `null` sets nothing.
 *
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, any> | null} [properties]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) set(element, name, value);
  element.append(...present(children));
  return element;
}

/** @param {Element} element @param {string} name @param {any} value */
function set(element, name, value) {
  if (value === undefined || value === null) return;
  if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else if (name in element && !/^(class|for|role|list|aria-.*|data-.*)$/.test(name)) /** @type {any} */ (element)[name] = value;
  else if (value === true) element.setAttribute(name, "");
  else if (value !== false || name.startsWith("aria-")) element.setAttribute(name, String(value));
}

/** @param {(Child | Child[])[]} children @returns {(Node | string)[]} */
function present(children) {
  return children
    .flat()
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (typeof child === "number" ? String(child) : /** @type {Node | string} */ (child)));
}

/** Replaces the children of an element. @param {Element} element @param {...(Child | Child[])} children */
export function fill(element, ...children) {
  element.replaceChildren(...present(children));
}

/**
 * Makes an SVG element with attributes.
 *
 * @param {string} tag
 * @param {Record<string, string | number>} [attributes]
 * @param {...Node} children
 * @returns {SVGElement}
 */
export function svg(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes ?? {})) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

let count = 0;

/** An id that no other element has. @param {string} word @returns {string} */
export function freshId(word) {
  count += 1;
  return `${word}-${count}`;
}

/**
 * Tells the page that something was done in a part of it. Bubbles, so that whoever owns the noun may listen above.
 *
 * @param {Element} element @param {string} name @param {any} [detail]
 */
export function tell(element, name, detail) {
  element.dispatchEvent(new CustomEvent(name, { detail, bubbles: true }));
}
