// SPDX-License-Identifier: MIT
// @ts-check
/** The types of parsed JSON values. */

/** @param {any} value @returns {value is string} */
export function isString(value) {
  return typeof value === 'string';
}

/**
 * Whether the value can stand for a text.
 * @param {any} value @returns {value is string | number}
 */
export function isText(value) {
  return typeof value === 'string' || typeof value === 'number';
}

/** @param {any} value @returns {value is boolean} */
export function isBoolean(value) {
  return typeof value === 'boolean';
}

/** @param {any} value @returns {value is Record<string, any>} */
export function isMap(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
