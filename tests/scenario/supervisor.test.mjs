// SPDX-License-Identifier: MIT
// supervisor.test.mjs - what becomes of the server when its serving process, its supervisor or its
// terminal dies: connections that wait, sockets, programs, exit status.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import readline from 'node:readline';
import { alive } from '../lib/program.mjs';
import {
  BUILD,
  listens,
  makeRoot,
  program,
  REPO,
  servingOf,
  startServer,
  stopAll,
} from '../lib/server.mjs';
import { after, afterEach, describe, test } from '../lib/test.mjs';
import { until } from '../lib/until.mjs';
import { visitor } from '../lib/visitor.mjs';

const DAEMON = path.join(BUILD, 'httpsocketd');
const files = makeRoot({ 'hello.txt': 'hello' });
const file = (name) => path.join(files.root, name);

afterEach(stopAll);
after(() => files.remove());

const start = (args = [], more = {}) =>
  startServer({ root: files.root, threads: 2, args, ...more });

/** A server whose serving process a test kills. */
async function startFragile(...args) {
  const server = await start(...args);
  server.mayCrash = true;
  return server;
}

/** Kills the serving process; resolves when the supervisor has said so. */
async function crash(server, signal = 'SIGKILL') {
  const { pid } = server;
  process.kill(pid, signal);
  await server.logged(new RegExp(`server\\.crashed pid=${pid} `));
}

const restarts = (server) => server.lines(/server\.restarted/).length;
const asks = async (server) =>
  assert.equal((await visitor.asks(server.at('hello.txt'))).body, 'hello');

describe('a serving process that dies', () => {
  test('is started again at once, said in the log; the port stays; in the end the status is 1', async () => {
    const server = await startFragile();
    const { pid } = server;
    await crash(server, 'SIGKILL');
    await asks(server);
    assert.notEqual(server.pid, pid);
    assert.match(server.lines(/server\.crashed/)[0], /error .*signal=9 name=KILL/);
    assert.deepEqual(await server.stop(), { code: 1, signal: null });
    assert.equal(server.urls.length, 1);
  });

  test('connections that come meanwhile wait and are served by the next one', async () => {
    const server = await startFragile();
    process.kill(server.pid, 'SIGSTOP');
    const answers = Array.from({ length: 20 }, () => asks(server));
    await until(() => backlog(server.port) === 20);
    await crash(server);
    await Promise.all(answers);
  });

  test('again and again: the delay grows, nobody gives up, the server comes back', async () => {
    const server = await startFragile();
    for (let i = 1; i <= 4; i++) {
      await crash(server);
      await until(() => restarts(server) === i);
    }
    const delays = server.lines(/restarting/).map((line) => Number(/in_ms=(\d+)/.exec(line)[1]));
    assert.deepEqual(delays, [0, 100, 200, 400]);
    await asks(server);
  });

  test('while it drains: it is not started again, status 1', async () => {
    const server = await startFragile(['--drain-timeout', '60s']);
    const socket = await connects(server);
    server.child.kill();
    await server.logged(/server\.draining/);
    process.kill(server.pid, 'SIGSEGV');
    assert.deepEqual(await server.exited, { code: 1, signal: null });
    assert.equal(restarts(server), 0);
    socket.destroy();
  });

  test('its programs end, also one that hears nothing and ignores SIGTERM', async () => {
    const deaf = `#!/bin/sh\ntrap '' TERM HUP\nprintf '\n%s' $$\nexec >&-\nwhile :; do sleep 1; done\n`;
    const server = await startFragile([], { root: undefined, files: { deaf: program(deaf) } });
    const pid = Number((await visitor.asks(server.at('deaf'))).body);
    await crash(server);
    await until(() => !alive(pid));
    await until(() => restarts(server) === 1);
  });

  test('before it was ever ready, each time: five tries, then status 1, and it is said', async () => {
    const server = startsUnready('dies');
    assert.deepEqual(await server.exited, { code: 1, signal: null }, server.log);
    assert.equal(server.log.match(/server\.crashed .*name=SEGV/g).length, 5);
    assert.match(server.log, /error server\.gave_up crashes=5/);
  });

  test('with settings that have become wrong meanwhile: it is tried again until they are right', async () => {
    fs.writeFileSync(file('settings'), 'listen = {"127.0.0.1:0"}\nthreads = 1\n');
    const server = await startFragile(['--config', file('settings')], { listen: false });
    fs.writeFileSync(file('settings'), 'threads = many\n');
    await crash(server);
    await server.logged(/server\.failed status=2/);
    fs.writeFileSync(file('settings'), 'listen = {"127.0.0.1:0"}\nthreads = 1\n');
    await asks(server);
  });
});

