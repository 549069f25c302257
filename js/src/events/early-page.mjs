// SPDX-License-Identifier: MIT
// @ts-check
/**
 * A page before its program listens: what happens there, and the forms and fields that the program
 * is to hear of. Made once for a document, as early as possible, and lives as long as that.
 */
import { EarlyEvents } from './early-events.mjs';
import { domGet } from '../base/dom-property.mjs';
import { HeldSubmits } from './held-submits.mjs';
import { Secrets } from './secrets.mjs';

export class EarlyPage {
  /** @param {any} document @param {import('../base/clock.mjs').Clock} clock */
  constructor(document, clock) {
    const window = domGet(document, 'defaultView');
    this.secrets = new Secrets(document);
    this.submits = new HeldSubmits(window, clock, this.secrets);
    this.events = new EarlyEvents(window, this.secrets);
    /**
     * Made by the first listener.
     * @type {import('./restored-fields.mjs').RestoredFields | undefined}
     */
    this.fields = undefined;
  }

  /** The program is reached. */
  opened() {
    this.submits.opened();
  }

  /** The session is over. */
  over() {
    this.events.stop();
    this.submits.over();
  }

  /** The page has no program. */
  stop() {
    this.events.stop();
    this.submits.stop();
  }
}
