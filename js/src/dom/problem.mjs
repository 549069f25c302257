// SPDX-License-Identifier: MIT
// @ts-check

/** A command of the program that the page can't carry out. `.problem` tells the program of it. */
export class DomProblem extends Error {
  /** @param {string} message @param {Record<string, any>} [more] which part of the command it is about */
  constructor(message, more = {}) {
    super(message);
    this.more = more;
  }
}