describe('the signals', () => {
  test('SIGTERM before it is ready: it ends at once, status 0', async () => {
    const server = startsUnready('waits');
    await until(() => servingOf(server.pid));
    process.kill(server.pid);
    assert.deepEqual(await server.exited, { code: 0, signal: null });
  });

  test('SIGKILL of the supervisor: the serving process is gone, and the port is free', async () => {
    const server = await start();
    const { pid, port } = server;
    await server.stop('SIGKILL');
    await until(() => !alive(pid) && !listens(port));
  });

  test('sent to the serving process itself, as a whole service is signalled: counted once', async () => {
    const server = await start(['--drain-timeout', '60s']);
    const socket = await connects(server);
    process.kill(server.pid);
    server.child.kill();
    await server.logged(/server\.draining at_once=0/);
    await server.logged(/signal\.passed_over signal=15/);
    socket.end('Host: localhost\r\n\r\n');
    assert.deepEqual(await server.exited, { code: 0, signal: null });
    assert.equal(server.lines(/draining/).length, 1);
  });

  test('a hundred SIGHUPs: the last change is in use afterwards', async () => {
    const settings = (origin) => `listen = {"127.0.0.1:0"}\norigin = {"http://${origin}"}\n`;
    fs.writeFileSync(file('settings'), settings('localhost'));
    const server = await start(['--config', file('settings')], { listen: false });
    for (let i = 0; i < 100; i++) server.child.kill('SIGHUP');
    fs.writeFileSync(file('settings'), settings('a.example'));
    server.child.kill('SIGHUP');
    await until(async () => (await visitor.asks(server.at('hello.txt'))).status === 421);
    await server.ends();
  });

  test('Ctrl-Z stops both processes, and they go on together', async () => {
    const server = await start();
    server.child.kill('SIGTSTP');
    await until(() => stopped(server.child.pid) && stopped(server.pid));
    server.child.kill('SIGCONT');
    await asks(server);
    await server.ends();
  });
});

describe('SIGHUP with other listeners', () => {
  const settings = (...listen) =>
    fs.writeFileSync(file('settings'), `listen = {${listen.map((l) => `"${l}"`).join(', ')}}\n`);

  test('the new one answers, the one that stays has lost nobody, the one that is gone is closed', async () => {
    const [goes, comes] = [file('goes.sock'), file('comes.sock')];
    settings('127.0.0.1:0', `unix:${goes}`);
    const server = await start(['--config', file('settings')], { listen: false, listeners: 2 });
    const open = await connects(server);
    settings('127.0.0.1:0', `unix:${comes}`);
    server.child.kill('SIGHUP');
    await server.logged(/config\.reloaded/);
    await asks(server);
    await until(() => fs.existsSync(comes) && !fs.existsSync(goes));
    assert.match(await overUnix(comes), /^HTTP\/1\.1 (200|421)/);
    open.destroy();
    await server.ends();
  });

  test('one that can not be had is refused with its name, and all stays as it was', async () => {
    const other = await start();
    settings('127.0.0.1:0');
    const server = await start(['--config', file('settings')], { listen: false });
    settings('127.0.0.1:0', `unix:${file('new.sock')}`, `127.0.0.1:${other.port}`);
    server.child.kill('SIGHUP');
    assert.match(
      await server.logged(/config\.refused/),
      new RegExp(`127.0.0.1:${other.port}.*Address already in use`),
    );
    await asks(server);
    assert.ok(!fs.existsSync(file('new.sock')));
    await server.ends();
  });
});

