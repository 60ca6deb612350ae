// Owns the keyboard: every shortcut, what it does and the words for it on the help sheet.

/** @typedef {{keys: string[], words: string, act: (() => void) | null, where: string}} Shortcut */

/** @type {Shortcut[]} */
const shortcuts = [];

/**
 * Adds a shortcut. Without `act` it is only described: the part that has the focus acts by itself.
 *
 * @param {string} where @param {string[]} keys @param {string} words @param {(() => void) | null} [act]
 */
export function shortcut(where, keys, words, act = null) {
  shortcuts.push({ where, keys, words, act });
}

/** All shortcuts, by where they hold. @returns {Map<string, Shortcut[]>} */
export function described() {
  /** @type {Map<string, Shortcut[]>} */ const groups = new Map();
  for (const one of shortcuts) groups.set(one.where, [...(groups.get(one.where) ?? []), one]);
  return groups;
}

/** Listens to the whole page. Single letters are left alone where people type, and while a dialog is open. */
export function listenToKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.altKey) return;
    const target = /** @type {Element} */ (event.target);
    const typing = target.matches("input:not([type=range], [type=radio], [type=checkbox]), textarea, select");
    const command = event.ctrlKey || event.metaKey;
    if ((typing && !command) || document.querySelector("dialog[open]")) return;
    const name = (command ? "Ctrl+" : "") + (event.key.length === 1 ? event.key.toLowerCase() : event.key);
    const found = shortcuts.find((one) => one.act && one.keys.includes(name));
    if (!found?.act) return;
    event.preventDefault();
    found.act();
  });
}
