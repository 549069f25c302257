// SPDX-License-Identifier: MIT
// @ts-check
/** Key combinations as a listener names them: `Enter`, `Ctrl+s`, `Shift+F3`, `?`. Pure. */
import { DomProblem } from '../dom/problem.mjs';

/** In the order in which a program is told of them. */
const MODIFIERS = Object.freeze(['Ctrl', 'Alt', 'Shift', 'Meta']);

/** @typedef {{ key: string, modifiers: Set<string> }} Combo */

/** @param {string} text @returns {Combo} @throws {DomProblem} */
export function parseCombo(text) {
  const [, before, key] = /^((?:[^+]+\+)*)(\+|[^+]+)$/.exec(text) ?? [];
  const modifiers = before?.split('+').slice(0, -1) ?? [];
  const known = modifiers.every((name) => MODIFIERS.includes(name));
  if (!key || !known || !(isPrintable(key) || /^[A-Z]\w*$/.test(key)))
    throw new DomProblem(
      `no key: ${text.slice(0, 40)} (such as Enter, Ctrl+s, Shift+F3; ${MODIFIERS.join(', ')})`,
    );
  return { key: key === 'Space' ? ' ' : key, modifiers: new Set(modifiers) };
}

/**
 * @param {string} text such as `Shift+Ctrl`; empty: none
 * @returns {string} as modifiersOf() has it
 * @throws {DomProblem}
 */
export function parseModifiers(text) {
  const names = text === '' ? [] : text.split('+');
  if (!names.every((name) => MODIFIERS.includes(name)))
    throw new DomProblem(`no modifiers: ${text.slice(0, 40)} (${MODIFIERS.join(', ')})`);
  return MODIFIERS.filter((name) => names.includes(name)).join('+');
}

/**
 * Whether the event is one of these combinations. A key that goes to an input method never is.
 * @param {any} event @param {Combo[]} combos
 */
export function isOneOf(event, combos) {
  if (event.isComposing || event.keyCode === 229) return false;
  const held = heldModifiers(event);
  return combos.some((combo) => isKey(event, combo.key) && isHeld(held, combo));
}

/**
 * The modifiers that are held, such as `Ctrl+Shift`; empty if there are none.
 * @param {any} event
 */
export function modifiersOf(event) {
  return MODIFIERS.filter((name) => event[`${name.toLowerCase()}Key`]).join('+');
}

/** Whether this key alone writes a character. @param {any} event */
export function writesText(event) {
  return isPrintable(event.key) && !heldModifiers(event).some((name) => name !== 'Shift');
}

/** @param {string} key */
function isPrintable(key) {
  return [...key].length === 1;
}

/**
 * Some platforms report AltGr as Ctrl+Alt. It is no modifier of the character that it writes.
 * @param {any} event
 */
function heldModifiers(event) {
  const writes = isPrintable(event.key) && event.getModifierState?.('AltGraph');
  return MODIFIERS.filter(
    (name) => event[`${name.toLowerCase()}Key`] && !(writes && (name === 'Ctrl' || name === 'Alt')),
  );
}

/** @param {any} event @param {string} key */
function isKey(event, key) {
  if (event.code === key || event.key === key) return true;
  return isPrintable(key) && event.key?.toLowerCase() === key.toLowerCase();
}

/**
 * Whether the right modifiers are held. Shift is ignored if it was needed to type the character.
 * @param {string[]} held @param {Combo} combo
 */
function isHeld(held, { key, modifiers }) {
  const free = isPrintable(key) && key !== ' ' && key.toLowerCase() === key.toUpperCase();
  return MODIFIERS.every(
    (name) =>
      held.includes(name) === modifiers.has(name) ||
      (free && name === 'Shift' && !modifiers.has(name)),
  );
}
