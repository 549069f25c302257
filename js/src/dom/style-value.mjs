// SPDX-License-Identifier: MIT
// @ts-check
/**
 * The value of a style as a style sheet has it, such as `4px !important`, and its two parts as
 * `setProperty` wants them. By places, not by a pattern: a program's spaces would have it tried in
 * every way, and the page stand still.
 * @param {string} text
 * @returns {[value: string, priority: '' | 'important']}
 */
export function styleOf(text) {
  const sign = text.lastIndexOf('!');
  if (sign >= 0 && text.slice(sign + 1).trim() === 'important')
    return [text.slice(0, sign).trimEnd(), 'important'];
  return [text.trimEnd(), ''];
}
