// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Keeps what is chosen in a `<select>` while its options change. A choice is the values that are
 * chosen, and not their places. It stays until the markup says another choice (`selected`) than
 * before. What nobody has chosen, but the browser shows, is no choice: then the new list shows what
 * it would show in a fresh page.
 */
import { choiceIn } from './fields.mjs';
import { typed } from './typed.mjs';
import { typing } from './typing.mjs';

/**
 * A chosen option: its value, and which of the options with this value it is.
 * @typedef {{ option: any, value: string, nth: number }} Chosen
 */

/**
 * The select that shows the children of the node, or the node's own children; null: none does.
 * @param {any} node
 */
export function selectAround(node) {
  const { localName } = node;
  if (localName === 'select') return node;
  return localName === 'option' || localName === 'optgroup' ? node.closest('select') : null;
}

/**
 * Changes options.
 * @template T
 * @param {any} select or null @param {boolean} force whether what the markup says is chosen anew
 * @param {() => T} change
 * @returns {T}
 */
export function keepingChoice(select, force, change) {
  if (!select) return change();
  const had = select.options.length > 0;
  const before = saidIn(select);
  const now = choiceIn(select);
  const chosen = isChoice(select) ? chosenIn(select) : null;
  const result = change();
  const said = saidIn(select);
  const isOlder = !force && said !== now && typing.wentOnFrom(select, said);
  if (force || (said !== before && !isOlder)) {
    typed.forget(select);
    chooseDefault(select);
  } else {
    if (!had || !chosen || !restore(select, chosen)) chooseDefault(select);
    // If that is the last word, the program has refused what the user went on to.
    if (said !== before) typing.later(select, said, () => chooseDefault(select));
  }
  return result;
}

/** The values that the markup chooses, as one text. @param {any} select */
function saidIn(select) {
  const said = Array.from(select.options).filter(({ defaultSelected }) => defaultSelected);
  return JSON.stringify(said.map(({ value }) => value));
}

/** @param {any} select @returns {Chosen[]} */
function chosenIn(select) {
  const counts = new Map();
  const chosen = /** @type {Chosen[]} */ ([]);
  for (const option of select.options) {
    const { value, selected } = option;
    const nth = counts.get(value) ?? 0;
    counts.set(value, nth + 1);
    if (selected) chosen.push({ option, value, nth });
  }
  return chosen;
}

/** Whether somebody has chosen what is chosen. @param {any} select */
function isChoice(select) {
  if (typed.hasChosen(select)) return true;
  const wanted = defaultsOf(select);
  return Array.from(select.options).some((option) => option.selected !== wanted.has(option));
}

/**
 * The options that a fresh page would choose.
 * @param {any} select @returns {Set<any>}
 */
function defaultsOf(select) {
  const options = Array.from(select.options);
  const said = options.filter(({ defaultSelected }) => defaultSelected);
  if (select.multiple) return new Set(said);
  const shown = select.size > 1 ? undefined : options.find((option) => !isDisabled(option));
  const one = said.at(-1) ?? shown;
  return new Set(one ? [one] : []);
}

/** @param {any} option */
function isDisabled(option) {
  return option.disabled || option.closest('optgroup')?.disabled === true;
}

/** @param {any} select */
function chooseDefault(select) {
  choose(select, defaultsOf(select));
}

/**
 * @param {any} select @param {Chosen[]} chosen
 * @returns {boolean} whether one of the options is there still, or none was chosen
 */
function restore(select, chosen) {
  const options = Array.from(select.options);
  const found = chosen.map(({ option, value, nth }) => {
    if (option.value === value && options.includes(option)) return option;
    const same = options.filter((other) => other.value === value);
    return same[nth] ?? same[0];
  });
  const wanted = new Set(found.filter(Boolean));
  if (chosen.length && !wanted.size) return false;
  choose(select, wanted);
  return true;
}

/** @param {any} select @param {Set<any>} wanted */
function choose(select, wanted) {
  const options = Array.from(select.options);
  if (options.every((option) => option.selected === wanted.has(option))) return;
  if (!select.multiple) select.selectedIndex = options.indexOf([...wanted][0]);
  else for (const option of options) option.selected = wanted.has(option);
}
