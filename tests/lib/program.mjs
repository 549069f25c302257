// SPDX-License-Identifier: MIT
// program.mjs - the process of a page program, as the system and the server's log see it.
import fs from 'node:fs';
import { until } from './until.mjs';

/** Whether the process runs. A zombie does not. */
export function alive(pid) {
  try {
    return !/^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** The processes that run with this text in their command line, whose words end with NUL. */
export function running(text) {
  const has = (pid) => {
    try {
      return fs.readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(text) && alive(pid);
    } catch {
      return false; // it has ended meanwhile
    }
  };
  const pids = fs.readdirSync('/proc').map(Number);
  return pids.filter((pid) => pid > 0 && pid !== process.pid && has(pid));
}

/** Waits until the process sleeps, as it does in a read or write that blocks. */
export const sleeps = (pid) =>
  until(() => /^State:\s+S/m.test(fs.readFileSync(`/proc/${pid}/status`, 'utf8')));

export class Program {
  /**
   * @param pid of the process @param page that it talks with; a SessionClient that knows its server
   */
  constructor(pid, page) {
    Object.assign(this, { pid, page });
  }

  get isAlive() {
    return alive(this.pid);
  }

  /** Waits until the process has ended and its parent knows. */
  async ends() {
    await until(
      () => !fs.existsSync(`/proc/${this.pid}`),
      () => `the end of ${this.pid}`,
    );
  }

  kill(signal) {
    process.kill(this.pid, signal);
  }

  /** Has the program (talk.py, board.py) write these lines on its descriptor 3. */
  says(...lines) {
    this.writes(lines.map((line) => `${line}\n`).join(''));
  }

  /** Has the program write exactly this text there. */
  writes(text) {
    this.page.says(`write ${JSON.stringify(text)}`);
  }

  /** The log has a line about this process that matches, by now or later. */
  logs(pattern) {
    const mine = (line) => line.includes(`pid=${this.pid} `) && pattern.test(line);
    return this.page.server.logged({ test: mine });
  }
}
