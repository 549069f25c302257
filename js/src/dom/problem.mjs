// SPDX-License-Identifier: MIT
// @ts-check

/** A command of the program that the page can't run. `.problem` tells the program. */
export class DomProblem extends Error {
  /**
   * @param {string} message
   * @param {Record<string, any>} [more] which part of the command has failed
   */
  constructor(message, more = {}) {
    super(message);
    this.more = more;
  }
}
