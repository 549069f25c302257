// SPDX-License-Identifier: MIT
// @ts-check
/** The part `events`: the program listens to the page. */
import { providePart } from './base/parts.mjs';
import { DomListeners } from './events/listeners.mjs';

providePart('events', {
  makeListeners: (/** @type {import('./events/listeners.mjs').ListenersOwner} */ owner) =>
    new DomListeners(owner),
});
