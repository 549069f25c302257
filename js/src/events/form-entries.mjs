// SPDX-License-Identifier: MIT
// @ts-check
/** What a form submits, as the program is told of it. */
import { domGet } from '../base/dom-property.mjs';
import { describeFile } from '../base/file-info.mjs';
import { formDataOf } from './controls.mjs';

/** @param {any} list a FileList */
export function filesOf(list) {
  return list && Array.from(list, describeFile);
}

/**
 * What the form would submit: a string or a file for each name, or a list of them.
 * @param {any} form @param {any} submitter the button, or null
 * @param {(control: any) => boolean} isLeftOut
 * @returns {Record<string, any>}
 */
export function entriesOf(form, submitter, isLeftOut) {
  return grouped(formDataOf(form, submitter), namesOf(form, isLeftOut));
}

/** @param {any} form @param {(control: any) => boolean} which @returns {Set<string>} */
export function namesOf(form, which) {
  return new Set(
    Array.from((form && domGet(form, 'elements')) ?? [])
      .filter(which)
      .map((control) => /** @type {any} */ (control).name),
  );
}

/** @param {Iterable<[string, any]>} entries @param {Set<string>} leftOut names */
export function grouped(entries, leftOut) {
  const all = Object.create(null); // a name may be __proto__
  for (const [name, value] of entries) {
    if (leftOut.has(name)) continue;
    const told = typeof value === 'string' ? value : isChosen(value) ? describeFile(value) : null;
    all[name] = name in all ? [all[name], told].flat() : told;
  }
  return all;
}

/** A file input without a file submits one that has no name and no bytes. @param {File} file */
function isChosen({ name, size }) {
  return name !== '' || size > 0;
}
