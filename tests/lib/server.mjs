// SPDX-License-Identifier: MIT
// server.mjs - a httpsocketd of the build under test, on loopback and a port of its own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';

export const REPO = path.resolve(
  import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname),
  '../..',
);
export const BUILD = path.resolve(process.env.HTTPSOCKET_BUILD ?? path.join(REPO, 'build-dev'));

/**
 * Starts a program and waits for its line `listening on URL`.
 *
 * The result: `url` and `port` of the first listener, `urls` of all, `log` (the lines of stderr so
 * far), `logged(pattern)` (resolves with the first line that matches, past or future),
 * `stop(signal)` (ends it, resolves with {code, signal}). A test calls `stop()` in its `after`.
 */
export async function startProgram(file, args, { env = {}, cwd, listeners = 1 } = {}) {
  const child = spawn(file, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const log = [];
  const waiting = new Set();
  // `close` comes after `exit`, when the last line of its log has been read.
  const exited = once(child, 'close').then(([code, signal]) => ({ code, signal }));
  readline.createInterface({ input: child.stderr }).on('line', (line) => {
    log.push(line);
    for (const wait of waiting)
      if (wait.pattern.test(line)) (waiting.delete(wait), wait.resolve(line));
  });
  const urls = [];
  const ready = (async () => {
    for await (const line of readline.createInterface({ input: child.stdout })) {
      const found = /^listening on (\S+)$/.exec(line);
      if (found) urls.push(found[1]);
      if (urls.length === listeners) return;
    }
    throw new Error(`${path.basename(file)} ended before it listened:\n${log.join('\n')}`);
  })();
  await ready;
  return {
    child,
    pid: child.pid,
    urls,
    url: urls[0],
    port: Number(/:(\d+)$/.exec(urls[0])?.[1]),
    log,
    exited,
    logged(pattern) {
      const seen = log.find((line) => pattern.test(line));
      if (seen) return Promise.resolve(seen);
      return new Promise((resolve) => waiting.add({ pattern, resolve }));
    },
    async stop(signal = 'SIGTERM') {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      return exited;
    },
  };
}

/** httpsocketd on 127.0.0.1; `root` is a folder, `args` are more options. */
export function startServer({ root, args = [], threads = 2, ...more }) {
  const listen =
    args.includes('--listen') || args.includes('-l') ? [] : ['--listen', '127.0.0.1:0'];
  return startProgram(
    path.join(BUILD, 'httpsocketd'),
    [...listen, '--threads', String(threads), ...args, root],
    more,
  );
}

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

/** The children and descriptors of a process, to see that nothing stays behind. */
export function resources(pid) {
  const children = fs
    .readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .trim()
    .split(/\s+/)
    .filter(Boolean);
  for (const task of fs.readdirSync(`/proc/${pid}/task`)) {
    if (task === String(pid)) continue;
    children.push(
      ...fs
        .readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8')
        .trim()
        .split(/\s+/)
        .filter(Boolean),
    );
  }
  return { children: children.map(Number), descriptors: fs.readdirSync(`/proc/${pid}/fd`).length };
}
