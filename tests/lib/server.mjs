// SPDX-License-Identifier: MIT
// server.mjs - a httpsocketd of the build under test, on loopback and a port of its own.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { request } from './request.mjs';
import { until } from './until.mjs';

export const REPO = path.resolve(
  import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname),
  '../..',
);
export const PROGRAMS = path.join(REPO, 'tests/scenario/programs');
export const BUILD = path.resolve(process.env.HTTPSOCKET_BUILD ?? path.join(REPO, 'build-dev'));

/** By what servers under test wait: HTTPSOCKET_IO=epoll, or io_uring; without it, as they like. */
export const IO = process.env.HTTPSOCKET_IO ? ['--io', process.env.HTTPSOCKET_IO] : [];
/** Where servers under test have their keys, for those who are not started by tools/test. */
const STATE = path.join(os.tmpdir(), 'httpsocket-test-state');
const OK = { code: 0, signal: null };
const running = new Set();

/** Kills the processes that failed tests have left running; for a file's last `after`. */
export const stopAll = () => Promise.all([...running].map((server) => server.stop('SIGKILL')));

/** A running program that has said `listening on URL`, once for each of its listeners. */
class Server {
  /** The lines of stderr so far. */
  log = [];
  /** The URLs of its listeners. */
  urls = [];
  /** A test that crashes the server says so here. */
  mayCrash = false;
  #waiting = new Set();

