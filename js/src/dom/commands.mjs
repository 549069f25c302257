// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Runs the program's commands to its page, `.listen`, `.unlisten` and `.dom` (docs/protocol.md,
 * section 9), and tells the program of commands that failed. A page that has not opened its
 * document to a program of another origin refuses all commands.
 */
import { DomProblem } from './problem.mjs';

/** @typedef {(data: any) => void} Command throws a {@link DomProblem} for what can't be done */

export class DomCommands {
  #commands;
  #refusal;
  #report;

  /**
   * @param {Readonly<Record<string, Command>>} commands by word; an object without a prototype
   * @param {string | null} refusal why this page runs no command, in words; null: it runs them
   * @param {(problem: { command: string, message: string }) => void} report tells the program
   */
  constructor(commands, refusal, report) {
    this.#commands = commands;
    this.#refusal = refusal;
    this.#report = report;
  }

  /** Runs one command. Never throws. @param {{ word: string, data: any }} command */
  run({ word, data }) {
    if (this.#refusal !== null) return this.problem(word, new DomProblem(this.#refusal));
    const command = this.#commands[word];
    if (!command) return this.problem(word, new DomProblem('this page does not know the command'));
    try {
      command(data);
    } catch (error) {
      this.problem(word, error);
    }
  }

  /** Reports that a command has failed, now or later. @param {string} command @param {any} error */
  problem(command, error) {
    this.#report({ command, message: String(error?.message ?? error), ...error?.more });
  }
}