describe('the terminal', () => {
  test('closed, without --config: the server ends, and its port is free', async () => {
    const { pid, port, log } = await inTerminal('--listen', '127.0.0.1:0', files.root);
    await until(() => !alive(pid) && !listens(port));
    assert.match(fs.readFileSync(log, 'utf8'), /server\.hangup[^]*server\.ended/);
  });

  test('closed, with --config: SIGHUP reads the file again, as ever', async () => {
    fs.writeFileSync(file('settings'), 'listen = {"127.0.0.1:0"}\n');
    const { pid, log } = await inTerminal('--config', file('settings'), files.root);
    await until(() => /config\.reloaded/.test(fs.readFileSync(log, 'utf8')));
    assert.ok(alive(pid));
    process.kill(pid);
    await until(() => !alive(pid));
  });

  test('a SIGHUP that somebody sends reloads, in a terminal too', async () => {
    const { pid, log } = await inTerminal('--kill', '--listen', '127.0.0.1:0', files.root);
    await until(() => /config\.reloaded/.test(fs.readFileSync(log, 'utf8')));
    await until(() => !alive(pid)); // the terminal is closed then
  });
});

test('a server without stdin, stdout and stderr serves', async () => {
  const socketPath = file('bare.sock');
  const closed = ['-c', 'exec "$@" <&- >&- 2>&-', 'sh', DAEMON, '--listen', `unix:${socketPath}`];
  const child = spawn('/bin/sh', [...closed, files.root]);
  const status = () =>
    new Promise((resolve) => {
      const ask = http.get({ socketPath, path: '/', headers: { host: 'localhost' } });
      ask.on('response', (answer) => resolve(answer.resume().statusCode));
      ask.on('error', () => resolve(0));
    });
  await until(async () => (await status()) > 0);
  child.kill('SIGTERM');
  assert.deepEqual(await once(child, 'exit'), [0, null]);
});

/**
 * A server whose serving process never becomes ready, since it `dies` or `waits` before:
 * {pid, log (all of stderr), exited}.
 */
function startsUnready(how) {
  const library = file('unready.so');
  const source = path.join(REPO, 'tests/scenario/supervisor/unready.c');
  execFileSync('cc', ['-shared', '-fPIC', '-o', library, source]);
  const env = {
    ...process.env,
    ASAN_OPTIONS: `${process.env.ASAN_OPTIONS ?? ''}:verify_asan_link_order=0`,
    LD_PRELOAD: library,
    UNREADY: how,
  };
  const args = ['--listen', '127.0.0.1:0', files.root];
  const child = spawn(DAEMON, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  const server = { pid: child.pid, log: '' };
  child.stderr.on('data', (data) => (server.log += data));
  server.exited = once(child, 'close').then(([code, signal]) => ({ code, signal }));
  return server;
}

/**
 * Starts httpsocketd in a terminal that is closed when it listens: {pid, port, log (a file)}.
 * With `--kill` it gets a SIGHUP first, and the terminal is closed when it has reloaded.
 */
async function inTerminal(...args) {
  const log = file(`log-${Date.now()}`);
  const child = spawn('/usr/bin/python3', ['-c', TERMINAL, log, DAEMON, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(readline.createInterface({ input: child.stdout }), 'line');
  const [pid, port] = line.split(' ').map(Number);
  await once(child, 'close');
  return { pid, port, log };
}

const TERMINAL = `
import os, pty, re, signal, sys, time
log, *command = sys.argv[1:]
kill = '--kill' in command
command = [c for c in command if c != '--kill']
pid, master = pty.fork()
if pid == 0:
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT), 2)
    os.execv(command[0], command)
said = b''
while b'\\n' not in said:
    said += os.read(master, 1000)
if kill:
    os.kill(pid, signal.SIGHUP)
    while 'config.reloaded' not in open(log).read():
        time.sleep(0.01)
print(pid, re.search(rb':(\\d+)', said)[1].decode(), flush=True)
`;

const stopped = (pid) => /^State:\s+T/m.test(fs.readFileSync(`/proc/${pid}/status`, 'utf8'));

/** A connection that has begun a request, and that the server has accepted. */
async function connects(server) {
  const socket = net.connect(server.port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write('GET /hello.txt HTTP/1.1\r\n');
  await until(() => backlog(server.port) === 0);
  return socket;
}

async function overUnix(socketPath) {
  const socket = net.connect(socketPath);
  socket.end('GET /hello.txt HTTP/1.0\r\nHost: localhost\r\n\r\n');
  return String(Buffer.concat(await socket.toArray()));
}

/** How many connections wait in the queues of a port. */
function backlog(port) {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return fs
    .readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((row) => row[1]?.endsWith(local) && row[3] === '0A')
    .reduce((sum, row) => sum + parseInt(row[4].split(':')[1], 16), 0);
}
