// SPDX-License-Identifier: MIT
// gate.mjs - a FIFO `gate` in a folder: programs wait at it (programs/gate.sh, tally.py) until a
// test opens it.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { makeRoot } from './server.mjs';
import { until } from './until.mjs';

export class Gate {
  constructor() {
    const { root, remove } = makeRoot({});
    Object.assign(this, { root, remove, path: path.join(root, 'gate') });
    execFileSync('mkfifo', [this.path]);
  }

  /** Opens the gate. Resolves when the program that waits has been let through. */
  opens() {
    return fs.promises.writeFile(this.path, 'open\n');
  }

  /** The processes that have come to the gate so far, as gate.sh writes them down. */
  get arrived() {
    const notes = path.join(this.root, 'started');
    return fs.existsSync(notes) ? fs.readFileSync(notes, 'utf8').trim().split('\n') : [];
  }

  hasArrivals() {
    return until(() => this.arrived.length > 0);
  }
}
