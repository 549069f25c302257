// SPDX-License-Identifier: MIT
// `httpsocket connect`, `emit`, `call` and the C library behind them, against the real server.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Command } from '../lib/command.mjs';
import { Proxy, random } from '../lib/proxy.mjs';
import { BUILD, makeRoot, program, REPO, startServer } from '../lib/server.mjs';
import { until } from '../lib/until.mjs';

const CUTS = 200;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const COUNTER = fs.readFileSync(path.join(REPO, 'tests/browser/site/counter.py'), 'utf8');
const REFUSES = '#!/bin/sh\nprintf "Status: 401 No\\n\\n"\n';
const ASKS = `#!/usr/bin/env python3
import os, socket
print("Content-Type: text/plain\\n", flush=True)
os.close(1)
page = socket.socket(fileno=3)
page.sendall(b"question?5 [1,2]\\n")
for line in page.makefile("rb"):
    if line[:1] in b"=+!":
        page.sendall(b"heard " + (b'"' + line.strip().replace(b'"', b"'") + b'"') + b"\\n")
`;

let server;
before(async () => {
  const files = {
    'talk.py': program('talk.py'),
    'counter.py': program(COUNTER),
    'no.sh': program(REFUSES),
    'asks.py': program(ASKS),
  };
  server = await startServer({ files, args: ['--ping-interval', '1s'] });
});
after(async () => (Command.killAll(), await server.ends()));

