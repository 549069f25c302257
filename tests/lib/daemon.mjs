// SPDX-License-Identifier: MIT
// daemon.mjs - a program of somebody else that a test runs beside the server: redis-server,
// haproxy, nginx. It has a temporary folder, and both end with the test.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';

const PORT_FIRST = 12000; // up to 32000: below those that the system gives to clients
const BLOCK_PORTS = 50;
const BLOCKS = 400;
const running = new Set();
const folders = new Set();
let block = { next: 0, end: 0 };

/** Ends what failed tests have left running; for a file's last `after`. */
export const endDaemons = () => Promise.all([...running].map((daemon) => daemon.stop('SIGKILL')));

process.on('exit', () => {
  for (const { child } of running) child.kill('SIGKILL');
  for (const folder of folders) fs.rmSync(folder, { recursive: true, force: true });
});

/** A server that listens there; null: somebody else does. */
async function listensAt(port) {
  const server = net.createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return server;
  } catch {
    return null;
  }
}

/**
 * Some ports in a row that no other test file gives away: whoever listens at the first one, until
 * its process ends, has all of them.
 */
async function ownBlock() {
  for (;;) {
    const first = PORT_FIRST + BLOCK_PORTS * Math.floor(Math.random() * BLOCKS);
    const owner = await listensAt(first);
    if (!owner) continue;
    owner.unref();
    return { next: first + 1, end: first + BLOCK_PORTS };
  }
}

/**
 * A port of 127.0.0.1 that nobody uses now, and that neither the system nor another test gives away
 * meanwhile: for a program that is to have the same one after its restart.
 */
export async function ownPort() {
  for (;;) {
    if (block.next === block.end) block = await ownBlock();
    const port = block.next++;
    const probe = await listensAt(port);
    if (!probe) continue;
    probe.close();
    await once(probe, 'close');
    return port;
  }
}

/** A folder for a program's files; it is gone when the test file ends. */
export function ownFolder(name) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), `httpsocket-${name}-`));
  folders.add(folder);
  return folder;
}

/** Whether this program of Debian is here. */
export const isInstalled = (file) => fs.existsSync(file);

export class Daemon {
  /** The lines that it has printed, on stdout or stderr. */
  log = [];
  #waiting = new Set();

  constructor(file, args, options = {}) {
    this.child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    this.exited = once(this.child, 'close').then(([code, signal]) => {
      running.delete(this);
      for (const { reject } of this.#waiting)
        reject(new Error(`${file} has ended:\n${this.log.slice(-20).join('\n')}`));
      this.#waiting.clear();
      return { code, signal };
    });
    running.add(this);
    for (const input of [this.child.stdout, this.child.stderr])
      readline.createInterface({ input }).on('line', (line) => this.#read(line));
  }

  get pid() {
    return this.child.pid;
  }

  get isRunning() {
    return running.has(this);
  }

  #read(line) {
    this.log.push(line);
    for (const wait of this.#waiting)
      if (wait.pattern.test(line)) (this.#waiting.delete(wait), wait.resolve(line));
  }

  /** Resolves with the first line that matches, past or future; rejects when the program ends. */
  logged(pattern) {
    const seen = this.log.find((line) => pattern.test(line));
    if (seen) return Promise.resolve(seen);
    return new Promise((resolve, reject) => this.#waiting.add({ pattern, resolve, reject }));
  }

  /** It does nothing until goesOn(), and its sockets stay open. */
  pauses() {
    this.child.kill('SIGSTOP');
  }

  goesOn() {
    this.child.kill('SIGCONT');
  }

  /** Resolves with {code, signal}. One that is paused ends, too. */
  async stop(signal = 'SIGTERM') {
    if (this.isRunning) {
      this.child.kill(signal);
      this.child.kill('SIGCONT');
    }
    return this.exited;
  }
}
