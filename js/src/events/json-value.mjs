// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Copies any value that a page puts into an event, so that JSON can express it. Elements and files
 * are described.
 */
import { describeFile } from '../base/file-info.mjs';
import { describeTarget } from './describe-target.mjs';
import { DomProblem } from '../dom/problem.mjs';

const MAX_JSON_VALUE_DEPTH = 100;

/**
 * @param {any} value
 * @param {any[]} [around] the objects that contain it
 * @returns {any} undefined: JSON leaves the value out
 * @throws {DomProblem} for a cycle, and for a value that would arrive as something else
 */
export function toJsonValue(value, around = []) {
  if (typeof value === 'bigint') throw new DomProblem('a BigInt is no JSON');
  if (typeof value === 'function' || typeof value === 'symbol') return undefined;
  if (typeof value !== 'object' || value === null) return value;
  if (around.includes(value) || around.length > MAX_JSON_VALUE_DEPTH)
    throw new DomProblem('a cycle, or too deep');
  if (value instanceof EventTarget) return describeTarget(value);
  if (value instanceof Blob) return describeFile(value);
  if (typeof value.toJSON === 'function') return value.toJSON();
  const inside = [...around, value];
  const kind = Object.prototype.toString.call(value).slice(8, -1);
  if (LISTS.has(kind)) return Array.from(value, (item) => toJsonValue(item, inside) ?? null);
  if (value instanceof Error) return { name: value.name, message: value.message };
  if (!OBJECTS.has(kind)) throw new DomProblem(`a ${kind} is no JSON`);
  const copy = Object.create(null); // a key may be __proto__
  for (const key of Object.keys(value)) copy[key] = toJsonValue(value[key], inside);
  return copy;
}

const LISTS = new Set(['Array', 'NodeList', 'HTMLCollection', 'FileList', 'DOMTokenList']);
const OBJECTS = new Set(['Object', 'DOMStringMap']);
