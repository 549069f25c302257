// SPDX-License-Identifier: MIT
// command.mjs - a running `httpsocket`: its stdin, and its output.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import readline from 'node:readline';
import { BUILD } from './server.mjs';

export class Command {
  /** The lines of stdout so far. */
  lines = [];
  /** All of stderr so far. */
  err = '';
  #chunks = [];
  #taken = 0;
  #wake = new Set();

  static running = new Set();

  /** Ends the commands that tests have left running. */
  static killAll() {
    for (const { child } of Command.running) child.kill('SIGKILL');
  }

  static starts(...args) {
    return new Command(args.map(String));
  }

  /** Runs a command to its end, with this stdin: {status, out, err}, as text. */
  static async runs(args, input = '') {
    const command = Command.starts(...args);
    command.child.stdin.end(input);
    const { status, out, err } = await command.ended;
    return { status, out: out.toString('latin1'), err };
  }

  constructor(args) {
    const child = (this.child = spawn(path.join(BUILD, 'httpsocket'), args, { stdio: 'pipe' }));
    Command.running.add(this);
    child.setMaxListeners(100); // one a line that is waited for
    child.stdin.on('error', () => {}); // it may have ended
    child.stdout.on('data', (data) => this.#chunks.push(data));
    readline
      .createInterface({ input: child.stdout })
      .on('line', (line) => (this.lines.push(line), this.#look()));
    child.stderr.on('data', (data) => ((this.err += data), this.#look()));
    /** Resolves with {status, signal, out (bytes), err (text)}. */
    this.ended = once(child, 'close').then(([status, signal]) => {
      Command.running.delete(this);
      return { status, signal, out: this.out, err: this.err };
    });
  }

  /** All of stdout so far. */
  get out() {
    return Buffer.concat(this.#chunks);
  }

  says(...lines) {
    for (const line of lines) this.child.stdin.write(`${line}\n`);
  }

  /** The next line of stdout that matches. */
  hears(pattern) {
    return this.#seen(() => {
      while (this.#taken < this.lines.length)
        if (pattern.test(this.lines[this.#taken++])) return this.lines[this.#taken - 1];
      return undefined;
    });
  }

  /** All of stderr, once it matches. */
  complains(pattern) {
    return this.#seen(() => (pattern.test(this.err) ? this.err : undefined));
  }

  #look() {
    for (const look of this.#wake) look();
  }

  #seen(find) {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = find();
        if (found !== undefined) (this.#wake.delete(look), resolve(found));
      };
      const last = () => `${this.err}\n${this.lines.slice(-5).join('\n')}`;
      this.#wake.add(look);
      this.child.on('close', () => (look(), reject(new Error(`ended: ${last()}`))));
      look();
    });
  }
}
