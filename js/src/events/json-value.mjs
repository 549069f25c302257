// SPDX-License-Identifier: MIT
// @ts-check
/** A copy that JSON has words for, of whatever a page puts into an event: elements are described, files named. */
import { describeFile } from '../base/file-info.mjs';
import { describe } from './describe-target.mjs';
import { DomProblem } from '../dom/problem.mjs';

const MAX_DEPTH_OF_PLAIN = 100;

/**
 * @param {any} value
 * @param {any[]} [around] the objects that it is in
 * @returns {any} undefined for what JSON leaves out
 * @throws {DomProblem} for a cycle, and what would arrive as something else
 */
export function plain(value, around = []) {
  if (typeof value === 'bigint') throw new DomProblem('a BigInt is no JSON');
  if (typeof value === 'function' || typeof value === 'symbol') return undefined;
  if (typeof value !== 'object' || value === null) return value;
  if (around.includes(value) || around.length > MAX_DEPTH_OF_PLAIN)
    throw new DomProblem('a cycle, or too deep');
  if (value instanceof EventTarget) return describe(value);
  if (value instanceof Blob) return describeFile(value);
  if (typeof value.toJSON === 'function') return value.toJSON();
  const inside = [...around, value];
  const kind = Object.prototype.toString.call(value).slice(8, -1);
  if (LISTS.has(kind)) return Array.from(value, (item) => plain(item, inside) ?? null);
  if (value instanceof Error) return { name: value.name, message: value.message };
  if (!OBJECTS.has(kind)) throw new DomProblem(`a ${kind} is no JSON`);
  const copy = Object.create(null); // a key may be __proto__
  for (const key of Object.keys(value)) copy[key] = plain(value[key], inside);
  return copy;
}

const LISTS = new Set(['Array', 'NodeList', 'HTMLCollection', 'FileList', 'DOMTokenList']);
const OBJECTS = new Set(['Object', 'DOMStringMap']);
