// SPDX-License-Identifier: MIT
// log.test.mjs - what the server says of itself and of its clients, and that saying it never holds
// the service up.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { openPlain } from '../lib/plain-client.mjs';
import { request } from '../lib/request.mjs';
import { makeRoot, program, startServer, stopAll } from '../lib/server.mjs';
import { after, afterEach, before, describe, test } from '../lib/test.mjs';
import { until } from '../lib/until.mjs';

const PIPE_BYTES = 65536;
const SLOW = '#!/bin/sh\nread line <&3\n';
/** Says more on stderr than pipe and server hold together, then answers. */
const LOUD = `#!/bin/sh
i=0
while [ $((i += 1)) -le 3000 ]; do printf '%-200s\\n' "$i" >&2; done
printf 'Content-Type: text/plain\\n\\nsaid\\n'
`;

/** Starts the server in the background of a terminal that stops who writes there, its stderr. */
const IN_THE_BACKGROUND = `
import os, pty, signal, sys, termios, threading
ours, theirs = pty.openpty()
def passes_on(child):
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
shell = os.fork()
if shell > 0:
    reads = lambda: [0 for _ in iter(lambda: os.read(ours, 4096), b'')]
    threading.Thread(target=reads, daemon=True).start()
    passes_on(shell)
os.setsid()
os.close(os.open(os.ttyname(theirs), os.O_RDWR))
settings = termios.tcgetattr(theirs)
settings[3] |= termios.TOSTOP
termios.tcsetattr(theirs, termios.TCSANOW, settings)
server = os.fork()
if server > 0:
    passes_on(server)
os.setpgid(0, 0)
os.dup2(theirs, 2)
os.execv(sys.argv[1], sys.argv[1:])
`;

let files;
const file = (name) => `${files.root}/${name}`;

before(() => (files = makeRoot({ 'hello.txt': 'hello\n', slow: program(SLOW) })));
afterEach(stopAll);
after(() => files.remove());

