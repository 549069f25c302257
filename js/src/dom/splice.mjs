// SPDX-License-Identifier: MIT
// @ts-check
/** How one text became another: by one splice. Pure. */

/** The part of a text from `start` to `end` is replaced by `text`.
 * @typedef {{ start: number, end: number, text: string }} Splice */

/**
 * The smallest splice that makes `after` of `before`. No pair of surrogates is cut in two.
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
 * Where a caret goes when a splice is made around it: it stays at the same characters.
 * @param {number} caret @param {Splice} splice
 */
export function shiftCaret(caret, { start, end, text }) {
  if (caret <= start) return caret;
  if (caret >= end) return caret + text.length - (end - start);
  return Math.min(caret, start + text.length);
}

/**
 * Two have changed one text: the user, by typing, and the program, by its answer to what it had seen. Both changes are
 * made; where they touch the same characters, `kept` is the result.
 * @param {string} seen what both began with @param {string} typed @param {string} answered
 * @param {string} kept by default what the user typed
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
