// SPDX-License-Identifier: MIT
// upgrades.mjs - a server whose program file is replaced while it runs.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { BUILD, startProgram, PROGRAMS } from './server.mjs';
import { until } from './until.mjs';

/**
 * A server that was started by a link of its own; see startServer(). `installs(name)` has the link
 * point to another file: `next`, `foreign`, or text of a script.
 * `listen`: null if a config file says where.
 */
export async function startUpgradable({
  args = [],
  threads = 2,
  listen = ['--listen', '127.0.0.1:0'],
  root = PROGRAMS,
  ...more
} = {}) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'httpsocket-upgrade-'));
  const file = path.join(folder, 'httpsocketd');
  const point = (to) => {
    fs.symlinkSync(to, `${file}.new`);
    fs.renameSync(`${file}.new`, file);
  };
  point(path.join(BUILD, 'httpsocketd'));
  const server = await startProgram(
    file,
    [...(listen ?? []), '--threads', String(threads), ...args, root],
    more,
  );
  server.exited.then(() => fs.rmSync(folder, { recursive: true, force: true }));
  return Object.assign(server, {
    installs(name) {
      if (name.startsWith('#!')) {
        fs.writeFileSync(path.join(folder, 'script'), name, { mode: 0o755 });
        point(path.join(folder, 'script'));
      } else {
        point(path.join(BUILD, name ? `tests/httpsocketd-${name}` : 'httpsocketd'));
      }
    },
    done: 0,
    refused: 0,
    /** Sends SIGUSR2, and waits for what comes of it: the line of the log. */
    async isAsked() {
      server.child.kill('SIGUSR2');
      const seen = server.lines(/takeover\.(done|refused|failed)/).length;
      await until(() => server.lines(/takeover\.(done|refused|failed)/).length > seen);
      return server.lines(/takeover\.(done|refused|failed)/)[seen];
    },
    /** As isAsked(): it is done, and all ids of processes are what they were. */
    async upgrades() {
      const before = server.pid;
      const line = await server.isAsked();
      assert.match(line, /takeover\.done/, server.log.slice(-30).join('\n'));
      assert.equal(server.pid, before);
      return line;
    },
    /** As isAsked(): nothing changes, and the log says why. */
    async refuses(why) {
      const line = await server.isAsked();
      assert.match(line, /takeover\.refused/);
      assert.match(line, why);
    },
  });
}
