// SPDX-License-Identifier: MIT
// strangers.test.mjs - what a program is kept from: the operator's terminal, the server's memory
// and descriptors, a life after the server's.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { openPlain } from '../lib/plain-client.mjs';
import { alive } from '../lib/program.mjs';
import { BUILD, program, startServer, stopAll } from '../lib/server.mjs';
import { after, test } from '../lib/test.mjs';
import { until } from '../lib/until.mjs';
import { visitor } from '../lib/visitor.mjs';

after(stopAll);

const page = (shell) =>
  program(`#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nexec 2>&1\n${shell}\n`);
const python = (lines) => [
  'python3',
  '-c',
  `import sys, os\n${lines}\nos.execv(sys.argv[1], sys.argv[1:])`,
];

const IN_A_TERMINAL = python(`
import fcntl, pty, termios
ours, theirs = pty.openpty()
os.setsid()
fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)
os.set_inheritable(ours, True)`);

test("it reads nothing from the terminal that the server was started in, and isn't stopped", async () => {
  const server = await startServer({
    files: { ask: page('read x </dev/tty; echo "status $?"') },
    args: ['--answer-timeout', '5s'],
    by: IN_A_TERMINAL,
  });
  const { status, body } = await visitor.asks(server.at('ask'));
  assert.equal(status, 200);
  assert.match(body, /No such device or address/);
  await server.ends();
});

test('it is gone when the server was killed, though it does not read descriptor 3', async () => {
  const server = await startServer({
    files: { deaf: page('echo $$; exec >&- 2>&-; while :; do sleep 1000; done') },
  });
  const pid = Number((await visitor.asks(server.at('deaf'))).body);
  assert.ok(alive(pid));
  await server.stop('SIGKILL');
  await until(
    () => !alive(pid),
    () => `the end of ${pid}`,
  );
});

test('a server that was started with SIGCHLD ignored hears how programs end', async () => {
  const server = await startServer({
    files: { short: page('echo done; exit 3') },
    by: python('import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)'),
  });
  assert.equal((await visitor.asks(server.at('short'))).body, 'done\n');
  await server.logged(/program\.exited.*status=3/);
  await server.ends();
});

test('it has the soft limit of descriptors that the server found', async () => {
  const server = await startServer({
    files: { limit: page('ulimit -Sn; ulimit -Hn') },
    by: ['sh', '-c', 'ulimit -Sn 512; ulimit -Hn 2048; exec "$0" "$@"'],
  });
  assert.equal((await visitor.asks(server.at('limit'))).body, '512\n2048\n');
  assert.match(await server.logged(/server\.descriptors/), /max=2048/);
  await server.ends();
});

const LOOK = program(`#!/usr/bin/env python3
import ctypes, os
print("Content-Type: text/plain\\n")
for name in "mem", "environ", "maps", "fd/0":
    try:
        open(f"/proc/{os.getppid()}/{name}", "rb").read(1)
        print(name, "read")
    except OSError as error:
        print(name, error.strerror)
if not os.environ["QUERY_STRING"]:
    libc = ctypes.CDLL(None, use_errno=True)
    traced = libc.ptrace(16, os.getppid(), 0, 0)
    print("ptrace", os.strerror(ctypes.get_errno()) if traced < 0 else "done")
`);
// A user who has everything of ours but its rights.
const UNPRIVILEGED =
  process.getuid() === 0
    ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--inh-caps=-all']
    : [];

test('it cannot read the memory of a server of its own user', async () => {
  const files = { look: LOOK };
  const server = await startServer({ files, by: UNPRIVILEGED, mode: 0o755 });
  const kept = ['mem', 'environ', 'maps', 'fd/0'].map((name) => `${name} Permission denied\n`);
  const { body } = await visitor.asks(server.at('look'));
  assert.equal(body, `${kept.join('')}ptrace Operation not permitted\n`);
  await server.ends();
  const open = await startServer({ files, by: UNPRIVILEGED, mode: 0o755, args: ['--core-dumps'] });
  assert.match((await visitor.asks(open.at('look?untraced'))).body, /environ read/);
  await open.logged(/server\.open_memory/);
  await open.ends();
});

test('it gains no rights by setuid files', async () => {
  const server = await startServer({
    files: { status: page('grep NoNewPrivs /proc/self/status') },
  });
  assert.match((await visitor.asks(server.at('status'))).body, /NoNewPrivs:\s+1/);
  await server.ends();
});

test('limits of the operator are its own: memory, processor, files, core', async () => {
  const limits = ['memory=64M', 'cpu=7s', 'files=99', 'core=0', 'file-size=1M'];
  const server = await startServer({
    files: { limits: page('ulimit -d; ulimit -t; ulimit -n; ulimit -c; ulimit -f') },
    args: limits.flatMap((limit) => ['--program-limits', limit]),
  });
  const { body } = await visitor.asks(server.at('limits'));
  assert.equal(body, `${64 * 1024}\n7\n99\n0\n${2 * 1024}\n`);
  await server.ends();
});

test('with --program-setuid it may gain rights by setuid files', async () => {
  const server = await startServer({
    files: { status: page('grep NoNewPrivs /proc/self/status') },
    args: ['--program-setuid'],
  });
  assert.match((await visitor.asks(server.at('status'))).body, /NoNewPrivs:\s+0/);
  await server.ends();
});

function fails(args, by = []) {
  const [file, ...rest] = [...by, path.join(BUILD, 'httpsocketd'), '-l', '127.0.0.1:0', ...args];
  return spawnSync(file, rest, { encoding: 'utf8', timeout: 20000 });
}

test('wrong limits and users are refused with what was expected', () => {
  for (const [args, why] of [
    [['--program-limits', 'memory'], /program-limits: expected memory, .*not `memory`/],
    [['--program-limits', 'cpu=0'], /program-limits: expected/],
    [['--run-as', 'no-such-user'], /run-as: expected .*not `no-such-user`/],
    [['--run-as', '/a='], /run-as: expected/],
  ]) {
    const { status, stderr } = fails(args);
    assert.equal(status, 2, args.join(' '));
    assert.match(stderr, why);
  }
});

test('run-as without the right to do so fails at the start', () => {
  const { status, stderr } = fails(['--run-as', 'nobody', os.tmpdir()], UNPRIVILEGED);
  assert.notEqual(status, 0);
  assert.match(stderr, /run-as: needs root, or CAP_SETUID/);
});

if (process.getuid() === 0)
  for (const more of [[], ['--user', 'daemon']])
    test(`--run-as ${more}: as these users, by folder, with their groups, and it ends`, async () => {
      const WHO = page('id -un; id -G; echo heard >/dev/stderr; grep CapPrm /proc/self/status');
      const server = await startServer({
        files: {
          who: WHO,
          'games/who': WHO,
          deaf: page('echo $$; exec >&- 2>&-; exec sleep 1000'),
        },
        args: ['--run-as', 'nobody', '--run-as', '/games=games', '--eof-grace', '100ms', ...more],
        mode: 0o755,
      });
      for (const [at, name] of [
        ['who', 'nobody'],
        ['games/who', 'games'],
      ]) {
        const { body } = await visitor.asks(server.at(at));
        const groups = execFileSync('id', ['-G', name], { encoding: 'utf8' }).trim();
        assert.equal(body, `${name}\n${groups}\nheard\nCapPrm:\t0000000000000000\n`);
      }
      const pid = Number((await visitor.asks(server.at('deaf'))).body);
      await server.ends();
      assert.ok(!alive(pid));
    });
