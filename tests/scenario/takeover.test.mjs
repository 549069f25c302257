// SPDX-License-Identifier: MIT
// takeover.test.mjs - SIGUSR2: the program file is replaced, and nothing ends
// (docs/decisions/takeover.md).
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { startZones } from '../lib/access.mjs';
import { Command } from '../lib/command.mjs';
import { echo, PAGE, startTarget, zonesOf } from '../lib/gateway.mjs';
import { openPlain } from '../lib/plain-client.mjs';
import { request } from '../lib/request.mjs';
import { makeRoot, program, stopAll } from '../lib/server.mjs';
import { Page, SessionClient } from '../lib/session-client.mjs';
import { Streams } from '../lib/streams.mjs';
import { Subscriber } from '../lib/subscriber.mjs';
import { after, test } from '../lib/test.mjs';
import { until } from '../lib/until.mjs';
import { startUpgradable } from '../lib/upgrades.mjs';

const GUARDED = ['--origin', PAGE, '--dns-anchor', 'none', '--private', '127.0.0.0/8'];

const KEYS = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n';

const SLOW = `#!/bin/sh
printf 'Content-Type: text/plain\\n\\n'; sleep 1; echo slow
`;

/** Lets its client in when somebody has written to the FIFO `go`. */
const LATE = `#!/bin/sh
read -r go < go
printf '\\n'
exec 1>&-
while read -r line <&3; do echo heard >&3; done
`;

const STUBBORN = `#!/usr/bin/python3
import os, sys, signal, socket, time
print("Content-Type: text/plain\\n\\nhello", flush=True)
os.close(1)
page = socket.socket(fileno=3)
page.sendall(b'started {"pid":%d}\\n' % os.getpid())
while page.recv(4096):
    pass
print("end of file", file=sys.stderr, flush=True)
time.sleep(1000)
`;

/** Breaks the rules in the midst of a line, and stays. */
const BREAKER = `#!/usr/bin/python3
import os, socket, time
print("Content-Type: text/plain\\n\\nhello", flush=True)
os.close(1)
page = socket.socket(fileno=3)
page.sendall(b'started {}\\nhalf a line')
page.recv(4096)
page.sendall(b'\\xff\\n')
time.sleep(1000)
`;