describe('a stderr that stalls', () => {
  /** A pipe that takes PIPE_BYTES and then blocks whoever writes; `read()` takes what is there. */
  function stalledPipe() {
    fs.rmSync(file('stalled'), { force: true });
    execFileSync('mkfifo', [file('stalled')]);
    const fd = fs.openSync(file('stalled'), fs.constants.O_RDWR);
    const reader = fs.openSync(file('stalled'), fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    const room = Buffer.alloc(4 * PIPE_BYTES);
    const read = () => {
      try {
        return room.subarray(0, fs.readSync(reader, room)).toString();
      } catch {
        return ''; // nothing is there now
      }
    };
    return { fd, read };
  }

  test('costs lines, which are counted, and not the service', async () => {
    const pipe = stalledPipe();
    const server = await startServer({
      files: { 'hello.txt': 'hello\n', loud: program(LOUD) },
      stderr: pipe.fd,
    });
    assert.equal((await request(server.at('loud'))).body, 'said\n');
    assert.equal((await request(server.at('hello.txt'))).body, 'hello\n');
    let text = '';
    await until(() => /log\.lost lines=\d+ /.test((text += pipe.read())));
    assert.match(text, /program\.stderr .*line="1 /);
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
  });

  test('does not keep a server that has crashed from starting again', async () => {
    const pipe = stalledPipe();
    fs.writeSync(pipe.fd, Buffer.alloc(PIPE_BYTES, '\n'));
    const server = await startServer({ root: files.root, stderr: pipe.fd });
    const crashed = server.pid;
    process.kill(crashed, 'SIGKILL');
    await until(() => server.pid !== crashed && server.pid !== server.child.pid);
    assert.equal((await request(server.at('hello.txt'))).body, 'hello\n');
    assert.deepEqual(await server.stop(), { code: 1, signal: null });
  });
});

describe('a log that can take no more', () => {
  const spool = '#!/bin/sh\nprintf "Content-Type: text/plain\\n\\n"\nwc -c\n';
  const chunked = (length) => ({
    method: 'POST',
    headers: { 'Transfer-Encoding': 'chunked' },
    body: Buffer.alloc(length, 'x'),
  });

  test('and a body that can not, at the limit of size of files, end nothing', async () => {
    const server = await startServer({
      files: { 'hello.txt': 'hello\n', spool: program(spool) },
      args: ['--access-log', file('limited')],
      by: ['prlimit', '--fsize=20000'],
    });
    const serving = server.pid;
    const long = server.at(`hello.txt?${'x'.repeat(8000)}`);
    for (let i = 0; i < 12; i++) assert.equal((await request(long)).status, 200);
    await server.logged(/log\.access_lost/);
    assert.equal((await request(server.at('spool'), chunked(40000))).status, 507);
    assert.equal((await request(server.at('spool'), chunked(10000))).body, '10000\n');
    assert.equal(server.pid, serving);
    await server.ends();
  });

  test('a terminal that stops those who write in the background stops no server', async () => {
    const server = await startServer({
      root: files.root,
      args: ['--log-level', 'debug'],
      by: ['python3', '-c', IN_THE_BACKGROUND],
    });
    assert.equal((await request(server.at('hello.txt'))).body, 'hello\n');
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
  });
});

describe('the access log', () => {
  const COMBINED =
    /^127\.0\.0\.1 - - \[\d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d \+0000\] "(.*)" (\d+) (\d+) "(.*)" "(.*)"$/;
  const linesOf = (name) => fs.readFileSync(file(name), 'utf8').split('\n').slice(0, -1);
  const hasLines = (name, count) =>
    until(
      () => linesOf(name).length >= count && linesOf(name),
      () => linesOf(name).join('\n'),
    );
  const start = (name, ...args) =>
    startServer({ root: files.root, args: ['--access-log', file(name), ...args], threads: 1 });

  test('has a line for each request, as other web servers write it', async () => {
    const server = await start('combined.log');
    const headers = { referer: 'http://a.example/"', 'user-agent': 'one\\two' };
    await request(server.at('hello.txt?a=b'), { headers });
    await request(server.at('nothing'), { method: 'POST', body: 'x' });
    const [first, second] = (await hasLines('combined.log', 2)).map((line) => COMBINED.exec(line));
    assert.deepEqual(first.slice(1), [
      'GET /hello.txt?a=b HTTP/1.1',
      '200',
      '6',
      'http://a.example/\\x22',
      'one\\x5Ctwo',
    ]);
    assert.deepEqual(second.slice(1, 3), ['POST /nothing HTTP/1.1', '404']);
    await server.ends();
  });

  test('into a FIFO that nobody reads holds up neither the start nor a reload', async () => {
    execFileSync('mkfifo', [file('pipe.log')]);
    const server = await start('pipe.log');
    server.child.kill('SIGHUP');
    await server.logged(/config\.reloaded/);
    assert.equal((await request(server.at('hello.txt'))).status, 200);
    const reader = fs.createReadStream(file('pipe.log'), 'utf8');
    const [line] = await once(reader, 'data');
    assert.match(line, /GET \/hello\.txt/);
    reader.destroy();
    await server.ends();
  });

  test('is one JSON object a line if asked for', async () => {
    const server = await start('requests.json', '--access-log-format', 'json');
    await request(server.at('hello.txt'), { headers: { 'user-agent': '"\xe9"' } });
    const [entry] = (await hasLines('requests.json', 1)).map((line) => JSON.parse(line));
    assert.ok(Date.parse(entry.time) > 0 && entry.ms >= 0);
    const { address, method, target, protocol, status, bytes, agent } = entry;
    assert.deepEqual(
      { address, method, target, protocol, status, bytes, agent },
      {
        address: '127.0.0.1',
        method: 'GET',
        target: '/hello.txt',
        protocol: 'HTTP/1.1',
        status: 200,
        bytes: 6,
        agent: '"\ufffd"',
      },
    );
    await server.ends();
  });

  test('has the handshake of a WebSocket, a client that left, and input that is no request', async () => {
    const server = await start('odd.log', '--stdio', '/lines=cat');
    await (await openPlain(server.at('lines'))).closes();
    const leaves = net.connect(server.port, '127.0.0.1');
    leaves.end('POST /slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf');
    net.connect(server.port, '127.0.0.1').end('nonsense\r\n\r\n');
    const found = (await hasLines('odd.log', 3)).map((l) => COMBINED.exec(l).slice(1, 3).join(' '));
    assert.deepEqual(found.sort(), ['- 400', 'GET /lines HTTP/1.1 101', 'POST /slow HTTP/1.1 499']);
    await server.ends();
  });

  test('goes on under its old name until SIGHUP, then under a new one', async () => {
    const server = await start('turned.log');
    await request(server.at('one'));
    await hasLines('turned.log', 1);
    fs.renameSync(file('turned.log'), file('turned.log.1'));
    await request(server.at('two'));
    await hasLines('turned.log.1', 2);
    server.child.kill('SIGHUP');
    await server.logged(/config\.reloaded/);
    await request(server.at('three'));
    assert.match((await hasLines('turned.log', 1))[0], /GET \/three /);
    await server.ends();
  });

  test('can be turned on, elsewhere and off by a reload', async () => {
    const conf = file('log.conf');
    fs.writeFileSync(conf, '');
    const server = await startServer({ root: files.root, args: ['--config', conf] });
    const reload = async (text, count) => {
      fs.writeFileSync(conf, text);
      server.child.kill('SIGHUP');
      await until(() => server.lines(/config\.reloaded/).length === count);
    };
    await reload(`access-log = "${file('on.log')}"`, 1);
    await request(server.at('on'));
    assert.match((await hasLines('on.log', 1))[0], /GET \/on /);
    await reload(`access-log = "${file('moved.log')}"\naccess-log-format = json`, 2);
    await request(server.at('moved'));
    assert.equal(JSON.parse((await hasLines('moved.log', 1))[0]).target, '/moved');
    await reload('', 3);
    await request(server.at('off'));
    await server.ends();
    assert.equal(linesOf('moved.log').length, 1);
  });

  test('a file that can not be opened is told, at the start and at a reload', async () => {
    await assert.rejects(start('no/such/folder'), /log\.access_failed .*No such file/);
    const conf = file('bad.conf');
    fs.writeFileSync(conf, '');
    const server = await startServer({ root: files.root, args: ['--config', conf] });
    fs.writeFileSync(conf, `access-log = "${file('no/such/folder')}"`);
    server.child.kill('SIGHUP');
    await server.logged(/log\.access_failed .*No such file/);
    assert.equal((await request(server.at('hello.txt'))).status, 200);
    await server.ends();
  });

  test('a line of the longest texts stays a line', async () => {
    const server = await start('long.log', '--access-log-format', 'json');
    const long = '\x01"\u20ac'.repeat(800);
    const target = `/${encodeURIComponent(long).slice(0, 6000)}`;
    await request(server.at(target.slice(1)), { headers: { 'user-agent': '"'.repeat(3000) } });
    const [line] = await hasLines('long.log', 1);
    assert.ok(line.length < 4096 && JSON.parse(line).status === 404);
    await server.ends();
  });
});

describe('a refusal is seen', () => {
  test('of a host that is not ours, of too many programs, of a page that is too early', async () => {
    const server = await startServer({
      files: { slow: program(SLOW) },
      args: ['--programs-max', '1', '--answer-timeout', '30s'],
    });
    await request(server.at('x'), { headers: { host: 'evil.example' } });
    await server.logged(
      /info http\.refused .*status=421 reason="host-foreign.* host=evil\.example/,
    );
    const first = http.get(server.at('slow')).on('error', () => {});
    await server.logged(/program\.started/);
    assert.equal((await request(server.at('slow'))).status, 503);
    await server.logged(/info http\.refused address=127\.0\.0\.1 status=503 .*path=\/slow/);
    first.destroy();
    await server.ends();
  });
});

describe('what a program did wrong is said with what to do', () => {
  const wrong = {
    'a page without headers': [
      '#!/bin/sh\necho "<title>hello</title>"\n',
      /answer_failed .*line=<title>hello<\/title> hint="print the headers first: `Content-Type/,
    ],
    'a line among the headers that is none': [
      '#!/bin/sh\nprintf "Content-Type: text/html\\nhello world\\n\\n"\n',
      /answer_failed .*line="hello world" hint="end the headers with an empty line/,
    ],
    'headers without an empty line': [
      '#!/bin/sh\necho Content-Type: text/html\n',
      /answer_failed .*ended without an answer" line="Content-Type: text\/html" hint="end the head/,
    ],
    'an interpreter that is missing': [
      '#!/usr/bin/pythn3 -u\n',
      /start_failed .*hint="its interpreter `\/usr\/bin\/pythn3` is not installed"/,
    ],
    'a first line that ends in CR LF': [
      '#!/bin/sh\r\necho\n',
      /start_failed .*hint="its first line ends in CR LF: save the file with LF line ends"/,
    ],
    'a binary for another machine': [
      '\x7fELF\x01\x01\x01\x00nonsense',
      /start_failed .*hint="it is a binary for another kind of machine"/,
    ],
  };
  for (const [what, [text, line]] of Object.entries(wrong))
    test(`${what}: in the log, and on the page with --dev`, async () => {
      const server = await startServer({
        files: { broken: { text, mode: 0o755 } },
        args: ['--dev'],
      });
      const { status, body } = await request(server.at('broken'));
      assert.match(await server.logged(/answer_failed|start_failed/), line);
      assert.ok(status === 500 || status === 502);
      const hint = /hint="(.{20})/.exec(server.lines(line)[0])[1];
      assert.ok(body.replaceAll('&lt;', '<').includes(hint), body);
      await server.ends();
    });

  test('strangers are not told', async () => {
    const server = await startServer({ files: { broken: program('#!/bin/sh\necho secret\n') } });
    const { status, body } = await request(server.at('broken'));
    assert.deepEqual([status, body], [502, 'a header line is not NAME: VALUE\n']);
    await server.ends();
  });
});
