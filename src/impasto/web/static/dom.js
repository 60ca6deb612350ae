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

/**
 * Replaces the children of an element in which something may have the focus: the control with the same `data-key` gets it
 * again, or else the one that is now in its place, or the element itself. Focus never falls back to the page's beginning.
 *
 * @param {HTMLElement} element @param {...(Child | Child[])} children
 */
export function refill(element, ...children) {
  const focused = /** @type {HTMLElement | null} */ (element.contains(document.activeElement) ? document.activeElement : null);
  const place = focused ? controlsIn(element).indexOf(focused) : -1;
  fill(element, ...children);
  if (!focused) return;
  const { key } = focused.dataset;
  const controls = controlsIn(element);
  const same = key ? controls.find((control) => control.dataset["key"] === key) : undefined;
  focusOn(same ?? controls[Math.min(Math.max(place, 0), controls.length - 1)] ?? element);
}

/** What can have the focus within an element, in order. @param {Element} element @returns {HTMLElement[]} */
function controlsIn(element) {
  return [...element.querySelectorAll("a[href], button:not(:disabled), input:not(:disabled), select, summary")].map((control) => /** @type {HTMLElement} */ (control));
}

/** Gives the focus to an element that may not take it from the Tab key. @param {HTMLElement} element */
export function focusOn(element) {
  if (element.tabIndex < 0 && !element.hasAttribute("tabindex")) element.tabIndex = -1;
  element.focus({ preventScroll: true });
}

/** A text as nodes: what is between backticks becomes code. @param {string} text @returns {(Node | string)[]} */
export function worded(text) {
  return text.split("`").map((part, index) => (index % 2 ? h("code", null, part) : part));
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