  constructor(child) {
    this.child = child;
    // `close` comes after `exit`, when the last line of its log has been read.
    this.exited = once(child, 'close').then(([code, signal]) => {
      running.delete(this);
      return { code, signal };
    });
    running.add(this);
    if (child.stderr)
      readline.createInterface({ input: child.stderr }).on('line', (line) => this.#read(line));
  }

  /** A crash is to be seen, although the supervisor mends it: the test fails that is running. */
  #read(line) {
    this.log.push(line);
    if (/ server\.crashed |"server\.crashed"/.test(line) && !this.mayCrash)
      setImmediate(() => assert.fail(`the server crashed:\n${this.log.slice(-60).join('\n')}`));
    for (const wait of this.#waiting)
      if (wait.pattern.test(line)) (this.#waiting.delete(wait), wait.resolve(line));
  }

  async listens(listeners) {
    for await (const line of readline.createInterface({ input: this.child.stdout })) {
      const found = /^listening on (\S+)$/.exec(line);
      if (found) this.urls.push(found[1]);
      if (this.urls.length === listeners) return;
    }
    throw new Error(`${this.child.spawnfile} ended before it listened:\n${this.log.join('\n')}`);
  }

  /**
   * The process that serves: a child of the one that was started, which supervises it, or that one
   * itself.
   */
  get pid() {
    return servingOf(this.child.pid) ?? this.child.pid;
  }

  get url() {
    return this.urls[0];
  }

  get port() {
    return Number(/:(\d+)$/.exec(this.url)?.[1]);
  }

  at(where) {
    return `${this.url}/${where}`;
  }

  /** Resolves with the first line that matches, past or future. */
  logged(pattern) {
    const seen = this.log.find((line) => pattern.test(line));
    if (seen) return Promise.resolve(seen);
    return new Promise((resolve) => this.#waiting.add({ pattern, resolve }));
  }

  /** The lines so far that match. */
  lines(pattern) {
    return this.log.filter((line) => pattern.test(line));
  }

  /** The body of the admin's answer, of a server that was started with `--admin 127.0.0.1:0`. */
  async asksAdmin(where) {
    return (await request(`${await adminOf(this)}/${where}`)).body;
  }

  /** The numbers of /metrics: {name: number}. */
  async metrics() {
    const lines = (await this.asksAdmin('metrics'))
      .split('\n')
      .filter((line) => line && !line.startsWith('#'));
    return Object.fromEntries(
      lines.map((line) => /^(.*) (\S+)$/.exec(line).slice(1)).map(([n, v]) => [n, Number(v)]),
    );
  }

  /** One metric, by its name without `httpsocket_`. */
  async metric(name) {
    return (await this.metrics())[`httpsocket_${name}`];
  }

  /** Waits until a metric has this value. */
  hasMetric(name, value) {
    return until(
      async () => (await this.metric(name)) === value,
      () => `${name} ${value}`,
    );
  }

  /** Waits until the server has as many child processes. */
  hasChildren(count) {
    return until(
      () => resources(this.pid).children.length === count,
      () => `${count} children, but ${resources(this.pid).children.length}`,
    );
  }

  /** The bytes of memory that the server has for itself now. */
  get resident() {
    const status = fs.readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+)/.exec(status)[1]) * 1024;
  }

  /** The most that it has ever had. */
  get residentPeak() {
    const status = fs.readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return Number(/VmHWM:\s+(\d+)/.exec(status)[1]) * 1024;
  }

  /** Waits until no child and no more descriptors are left than when this was called first. */
  async isAtRest() {
    this.descriptorsAtRest ??= (await this.hasChildren(0), resources(this.pid).descriptors);
    const describe = () => {
      const now = JSON.stringify(resources(this.pid));
      return `${now}, at rest ${this.descriptorsAtRest}\n${this.log.slice(-20).join('\n')}`;
    };
    await until(() => {
      const { children, descriptors } = resources(this.pid);
      return children.length === 0 && descriptors <= this.descriptorsAtRest;
    }, describe);
  }

  /** Ends the server, if it has not ended yet; resolves with {code, signal}. */
  async stop(signal = 'SIGTERM') {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
    return this.exited;
  }

  /** Ends the server by SIGTERM, which is to succeed, with nothing for a sanitizer to report. */
  async ends() {
    assert.deepEqual(await this.stop(), OK, this.log.slice(-40).join('\n'));
    assert.deepEqual(
      this.lines(/ERROR: AddressSanitizer|WARNING: ThreadSanitizer|runtime error/),
      [],
    );
  }
}

/**
 * Starts a program and waits until it listens. A test ends it in its `after`. Its stderr is read
 * as its log, unless it is a descriptor of the test's own. `by` is a command that executes the one
 * which follows it.
 */
export async function startProgram(
  file,
  args,
  { env = {}, cwd, listeners = 1, stderr = 'pipe', by = [] } = {},
) {
  const command = [...by, file, ...args];
  const child = spawn(command[0], command.slice(1), {
    cwd,
    env: { XDG_STATE_HOME: STATE, ...process.env, ...env },
    stdio: ['ignore', 'pipe', stderr],
  });
  const server = new Server(child);
  await server.listens(listeners);
  return server;
}

/**
 * httpsocketd on 127.0.0.1; `args` are more options. It serves the folder `root`, or one of its own
 * with these `files` (see makeRoot), which is removed at its end, and has this `mode`. `listen:
 * false`: a config file says where it listens.
 */
export async function startServer({
  root = PROGRAMS,
  files,
  args = [],
  threads = 2,
  mode,
  listen = true,
  ...more
} = {}) {
  const folder = files && makeRoot(files);
  if (mode) fs.chmodSync(folder.root, mode);
  const isTold = !listen || args.includes('--listen') || args.includes('-l');
  const listens = isTold ? [] : ['--listen', '127.0.0.1:0'];
  const server = await startProgram(
    path.join(BUILD, 'httpsocketd'),
    [...listens, ...IO, '--threads', String(threads), ...args, folder?.root ?? root],
    more,
  );
  if (folder) server.exited.then(folder.remove);
  server.root = folder?.root ?? root;
  return server;
}

/** A page program for `files`: one of PROGRAMS by its name, or this text. */
export const program = (text) => ({
  text: text.startsWith('#!') ? text : fs.readFileSync(path.join(PROGRAMS, text), 'utf8'),
  mode: 0o755,
});

/** The URL of the admin listener of a server that was started with `--admin 127.0.0.1:0`. */
export async function adminOf(server) {
  return `http://${/address=(\S+)/.exec(await server.logged(/admin\.listening/))[1]}`;
}

/**
 * A folder under the system's temporary one with these files: {name: text} or {name: {text, mode}};
 * `remove()` it afterwards.
 */
export function makeRoot(files) {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'httpsocket-test-'));
  for (const [name, file] of Object.entries(files)) {
    const { text, mode = 0o644 } = typeof file === 'string' ? { text: file } : file;
    fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    fs.writeFileSync(path.join(root, name), text, { mode });
    fs.chmodSync(path.join(root, name), mode);
  }
  return { root, remove: () => fs.rmSync(root, { recursive: true, force: true }) };
}

/** Whether anybody listens on this port of an IPv4 address. */
export function listens(port) {
  const local = port.toString(16).toUpperCase().padStart(4, '0');
  return new RegExp(`:${local} 00000000:0000 0A `).test(fs.readFileSync('/proc/net/tcp', 'utf8'));
}

const exe = (pid) => fs.readlinkSync(`/proc/${pid}/exe`);

/** It watches the serving process, and is a child of the supervisor as that one is. */
const isKeeper = (pid) => fs.readFileSync(`/proc/${pid}/comm`, 'latin1') === 'httpsocketd-end\n';

/** The serving process of a supervisor: its child that runs the same file. */
export function servingOf(supervisor) {
  try {
    const file = exe(supervisor);
    return childrenOf(supervisor).find((pid) => exe(pid) === file && !isKeeper(pid));
  } catch {
    return undefined; // one of them has just ended
  }
}

const childrenOf = (pid, task = pid) =>
  fs
    .readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8')
    .trim()
    .split(/\s+/)
    .filter(Boolean)
    .map(Number);

/** The children and descriptors of a process, to see that nothing stays behind. */
export function resources(pid) {
  const children = fs.readdirSync(`/proc/${pid}/task`).flatMap((task) => childrenOf(pid, task));
  return { children, descriptors: fs.readdirSync(`/proc/${pid}/fd`).length };
}
