// SPDX-License-Identifier: MIT
// @ts-check
/**
 * What the program wants of its page, by `.listen`, `.unlisten` and `.dom` (docs/protocol.md, section 9): given to who
 * carries it out, and the program is told of what could not be. A page that has not opened its document to a foreign
 * program does nothing of it.
 */
import { DomProblem } from './problem.mjs';

/** @typedef {(data: any) => void} Command throws a {@link DomProblem} for what can't be done */

export class Dom {
  #commands;
  #shut;
  #tell;

  /**
   * @param {Readonly<Record<string, Command>>} commands by word; without a prototype
   * @param {string | null} shut why none of them is carried out here, in words
   * @param {(problem: { command: string, message: string }) => void} tell tells the program
   */
  constructor(commands, shut, tell) {
    this.#commands = commands;
    this.#shut = shut;
    this.#tell = tell;
  }

  /** Carries out one command; never throws. @param {{ word: string, data: any }} command */
  take({ word, data }) {
    if (this.#shut !== null) return this.problem(word, new DomProblem(this.#shut));
    const command = this.#commands[word];
    if (!command) return this.problem(word, new DomProblem('this page does not know the command'));
    try {
      command(data);
    } catch (error) {
      this.problem(word, error);
    }
  }

  /** Something has gone wrong, perhaps later. @param {string} command @param {any} error */
  problem(command, error) {
    this.#tell({ command, message: String(error?.message ?? error), ...error?.more });
  }
}