test('events, bytes, calls and their answers go both ways as lines, and the end of stdin waits for all', async () => {
  const { status, out, err } = await Command.runs(
    ['connect', server.at('talk')],
    'hello {"a":"ø"}\nadd?7 [4,5]\nphoto @6\na\nb\0\n\n\nevent\nnobody?9007\ncount?8 2',
  );
  assert.equal(err, '');
  assert.equal(status, 0);
  const lines = out.split('\n');
  assert.match(lines[0], /^started \{"pid": \d+\}$/);
  assert.match(lines[1], /^told \[".attach", \{"resumed": false/);
  assert.deepEqual(lines.slice(2), [
    'echo ["hello", {"a": "\\u00f8"}]',
    '=7 9',
    'bytes @6',
    'a',
    'b\0',
    '',
    '',
    'echo ["event", null]',
    '!9007 {"message":"no such call"}',
    '+8 0',
    '+8 1',
    '=8',
    '',
  ]);
});

test('a program calls, and the command answers: parts, an answer, an error', async () => {
  const command = Command.starts('connect', server.at('asks'));
  assert.equal(await command.hears(/^question/), 'question?5 [1,2]');
  command.says('+5 "part"\n=5 {"x":1}\n!5 {"message":"late"}');
  assert.equal(await command.hears(/^heard/), 'heard "+5 \'part\'"');
  assert.equal(await command.hears(/^heard/), 'heard "=5 {\'x\':1}"');
  assert.equal(await command.hears(/^heard/), "heard \"!5 {'message':'late'}\"");
  command.child.stdin.end();
  assert.equal((await command.ended).status, 0);
  const call = await Command.runs(['emit', server.at('asks'), 'hello']);
  assert.equal(call.status, 0);
});

test('call prints each answer on a line; an error is exit status 1', async () => {
  assert.deepEqual(await Command.runs(['call', server.at('talk'), 'add', '[1,2,39]']), {
    status: 0,
    out: '42\n',
    err: '',
  });
  assert.deepEqual(await Command.runs(['call', server.at('talk'), 'count', '3']), {
    status: 0,
    out: '0\n1\n2\n',
    err: '',
  });
  assert.deepEqual(await Command.runs(['call', server.at('talk'), 'count', '0']), {
    status: 0,
    out: 'null\n',
    err: '',
  });
  assert.deepEqual(await Command.runs(['call', server.at('talk'), 'none']), {
    status: 1,
    out: '',
    err: 'httpsocket: no such call\n',
  });
  const silent = await Command.runs(['call', '--timeout', '0.4', server.at('asks'), 'hello']);
  assert.deepEqual(silent, { status: 1, out: '', err: 'httpsocket: no answer in time\n' });
  const gone = await Command.runs(['call', server.at('talk'), 'exit', '0']);
  assert.equal(gone.status, 1);
});

test('emit exits 0 when the program has it', async () => {
  assert.deepEqual(
    await Command.runs(['emit', server.at('talk'), 'complain', '"emitted: here I am"']),
    {
      status: 0,
      out: '',
      err: '',
    },
  );
  await server.logged(/emitted: here I am/);
});

test('wrong usage is exit status 2 and says what is wrong', async () => {
  for (const args of [
    ['connect'],
    ['emit', 'http://localhost:1/'],
    ['call', 'http://localhost:1/', 'a', '1', '2'],
    ['connect', '--none', 'http://localhost/'],
    ['connect', 'ftp://localhost/'],
    ['connect', 'http://localhost/#x'],
    ['connect', '--origin', 'localhost', 'http://localhost/'],
    ['connect', '--timeout', 'x', 'http://localhost/'],
    ['emit', '--exec', 'x', 'http://localhost/', 'a'],
    ['connect', '--cacert', '/none', 'https://localhost/'],
    ['emit', server.at('talk'), '.bye'],
    ['emit', server.at('talk'), 'a?1'],
    ['emit', server.at('talk'), 'a', '{'],
    ['call', server.at('talk'), 'a', ' 1'],
    ['emit', server.at('talk'), 'a', '"\n"'],
  ]) {
    const { status, out, err } = await Command.runs(args);
    assert.equal(status, 2, args.join(' '));
    assert.equal(out, '');
    assert.notEqual(err, '', args.join(' '));
  }
  assert.equal((await Command.runs(['connect', '--help'])).status, 0);
});

test('a bad line on stdin ends the session, and what came before it is delivered', async () => {
  for (const [i, bad] of [
    'no JSON',
    '.close {}',
    'photo @3\nabcd',
    'photo @100\nshort',
    '=07 1',
    `${'n'.repeat(200)} 1`,
  ].entries()) {
    const { status, err } = await Command.runs(
      ['connect', server.at('talk')],
      `complain "before the bad line ${i}"\n${bad}\ncomplain "after ${i}"\n`,
    );
    assert.equal(status, 1, bad);
    assert.match(err, /^httpsocket: stdin, line 2: /, bad);
    await server.logged(new RegExp(`before the bad line ${i}`));
  }
  assert.ok(!server.log.some((line) => /after \d/.test(line)));
});

test('a refusal is told by its code and reason', async () => {
  const none = await Command.runs(['connect', server.at('none')]);
  assert.deepEqual(none, { status: 1, out: '', err: 'httpsocket: 4404 no-program\n' });
  const refused = await Command.runs(['connect', server.at('no')]);
  assert.equal(refused.status, 1);
  assert.match(refused.err, /^httpsocket: 4401 script-denied/);
  const foreign = await Command.runs([
    'connect',
    '--origin',
    'http://a.example',
    server.at('talk'),
  ]);
  assert.equal(foreign.status, 1);
  assert.match(foreign.err, /^httpsocket: 4403 [a-z-]+/);
});

test('a server of something else is refused for what it answers', async () => {
  const answers = [
    ['SSH-2.0-x\r\n', /4400 the answer is no HTTP\/1.1 response/],
    ['HTTP/1.1 200 OK\r\n\r\n', /4200 HTTP 200 OK/],
    ['HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n', /4302 HTTP 302 Found/],
    ['HTTP/1.1 429 Slow\r\nRetry-After: 60\r\n\r\n', /4429 HTTP 429 Slow \(again in 60 s\)/],
    [
      'HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n',
      /4400 Sec-WebSocket-Accept is not of our key/,
    ],
  ];
  for (const [answer, message] of answers) {
    const other = net.createServer((socket) => socket.on('error', () => {}).end(answer));
    other.listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { status, err } = await Command.runs([
      'connect',
      '--no-reconnect',
      `http://127.0.0.1:${other.address().port}/`,
    ]);
    assert.equal(status, 1);
    assert.match(err, message);
    other.close();
  }
});

test('a server that is not there: emit fails at once, connect tries again until it gives up', async () => {
  const free = net.createServer().listen(0, '127.0.0.1');
  await once(free, 'listening');
  const url = `http://127.0.0.1:${free.address().port}/talk`;
  free.close();
  await once(free, 'close');
  assert.deepEqual(await Command.runs(['emit', url, 'a']), {
    status: 1,
    out: '',
    err: 'httpsocket: 1006 Connection refused\n',
  });
  assert.deepEqual(await Command.runs(['connect', '--no-reconnect', url]), {
    status: 1,
    out: '',
    err: 'httpsocket: 1006 Connection refused\n',
  });
  const command = Command.starts('connect', '--timeout', '1.5', url);
  const { status, err } = await command.ended;
  assert.equal(status, 1);
  assert.equal(
    err,
    'httpsocket: no connection: Connection refused; trying again\nhttpsocket: 1006 Connection refused\n',
  );
});

test('a server that comes late is found', async (t) => {
  const proxy = await Proxy.start(server.port);
  t.after(() => proxy.stop());
  proxy.refuse(true);
  const command = Command.starts('connect', `${proxy.url}/talk`);
  command.says('hello 1');
  await command.complains(/trying again/);
  proxy.refuse(false);
  await command.hears(/^echo \["hello", 1\]$/);
  await command.complains(/httpsocket: connected/);
  command.child.stdin.end();
  assert.equal((await command.ended).status, 0);
});

for (const status of ['408 Request Timeout', '500 Oops', '502 Bad Gateway'])
  test(`a session goes on after a proxy that answers its return with ${status}`, async (t) => {
    const proxy = await Proxy.start(server.port);
    t.after(() => proxy.stop());
    const command = Command.starts('connect', `${proxy.url}/talk`);
    const started = await command.hears(/^started/);
    proxy.refuse(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\n\r\n`);
    proxy.cut();
    await once(proxy, 'refused');
    proxy.refuse(false);
    command.says('hello 2');
    await command.hears(/^echo \["hello", 2\]$/);
    assert.equal(command.lines.filter((line) => line.startsWith('started')).length, 1, started);
    command.child.stdin.end();
    assert.equal((await command.ended).status, 0);
  });

test(`${CUTS} cuts at random moments: nothing lost, doubled or out of order, the same process`, async (t) => {
  const seed = Number(process.env.SEED ?? Date.now() % 2 ** 32);
  t.diagnostic(`SEED=${seed}`);
  const rand = random(seed);
  const proxy = await Proxy.start(server.port);
  t.after(() => proxy.stop());
  const command = Command.starts('connect', '--quiet', `${proxy.url}/counter`);
  let sent = 0;
  command.says('report?1');
  const first = JSON.parse((await command.hears(/^=1 /)).slice(3));
  command.says('count 0.005');
  const counting = setInterval(() => command.says(`c ${sent++}`), 5);
  while (proxy.cuts < CUTS) {
    await sleep(rand() * 60);
    if (rand() < 0.6) proxy.cut();
    else
      proxy.plan(() => ({ [rand() < 0.5 ? 'downAfter' : 'upAfter']: Math.floor(rand() * 2500) }));
    if (rand() < 0.3) proxy.plan(() => ({}));
  }
  proxy.plan(() => ({}));
  clearInterval(counting);
  command.says('stop\nreport?2'); // comes behind everything else, both ways
  const last = JSON.parse((await command.hears(/^=2 /)).slice(3));
  command.child.stdin.end();
  assert.equal((await command.ended).status, 0);
  const heard = command.lines
    .filter((line) => line.startsWith('n '))
    .map((line) => Number(line.slice(2)));
  assert.deepEqual(last.faults, []);
  assert.equal(last.received, sent);
  assert.deepEqual(
    heard,
    Array.from({ length: last.sent }, (_, i) => i),
  );
  assert.equal(last.pid, first.pid);
  assert.ok(last.attaches.length > CUTS / 4, `${last.attaches.length} attaches`);
  assert.ok(sent > 500 && last.sent > 500, `${sent} and ${last.sent} events`);
  t.diagnostic(
    `${proxy.cuts} cuts, ${last.attaches.length} connections, ${sent} and ${last.sent} events`,
  );
});

test('a connection that is open and dead is noticed, and the session goes on', async (t) => {
  const proxy = await Proxy.start(server.port);
  t.after(() => proxy.stop());
  const command = Command.starts('connect', `${proxy.url}/talk`);
  await command.hears(/^started/);
  proxy.freeze();
  command.says('hello 2');
  await command.complains(/no connection: nothing heard/);
  await command.hears(/^echo \["hello", 2\]$/);
  command.child.stdin.end();
  assert.equal((await command.ended).status, 0);
});

test('huge lines pass; a cut in the middle of one is mended', async (t) => {
  const proxy = await Proxy.start(server.port);
  t.after(() => proxy.stop());
  let planned = 2;
  proxy.plan(() => (planned-- > 0 ? { upAfter: 1_000_000 } : {}));
  const command = Command.starts('connect', `${proxy.url}/counter`);
  const huge = JSON.stringify('x'.repeat(5_000_000));
  command.says(`length?1 ${huge}`);
  assert.equal(await command.hears(/^=1 /), '=1 5000000');
  command.says('large 6000000');
  assert.equal((await command.hears(/^large /)).length, 6000008);
  command.says(`length?2 ${JSON.stringify('x'.repeat(17 << 20))}`);
  const { status, err } = await command.ended;
  assert.equal(status, 1);
  assert.match(err, /line 3: .*too long/);
  assert.equal(proxy.cuts, 2);
});

test('a stdout that nobody reads makes the program wait, loses nothing and keeps the connection', async (t) => {
  const proxy = await Proxy.start(server.port);
  t.after(() => proxy.stop());
  const command = Command.starts('connect', `${proxy.url}/talk`);
  await command.hears(/^started/);
  command.child.stdout.pause();
  const text = 'y'.repeat(100_000);
  for (let i = 0; i < 60; i++) command.says(`e${i} "${text}"`);
  const [link] = proxy.links;
  let beats = 0; // `.pong`, masked
  link.client.on('data', (data) => (beats += data.length === 11));
  await until(
    () => beats >= 17,
    () => `${beats} beats`,
    30_000,
  ); // 8.5 s: the server's patience is 7 s
  command.child.stdout.resume();
  for (let i = 0; i < 60; i++)
    assert.equal((await command.hears(/^echo/)).length, `echo ["e${i}", ""]`.length + text.length);
  assert.equal(command.lines.filter((line) => line.includes('.detach')).length, 0);
  command.child.stdin.end();
  assert.equal((await command.ended).status, 0);
});

test('a stdout that is closed ends it with a message, not by SIGPIPE', async () => {
  const command = Command.starts('connect', server.at('counter'));
  command.child.stdout.destroy();
  command.says('count 0.01');
  const { status, signal, err } = await command.ended;
  assert.equal(signal, null);
  assert.equal(status, 1);
  assert.equal(err, 'httpsocket: stdout: Broken pipe\n');
});

test('SIGTERM closes the session: the program sees its end', async () => {
  const command = Command.starts('connect', server.at('talk'));
  const { pid } = JSON.parse((await command.hears(/^started/)).slice(8));
  command.child.kill('SIGTERM');
  assert.equal((await command.ended).status, 1);
  await server.logged(new RegExp(`program.exited .*pid=${pid} .*status=0`));
});

test('the end of the program is told: 0 for its success, 1 for its failure', async () => {
  const good = await Command.runs(['connect', server.at('talk')], 'exit 0\n');
  assert.equal(good.status, 0, good.err);
  const bad = Command.starts('connect', server.at('talk'));
  bad.says('exit 7');
  const { status, err } = await bad.ended;
  assert.equal(status, 1);
  assert.equal(err, 'httpsocket: 4500 program-failed status=7\n');
});

test('--exec gives a command the lines, and its failure is ours', async () => {
  const script =
    'echo "add?1 [20,22]"; while read -r line; do case $line in "=1 "*) echo "$line" >&2; exit $CODE;; esac; done';
  const good = await Command.runs(['connect', '--exec', `CODE=0; ${script}`, server.at('talk')]);
  assert.deepEqual(good, { status: 0, out: '', err: '=1 42\n' });
  const bad = await Command.runs(['connect', '--exec', `CODE=3; ${script}`, server.at('talk')]);
  assert.deepEqual(bad, {
    status: 1,
    out: '',
    err: '=1 42\nhttpsocket: the command exited with 3\n',
  });
});

/** A certificate of our own for localhost: {cert, key, remove()}. */
function makeCertificate() {
  const keys = makeRoot({});
  const [cert, key] = ['cert.pem', 'key.pem'].map((name) => path.join(keys.root, name));
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/CN=localhost',
      '-addext',
      'subjectAltName=DNS:localhost',
      '-keyout',
      key,
      '-out',
      cert,
    ],
    { stdio: 'ignore' },
  );
  return { cert, key, remove: keys.remove };
}

test('TLS: a CA of our own is trusted when it is named, and nothing else is', async (t) => {
  const { cert, key, remove } = makeCertificate();
  const secure = await startServer({
    root: server.root,
    args: ['--tls-cert', cert, '--tls-key', key],
  });
  t.after(() => (secure.stop(), remove()));
  const url = `https://localhost:${secure.port}/talk`;
  assert.deepEqual(await Command.runs(['call', '--cacert', cert, url, 'add', '[1,2]']), {
    status: 0,
    out: '3\n',
    err: '',
  });
  const wss = await Command.runs(
    ['connect', '--cacert', cert, url.replace('https', 'wss')],
    `hello "${'z'.repeat(300_000)}"\nadd?1 [1]\n`,
  );
  assert.equal(wss.status, 0, wss.err);
  assert.ok(wss.out.includes('z'.repeat(300_000)));
  const unknown = await Command.runs(['connect', url]);
  assert.equal(unknown.status, 1);
  assert.match(unknown.err, /^httpsocket: 1015 TLS: self-signed certificate/);
  const other = await Command.runs([
    'connect',
    '--cacert',
    cert,
    url.replace('localhost', '127.0.0.1'),
  ]);
  assert.match(other.err, /^httpsocket: 1015 TLS: IP address mismatch/);
});

test('TLS: a session that was open waits while the server is not the one it was', async (t) => {
  const ours = makeCertificate();
  const others = makeCertificate();
  const secure = ({ cert, key }) =>
    startServer({ root: server.root, args: ['--tls-cert', cert, '--tls-key', key] });
  const [home, portal] = await Promise.all([secure(ours), secure(others)]);
  const proxy = await Proxy.start(home.port);
  t.after(() =>
    Promise.all([proxy.stop(), home.stop(), portal.stop(), ours.remove(), others.remove()]),
  );
  const command = Command.starts(
    'connect',
    '--cacert',
    ours.cert,
    `https://localhost:${proxy.port}/talk`,
  );
  command.says('hello 1');
  await command.hears(/^echo \["hello", 1\]$/);
  proxy.to(portal.port);
  proxy.cut(() => true);
  command.says('hello 2');
  const [attempt] = await once(proxy, 'link');
  await once(attempt.client, 'close'); // the client has seen another's certificate
  proxy.to(home.port);
  await command.hears(/^echo \["hello", 2\]$/);
  command.child.stdin.end();
  assert.equal((await command.ended).status, 0);
});

test('examples/client.c, compiled as its user would, runs against the library', async () => {
  const out = makeRoot({});
  const file = path.join(out.root, 'client');
  const sanitized = execFileSync('nm', ['-D', path.join(BUILD, 'libhttpsocket.so')], {
    maxBuffer: 1 << 26,
  }).includes('__asan');
  execFileSync('cc', [
    '-std=c11',
    '-Wall',
    '-Wextra',
    '-Werror',
    '-pedantic',
    ...(sanitized ? ['-fsanitize=address,undefined'] : []),
    path.join(REPO, 'examples/client.c'),
    '-I',
    path.join(REPO, 'include'),
    '-L',
    BUILD,
    '-lhttpsocket',
    `-Wl,-rpath,${BUILD}`,
    '-o',
    file,
  ]);
  const exported = execFileSync(
    'nm',
    ['-D', '--defined-only', path.join(BUILD, 'libhttpsocket.so')],
    { encoding: 'utf8' },
  );
  for (const line of exported.trim().split('\n'))
    assert.match(line, / (httpsocket_\w+@@|HTTPSOCKET_0\.\d+$|__)/, 'nothing else is exported');
  const child = spawn(file, [server.at('talk')], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (data) => (text += data));
  const [status] = await once(child, 'close');
  assert.equal(status, 0);
  assert.match(
    text,
    /^started .*\ntold .*\necho \["hello", \{"name": "Frode"\}\]\nthe answer is 42\n$/,
  );
  out.remove();
});
