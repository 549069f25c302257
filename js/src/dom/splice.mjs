// SPDX-License-Identifier: MIT
// @ts-check
/** The difference of two texts as one splice. Pure. */

/**
 * Replaces the part of a text from `start` to `end` with `text`.
 * @typedef {{ start: number, end: number, text: string }} Splice
 */

/**
 * The smallest splice that turns `before` into `after`. It does not cut a pair of surrogates.
 * @param {string} before @param {string} after
 * @returns {Splice}
 */
export function spliceOf(before, after) {
  const most = Math.min(before.length, after.length);
  let start = 0;
  while (start < most && before[start] === after[start]) start++;
  if (isHighSurrogate(before, start - 1)) start--;
  let kept = 0;
  while (kept < most - start && before.at(-1 - kept) === after.at(-1 - kept)) kept++;
  if (kept > 0 && isHighSurrogate(before, before.length - kept - 1) && kept < before.length) kept--;
  return { start, end: before.length - kept, text: after.slice(start, after.length - kept) };
}

/** @param {string} text @param {number} at */
function isHighSurrogate(text, at) {
  return (text.charCodeAt(at) & 0xfc00) === 0xd800;
}

/**
 * Where a caret goes when the text around it is spliced. It stays at the same characters.
 * @param {number} caret @param {Splice} splice
 */
export function shiftCaret(caret, { start, end, text }) {
  if (caret <= start) return caret;
  if (caret >= end) return caret + text.length - (end - start);
  return Math.min(caret, start + text.length);
}

/**
 * Merges two changes of one text: the user's, who types, and the program's, which answers to an
 * older text. Both changes are made. Where they overlap, the result is `kept`.
 * @param {string} seen the text that both have changed @param {string} typed
 * @param {string} answered @param {string} kept by default what the user typed
 */
export function mergeTexts(seen, typed, answered, kept = typed) {
  const ours = spliceOf(seen, typed);
  const theirs = spliceOf(seen, answered);
  const grown = ours.text.length - (ours.end - ours.start);
  let shift = 0;
  if (ours.end <= theirs.start && ours.start < theirs.end) shift = grown;
  else if (theirs.end > ours.start) return kept;
  return typed.slice(0, theirs.start + shift) + theirs.text + typed.slice(theirs.end + shift);
}
