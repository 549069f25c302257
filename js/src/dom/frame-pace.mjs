// SPDX-License-Identifier: MIT
// @ts-check
/**
 * How often the page is changed. The first `.dom` in a frame is done as it comes; those that follow
 * in it wait for the next frame, and are done together: what is not changed between two frames
 * needs no new layout. A flood of them is drawn less often, so that the page is not busy with
 * drawing what nobody can see.
 */

import { domGet } from '../base/dom-property.mjs';

/** So many in one frame are a flood. */
const FLOOD = 64;
/** The longest time between two frames that are drawn in a flood. */
const LONGEST_FLOOD_MS = 100;
/** Of what a frame has cost, in a flood, before the next one. */
const REST = 2;
/** In a page that is hidden there are no frames. */
const HIDDEN_MS = 100;

export class FramePace {
  #messages;
  /** Whether the page was changed in this frame. */
  #isChanged = false;
  /** How many changes there were since the last frame. */
  #changes = 0;
  /** Whether a change waits for the frame. */
  #isHeld = false;
  #release = () => {};

  /** @param {import('./updates.mjs').Messages} messages */
  constructor(messages) {
    this.#messages = messages;
    messages.delays = () => this.#delays();
  }

  /** The page is changed now. */
  changed() {
    this.#changes++;
    if (this.#isChanged) return;
    this.#isChanged = true;
    nextFrame(() => this.#framed());
  }

  /** Whether a change that comes now waits. */
  #delays() {
    if (!this.#isChanged || domGet(document, 'visibilityState') === 'hidden') return false;
    this.#release = this.#messages.hold(() => this.#let(), true);
    this.#isHeld = true;
    return true;
  }

  #let() {
    this.#isHeld = false;
    this.#release();
  }

  #framed() {
    const start = performance.now();
    this.#changes = 0;
    this.#isChanged = this.#isHeld;
    if (!this.#isHeld) return;
    this.#let();
    const next = () => nextFrame(() => this.#framed());
    if (this.#changes < FLOOD) return next();
    // A timer comes behind what the browser does for this frame.
    setTimeout(() =>
      setTimeout(next, Math.min(LONGEST_FLOOD_MS, REST * (performance.now() - start))),
    );
  }
}

/** @param {() => void} run once */
function nextFrame(run) {
  const once = () => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    run();
  };
  const frame = requestAnimationFrame(once);
  const timer = setTimeout(once, HIDDEN_MS);
}
