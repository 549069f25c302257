// SPDX-License-Identifier: MIT
// @ts-check
/** The part `dom`: the program changes the page. */
import { providePart } from './base/parts.mjs';
import { PageUpdates } from './dom/updates.mjs';

providePart('dom', {
  makeUpdates: (/** @type {ConstructorParameters<typeof PageUpdates>} */ ...of) =>
    new PageUpdates(...of),
});