/** A connection that sends what it likes. */
async function openRaw(port) {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** How many descriptors the serving process may have; those that it has already stay. */
const limitsDescriptors = (server, count) =>
  spawnSync('prlimit', ['--pid', String(server.pid), `--nofile=${count}:`]);

after(async () => (SessionClient.dropAll(), stopAll()));

test('a page goes on with its program and its connection', async () => {
  const server = await startUpgradable();
  const page = await Page.opens(server, 'talk.py');
  const talk = await page.program();
  page.says('a 1');
  await page.hears('echo ["a", 1]');
  server.installs('next');
  assert.match(await server.upgrades(), /from=0\.1\.0 to=next pages=1/);
  page.says('b 2');
  await page.hears('echo ["b", 2]');
  assert.equal(page.ws.readyState, page.ws.OPEN);
  talk.says('told 3');
  await page.hears('told 3');
  talk.kill('SIGKILL');
  await page.isClosed(4500, 'program-failed signal=9');
  await server.ends();
});

test('a page that is not connected finds its session, and what was said meanwhile', async () => {
  const server = await startUpgradable();
  const page = await Page.opens(server, 'talk.py');
  const talk = await page.program();
  page.says('a 1');
  await page.hears('echo ["a", 1]');
  await page.cuts();
  await server.upgrades();
  await server.upgrades();
  await page.comesBack();
  page.says('b 2');
  await page.hears(/^told \[".detach"/, /^told \[".attach"/, 'echo ["b", 2]');
  assert.ok(talk.isAlive);
  page.says('exit 3');
  await page.isClosed(4500, 'program-failed status=3');
  await server.ends();
});

test('a shared program keeps its pages', async () => {
  const server = await startUpgradable({ args: ['--shared', '/shared.py'] });
  const [a, b] = [await Page.opens(server, 'shared.py'), await Page.opens(server, 'shared.py')];
  a.says('me');
  const { pid } = await a.hearsOf('you');
  await b.cuts();
  a.says('all 1');
  await a.hears('said 1');
  await server.upgrades();
  await b.comesBack();
  await b.hears('said 1');
  b.says('all 2');
  await Promise.all([a.hears('said 2'), b.hears('said 2')]);
  b.says('me');
  const you = await b.hearsOf('you');
  assert.deepEqual([you.pid, you.pages], [pid, 2]);
  const c = await Page.opens(server, 'shared.py');
  c.says('me');
  assert.equal((await c.hearsOf('you')).pid, pid);
  await server.ends();
});

test('a plain WebSocket goes on in the midst of a frame, with its stdio program', async () => {
  const server = await startUpgradable({ args: ['--stdio', '/cat=cat'] });
  const plain = await openPlain(server.at('cat'));
  assert.equal(await plain.asks('one'), 'one');
  const big = 'x'.repeat(300_000);
  plain.send(big);
  await server.upgrades();
  assert.equal((await plain.next()).text, big);
  assert.equal(await plain.asks('two'), 'two');
  await plain.closes();
  await server.ends();
});

test('topics keep their numbers, their past, and who is there', async () => {
  const server = await startUpgradable({ args: ['--topic-history', '5'] });
  const [a, b] = await Subscriber.opensMany(server, 2);
  await a.subscribes('t', { presence: { name: 'a' } });
  a.publishes('t', 'n', 1);
  assert.deepEqual(await a.data(1), [1]);
  await server.upgrades();
  const { seq } = await b.subscribes('t', { history: 5, presence: { name: 'b' } });
  assert.equal(seq, 1);
  const [{ past, data }] = await b.events(1);
  assert.deepEqual([past, data], [true, 1]);
  b.publishes('t', 'n', 2);
  assert.deepEqual(await a.data(1), [2]);
  await server.upgrades();
  a.publishes('t', 'n', 3);
  assert.deepEqual(await b.data(2), [2, 3]);
  await a.closes();
  await b.isTold('presence');
  await server.ends();
});

test('a byte stream of a program goes on', async () => {
  const server = await startUpgradable();
  const page = await Page.opens(server, 'streams.py');
  const streams = new Streams(page);
  const stream = streams.open({ kind: 'stream', name: 'echo' });
  await stream.opened;
  stream.write(Buffer.alloc(100_000, 'a'));
  await server.upgrades();
  stream.write(Buffer.alloc(100_000, 'b'));
  stream.finish();
  const all = await stream.readAll();
  assert.equal(all.length, 200_000);
  assert.equal(all.subarray(99_999, 100_001).toString(), 'ab');
  await server.ends();
});

test('a TCPConnection goes on, unless the new settings refuse it', async () => {
  const { root, remove } = makeRoot({ conf: '' });
  const file = `${root}/conf`;
  const dns = await startZones(zonesOf());
  const target = await startTarget(echo);
  const server = await startUpgradable({
    args: [...GUARDED, '--config', file, '--dns', `127.0.0.1:${dns.relay.port}`],
  });
  const page = new SessionClient(server.at('.httpsocket/connect'), {
    origin: PAGE,
    headers: { Host: 'a.test:8000' },
  });
  const streams = new Streams(page);
  await page.connect();
  const stream = await streams.connect('b.test', target.port);
  await stream.write('hello');
  await server.upgrades();
  await stream.write(', world');
  assert.equal((await stream.read(12)).toString(), 'hello, world');
  fs.writeFileSync(file, 'block = {"b.test"}\n');
  await server.upgrades();
  assert.equal((await stream.closed).reason, 'revoked');
  await server.ends();
  await Promise.all([target.stop(), dns.stop()]);
  remove();
});

test('a file that does not run, or reads other formats, is refused before', async () => {
  const server = await startUpgradable();
  const page = await Page.opens(server, 'talk.py');
  server.installs('foreign');
  await server.refuses(/it reads ipc of version 2 to 2, not 1/);
  server.installs('#!/bin/sh\necho some words >&2; exit 7\n');
  await server.refuses(/it ended with status 7: some words/);
  server.installs('#!/nowhere\n');
  await server.refuses(/No such file or directory/);
  page.says('a 1');
  await page.hears('echo ["a", 1]');
  server.installs('');
  await server.upgrades();
  await server.ends();
});

test('settings that are wrong are refused before', async () => {
  const { root, remove } = makeRoot({ conf: '' });
  const file = `${root}/conf`;
  const server = await startUpgradable({ args: ['--config', file] });
  fs.writeFileSync(file, 'message-max = nonsense\n');
  await server.refuses(/message-max/);
  fs.writeFileSync(file, 'message-max = 2M\n');
  await server.upgrades();
  const page = await Page.opens(server, 'talk.py');
  assert.equal(page.welcome.maxMessage, 2 * 1024 * 1024);
  await server.ends();
  remove();
});

test('settings that become wrong after their check end nothing: those that were checked stay', async () => {
  const { root, remove } = makeRoot({
    conf: 'message-max = 2M\n',
    'slow.sh': program(SLOW),
    'talk.py': program('talk.py'),
  });
  const server = await startUpgradable({ args: ['--config', `${root}/conf`], root });
  const page = await Page.opens(server, 'talk.py');
  const slow = request(server.at('slow.sh'));
  await server.logged(/program\.started.*slow/);
  const asked = server.isAsked();
  await server.logged(/takeover\.rests/);
  fs.writeFileSync(`${root}/conf`, 'message-max = {\n');
  assert.match(await asked, /takeover\.done/);
  await server.logged(/config\.refused.*conf/);
  await slow;
  page.says('a 1');
  await page.hears('echo ["a", 1]');
  await server.refuses(/conf/);
  assert.equal((await Page.opens(server, 'talk.py')).welcome.maxMessage, 2 * 1024 * 1024);
  await server.ends();
  remove();
});

for (const [before, now] of [
  ['false', 'true'],
  ['true', 'false'],
])
  test(`no-supervisor = ${before} that has become ${now} changes nothing until a restart`, async () => {
    const { root, remove } = makeRoot({
      conf: `no-supervisor = ${before}\n`,
      'talk.py': program('talk.py'),
    });
    const server = await startUpgradable({ args: ['--config', `${root}/conf`], root });
    const page = await Page.opens(server, 'talk.py');
    fs.writeFileSync(`${root}/conf`, `no-supervisor = ${now}\n`);
    await server.upgrades();
    await server.logged(/config\.needs_restart.*no-supervisor/);
    await server.upgrades();
    page.says('a 1');
    await page.hears('echo ["a", 1]');
    await server.ends();
    remove();
  });

test('a client whose handshake broke off finds the program that it has started', async () => {
  const { root } = makeRoot({ 'late.sh': program(LATE) });
  spawnSync('mkfifo', [`${root}/go`]);
  const server = await startUpgradable({
    args: ['--takeover-timeout', '100ms', '--goodbye-timeout', '10min'],
    root,
  });
  const client = new SessionClient(server.at('late.sh'));
  const refused = assert.rejects(client.connect());
  await server.logged(/program\.started.*late/);
  await server.upgrades();
  await refused;
  const welcome = client.connect();
  fs.writeFileSync(`${root}/go`, 'go\n');
  await welcome;
  client.send('more');
  await client.next(/^heard/);
  assert.equal(server.lines(/program\.started.*late/).length, 1);
  await server.ends();
});

test('a reload between the check and its take-over is not undone', async () => {
  const { root, remove } = makeRoot({
    conf: 'message-max = 2M\n',
    'slow.sh': program(SLOW),
    'talk.py': program('talk.py'),
  });
  const server = await startUpgradable({ args: ['--config', `${root}/conf`], root });
  const slow = request(server.at('slow.sh'));
  await server.logged(/program\.started.*slow/);
  const upgraded = server.upgrades();
  await server.logged(/takeover\.rests/);
  fs.writeFileSync(`${root}/conf`, 'message-max = 3M\n');
  server.child.kill('SIGHUP');
  await upgraded;
  await slow;
  await until(() =>
    server
      .lines(/takeover\.done|config\.reloaded/)
      .at(-1)
      ?.includes('reloaded'),
  );
  assert.equal((await Page.opens(server, 'talk.py')).welcome.maxMessage, 3 * 1024 * 1024);
  await server.ends();
  remove();
});

test('settings and files that change or vanish after their check end no page', async () => {
  const { root, remove } = makeRoot({ conf: '', token: 'secret-secret-secret\n', key: KEYS });
  const [conf, token, key] = ['conf', 'token', 'key'].map((name) => path.join(root, name));
  fs.chmodSync(key, 0o600);
  const settings = `admin = 127.0.0.1:0\npublish-token = ${token}\nstate-key = ${key}\n`;
  fs.writeFileSync(conf, settings);
  const server = await startUpgradable({
    args: ['--config', conf, '--takeover-timeout', '10s'],
    root: makeRoot({ 'slow.sh': program(SLOW), 'talk.py': program('talk.py') }).root,
  });
  const page = await Page.opens(server, 'talk.py');
  fs.writeFileSync(conf, `${settings}message-max = 2M\n`);
  const slow = request(server.at('slow.sh'));
  await server.logged(/program\.started.*slow/);
  const upgraded = server.upgrades();
  await server.logged(/takeover\.rests/);
  fs.writeFileSync(conf, 'message-max = nonsense\n');
  for (const file of [token, key]) fs.rmSync(file);
  await upgraded;
  assert.equal((await slow).body, 'slow\n');
  page.says('a 1');
  await page.hears('echo ["a", 1]');
  assert.equal((await Page.opens(server, 'talk.py')).welcome.maxMessage, 2 * 1024 * 1024);
  await server.refuses(/nonsense/);
  await server.ends();
  remove();
});

test('a listening address that is taken is told, and ends no page', async () => {
  const taken = net.createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  for (const more of [[], ['--no-supervisor']]) {
    const { root, remove } = makeRoot({ conf: 'listen = {"127.0.0.1:0"}\n' });
    const server = await startUpgradable({
      args: ['--config', path.join(root, 'conf'), ...more],
      listen: null,
    });
    const page = await Page.opens(server, 'talk.py');
    fs.writeFileSync(path.join(root, 'conf'), `listen = {"127.0.0.1:${taken.address().port}"}\n`);
    await server.upgrades();
    await server.logged(/listen\.failed.*Address already in use/);
    page.says('a 1');
    await page.hears('echo ["a", 1]');
    await Page.opens(server, 'talk.py');
    await server.ends();
    remove();
  }
  taken.close();
});

test('an access log that can not be written is refused before', async () => {
  const { root, remove } = makeRoot({ conf: '' });
  const server = await startUpgradable({ args: ['--config', path.join(root, 'conf')] });
  fs.writeFileSync(path.join(root, 'conf'), `access-log = ${root}\n`);
  await server.refuses(/log\.access_failed/);
  await server.ends();
  remove();
});

test('a request that is under way is answered first, and new ones wait', async () => {
  const server = await startUpgradable({
    root: makeRoot({ 'slow.sh': program(SLOW), 'a.txt': 'static' }).root,
  });
  const slow = request(server.at('slow.sh'));
  await server.logged(/program\.started/);
  const upgraded = server.upgrades();
  await server.logged(/takeover\.rests/);
  const waiting = request(server.at('a.txt'));
  assert.equal((await slow).body, 'slow\n');
  await upgraded;
  assert.equal((await waiting).body, 'static');
  await server.ends();
});

test('without a supervisor it is the same', async () => {
  const server = await startUpgradable({ args: ['--no-supervisor'] });
  const page = await Page.opens(server, 'talk.py');
  await server.upgrades();
  page.says('b 2');
  await page.hears('echo ["b", 2]');
  await Page.opens(server, 'talk.py');
  await server.ends();
});

test('`httpsocket upgrade PID` asks for it', async () => {
  const server = await startUpgradable();
  assert.equal((await Command.runs(['upgrade', server.child.pid])).status, 0);
  await server.logged(/takeover\.done/);
  const { status, err } = await Command.runs(['upgrade', process.pid]);
  assert.equal(status, 1);
  assert.match(err, /is no httpsocketd/);
  await server.ends();
});

test('it may be wanted twice, and while a reload is under way', async () => {
  const server = await startUpgradable({ args: ['--config', '/dev/null'] });
  const page = await Page.opens(server, 'talk.py');
  for (const signal of ['SIGUSR2', 'SIGHUP', 'SIGUSR2', 'SIGHUP', 'SIGUSR2'])
    server.child.kill(signal);
  await server.logged(/takeover\.done/);
  await server.upgrades();
  page.says('a 1');
  await page.hears('echo ["a", 1]');
  await server.ends();
});

test('a server that is asked to end does so, whatever comes of the take-over', async () => {
  const server = await startUpgradable();
  const page = await Page.opens(server, 'talk.py');
  server.child.kill('SIGUSR2');
  server.child.kill('SIGTERM');
  await page.isClosed(1012, 'draining retry=5');
  assert.deepEqual(await server.exited, { code: 0, signal: null });
});

test('a server that is asked to end in the midst of a take-over drains what was taken over', async () => {
  const server = await startUpgradable();
  const page = await Page.opens(server, 'talk.py');
  server.child.kill('SIGUSR2');
  await server.logged(/takeover\.begins/);
  server.child.kill('SIGTERM');
  await page.isClosed(1012, 'draining retry=5');
  assert.deepEqual(await server.exited, { code: 0, signal: null });
});

test('programs end in the order of their end, also those whose end had begun', async () => {
  const server = await startUpgradable({
    args: ['--eof-grace', '2s', '--goodbye-timeout', '100ms', '--detach-timeout', '100ms'],
    root: makeRoot({ stubborn: program(STUBBORN) }).root,
  });
  const page = await Page.opens(server, 'stubborn');
  const { pid } = await page.hearsOf('started');
  await page.leaves();
  await server.logged(/end of file/);
  await server.upgrades();
  await server.logged(new RegExp(`program\\.signalled.*pid=${pid} .*TERM`));
  await server.logged(new RegExp(`program\\.exited.*pid=${pid} .*signal=15`));
  await server.ends();
});

test('a program that broke the rules in the midst of a line goes over, too', async () => {
  const server = await startUpgradable({ root: makeRoot({ breaker: program(BREAKER) }).root });
  const page = await Page.opens(server, 'breaker');
  await page.hearsOf('started');
  page.says('go');
  await server.logged(/program\.protocol_error/);
  await server.upgrades();
  assert.deepEqual(server.lines(/takeover\.page_lost/), []);
  await server.ends();
});

test('a server that is killed after a take-over leaves no program behind', async () => {
  const server = await startUpgradable();
  server.mayCrash = true;
  const page = await Page.opens(server, 'talk.py');
  const talk = await page.program();
  await server.upgrades();
  process.kill(server.pid, 'SIGKILL');
  await talk.ends();
  await server.logged(/server\.restarted/);
  await page.isRefused({ code: 4410 });
  await server.upgrades();
  assert.deepEqual(await server.stop(), { code: 1, signal: null });
});

test('where descriptors are refused the old version goes on', async () => {
  const server = await startUpgradable();
  const page = await Page.opens(server, 'talk.py');
  limitsDescriptors(server, 10);
  assert.match(await server.isAsked(), /takeover\.refused.*Too many open files/);
  page.says('a 1');
  await page.hears('echo ["a", 1]');
  limitsDescriptors(server, 1000);
  await server.upgrades();
  page.says('b 2');
  await page.hears('echo ["b", 2]');
  await server.ends();
});

test('a file that disappears after its check changes nothing', async () => {
  const server = await startUpgradable({
    args: ['--takeover-timeout', '10s'],
    root: makeRoot({ 'slow.sh': program(SLOW), 'talk.py': program('talk.py') }).root,
  });
  const page = await Page.opens(server, 'talk.py');
  const slow = request(server.at('slow.sh'));
  await server.logged(/program\.started.*slow/);
  const asked = server.isAsked();
  await server.logged(/takeover\.rests/);
  server.installs('#!/nowhere\n');
  assert.match(await asked, /takeover\.failed.*No such file/);
  assert.equal((await slow).body, 'slow\n');
  page.says('a 1');
  await page.hears('echo ["a", 1]');
  assert.equal((await request(server.at('slow.sh'))).status, 200);
  server.installs('');
  await server.upgrades();
  await server.ends();
});

test('an upload that is under way breaks off in the end, and the program learns it', async () => {
  const server = await startUpgradable({
    args: ['--takeover-timeout', '300ms'],
    root: makeRoot({ 'sink.sh': program('#!/bin/sh\ncat > /dev/null\n') }).root,
  });
  const upload = await openRaw(server.port);
  upload.write(
    `POST /sink.sh HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nContent-Length: 1000\r\n\r\nabc`,
  );
  await server.logged(/program\.started/);
  const [answer] = await Promise.all([once(upload, 'data'), server.upgrades()]);
  assert.match(answer.toString(), /^HTTP\/1\.1 503 /);
  await server.logged(/program\.exited/);
  await server.hasChildren(0);
  upload.destroy();
  await server.ends();
});

test('a download goes on', async () => {
  const size = 40 << 20;
  const server = await startUpgradable({
    root: makeRoot({ 'large.bin': 'x'.repeat(size) }).root,
  });
  const reader = await openRaw(server.port);
  reader.write(
    `GET /large.bin HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nConnection: close\r\n\r\n`,
  );
  await once(reader, 'readable');
  let got = 0;
  await server.upgrades();
  for await (const piece of reader) got += piece.length;
  assert.ok(got > size, `${got} of ${size}`);
  await server.ends();
});

test('with TLS a page is told to come again, and finds its session; a plain client is told that it is over', async () => {
  const { root, remove } = makeRoot({});
  const [cert, key] = ['cert.pem', 'key.pem'].map((name) => `${root}/${name}`);
  spawnSync('openssl', [
    ...'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=x'.split(
      ' ',
    ),
    ...['-addext', 'subjectAltName=IP:127.0.0.1', '-out', cert, '-keyout', key],
  ]);
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
  const server = await startUpgradable({
    args: ['--tls-cert', cert, '--tls-key', key, '--stdio', '/cat=cat'],
  });
  const page = await SessionClient.connects(server, 'talk.py');
  const plain = await openPlain(server.at('cat'));
  await plain.asks('one');
  page.says('a 1');
  await page.hears('echo ["a", 1]');
  await server.upgrades();
  await page.isClosed(1001, 'server-replaced');
  await plain.isClosed(1012, 'server-replaced');
  await page.comesBack();
  page.says('b 2');
  await page.hears(/^told \[".detach"/, 'echo ["b", 2]');
  await server.ends();
  delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
  remove();
});
