// SPDX-License-Identifier: MIT
// The server library, as its users have it: installed, found by pkg-config, compiled as C and C++,
// linked both ways.
import { test, before, after, describe } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { request } from '../lib/request.mjs';
import { RawHttp } from '../lib/http-raw.mjs';
import { Installed } from '../lib/installed.mjs';
import { Page } from '../lib/session-client.mjs';
import { openPlain } from '../lib/plain-client.mjs';
import { REPO, makeRoot, startProgram } from '../lib/server.mjs';
import { until } from '../lib/until.mjs';

const example = (name) => path.join(REPO, 'examples/lib', name);
let installed, trial, files;

before(() => {
  installed = new Installed();
  trial = installed.compiles(path.join(REPO, 'tests/scenario/library/trial.c'));
  files = makeRoot({
    'a.txt': 'a file\n',
    'b/index.html': '<p>b',
    'secret.sql': 'drop',
    run: { text: '#!/bin/sh\n', mode: 0o755 },
  });
});
after(() => {
  files.remove();
  installed.remove();
});

const start = (threads = 0, ...settings) =>
  startProgram(trial, [String(threads), files.root, ...settings]);
const url = (server, name) => `http://127.0.0.1:${server.port}${name}`;
const asks = async (server, name, options) => {
  const { status, body } = await request(url(server, name), options);
  return [status, body];
};
const refusal = (server, name, options = {}) =>
  openPlain(url(server, name), [], options).then(
    () => 'let in',
    (error) => Number(/(\d+)$/.exec(error.message)[1]),
  );

describe('requests', () => {
  let server;
  before(async () => (server = await start()));
  after(() => server.ends());

  test('the most particular route answers, and knows its request', async () => {
    const { status, headers, body } = await request(url(server, '/things/a%20b?q=1'), {
      headers: { 'User-Agent': 'me' },
    });
    assert.equal(status, 200);
    assert.equal(headers['x-trial'], 'a value');
    assert.equal(
      body,
      'GET /things/a b ?q=1 id=a b rest=- agent=me from=127.0.0.1 bad=1 own=1 get',
    );
    assert.match((await asks(server, '/things/own'))[1], / own$/);
    assert.match((await asks(server, '/things/7/x/y'))[1], /id=7 rest=x\/y .* rest$/);
    assert.match((await asks(server, '/things/7/'))[1], /id=7 rest= .* rest$/);
    assert.match((await asks(server, '/things/7', { method: 'DELETE' }))[1], / any$/);
  });

  test('HEAD has no body; another method is told what may be asked', async () => {
    assert.deepEqual(await asks(server, '/things/1', { method: 'HEAD' }), [200, '']);
    const wrong = await request(url(server, '/whole'), { method: 'PUT' });
    assert.deepEqual([wrong.status, wrong.headers.allow], [405, 'POST, OPTIONS']);
    assert.equal((await request(url(server, '/whole'), { method: 'OPTIONS' })).status, 204);
    assert.equal((await asks(server, '/nowhere'))[0], 404);
    assert.equal((await asks(server, '/things/1', { headers: { Host: 'evil.example' } }))[0], 421);
  });

  test('a body is read whole up to a bound, or piece by piece', async () => {
    const post = (name, size) => asks(server, name, { method: 'POST', body: Buffer.alloc(size) });
    assert.deepEqual(await post('/whole', 0), [200, '0']);
    assert.deepEqual(await post('/whole', 100000), [200, '100000']);
    assert.deepEqual(await post('/whole', 100001), [413, '0']);
    assert.deepEqual(await post('/stream', 0), [200, '0']);
    assert.deepEqual(await post('/stream', 3000000), [200, '3000000']);
  });

  test('an answer of 30 MB never has more waiting than the library takes', async () => {
    const { status, bytes } = await request(url(server, '/flood'));
    assert.deepEqual([status, bytes.length], [200, 480 * 65536]);
  });

  test('another thread works out an answer', async () => {
    assert.deepEqual(await asks(server, '/thread'), [200, 'same thread: 1']);
  });

  test('a folder is served, without programs and sources', async () => {
    assert.deepEqual(await asks(server, '/files/a.txt'), [200, 'a file\n']);
    assert.deepEqual(await asks(server, '/files/b/'), [200, '<p>b']);
    assert.equal((await asks(server, '/files/b'))[0], 301);
    assert.equal((await asks(server, '/files/run'))[0], 403);
    assert.equal((await asks(server, '/files/secret.sql'))[0], 403);
    assert.equal((await asks(server, '/files/none'))[0], 404);
    assert.equal((await asks(server, '/files/%2e%2e/trial'))[0], 404);
    assert.equal((await asks(server, '/files/a.txt', { method: 'POST' }))[0], 405);
  });

  test('a hook decides later who may have what', async () => {
    assert.deepEqual(await asks(server, '/secret/1'), [401, 'who are you?']);
    assert.match(
      (await asks(server, '/secret/1', { headers: { Authorization: 'yes' } }))[1],
      / secret$/,
    );
    assert.equal(await refusal(server, '/secret'), 401);
    const peer = await openPlain(url(server, '/secret'), [], { headers: { Authorization: 'yes' } });
    assert.deepEqual(await peer.next(), { text: 'none' });
    await peer.closes();
  });

  test('client.js is there for pages', async () => {
    assert.equal((await asks(server, '/.httpsocket/client.js'))[0], 200);
    assert.equal(await refusal(server, '/.httpsocket/connect'), 404);
  });
});

describe('clients that go', () => {
  let server;
  before(async () => (server = await start()));
  after(() => server.ends());
  const counts = async () => (await asks(server, '/counts'))[1];
  const goes = async (bytes, ready = () => {}) => {
    const client = await RawHttp.connect(server.port);
    await client.send(bytes);
    await ready(client);
    client.destroy();
  };

  test('a handler answers a client that is gone, and hears of it once', async () => {
    await goes('GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await until(async () => (await counts()).startsWith('gone=1 late=1 '));
  });

  test('a body that breaks off is an error for whoever reads it', async () => {
    await goes('POST /whole HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf');
    await until(async () => (await counts()).startsWith('gone=1 late=2 '));
  });

  test('so does a client that goes in the middle of its answer', async () => {
    await goes('GET /flood HTTP/1.1\r\nHost: localhost\r\n\r\n', (c) => once(c.socket, 'data'));
    await until(async () => (await counts()).startsWith('gone=2 late=2 '));
  });

  test('a client that goes while its body is not read', async () => {
    await goes('POST /wait HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf');
    await until(async () => (await counts()).startsWith('gone=3 late=3 '));
  });
});

describe('peers', () => {
  let server;
  before(async () => (server = await start()));
  after(() => server.ends());
  const opens = (name, ...more) => openPlain(url(server, name), ...more);

  test('text comes back as text, bytes as bytes', async () => {
    const peer = await opens('/echo');
    assert.deepEqual(await peer.next(), { text: 'none' });
    assert.equal(await peer.asks('Grüße'), 'Grüße');
    peer.send(Buffer.from([0, 255]));
    assert.deepEqual(await peer.next(), { bytes: Buffer.from([0, 255]) });
    peer.send('');
    assert.deepEqual(await peer.next(), { text: '' });
    await peer.closes();
  });

  test('the preferred subprotocol is chosen of those that are offered', async () => {
    const both = await opens('/echo', ['v1', 'v2']);
    assert.deepEqual([both.protocol, await both.next()], ['v2', { text: 'v2' }]);
    const one = await opens('/echo', ['other', 'v1']);
    assert.deepEqual([one.protocol, await one.next()], ['v1', { text: 'v1' }]);
    await Promise.all([both.closes(), one.closes()]);
  });

  test('a message above message_max closes its peer', async () => {
    const peer = await opens('/echo');
    peer.send('x'.repeat(1001));
    assert.equal((await peer.closed).code, 1009);
  });

  test('a program refuses, and closes in on_open and in on_message', async () => {
    assert.equal(await refusal(server, '/echo?no'), 403);
    assert.equal(await refusal(server, '/nowhere'), 404);
    const early = await opens('/closed');
    assert.deepEqual(await early.next(), { text: 'bye' });
    await early.isClosed(4001, 'not today');
    const late = await opens('/closes');
    late.send('a');
    late.send('b');
    await late.isClosed(4003, 'enough');
  });

  test('a full queue refuses, and says when it is empty', async () => {
    const peer = await opens('/fill');
    let taken = 0,
      message;
    while ((message = await peer.next()).bytes) taken++;
    assert.equal(message.text, String(taken));
    assert.ok(taken * 10000 >= 1 << 17, `${taken}`);
    await peer.closes();
  });

  test('peers take nearly all descriptors, and leave the program some', async () => {
    const small = await startProgram(trial, ['0', files.root], { by: ['prlimit', '--nofile=400'] });
    const first = await openPlain(url(small, '/echo'));
    await first.next();
    let count = 1;
    while ((await refusal(small, '/echo')) === 'let in') count++;
    assert.ok(count > 260 && count < 340, `${count}`);
    assert.equal(await first.asks('still'), 'still');
    await small.stop('SIGINT');
  });

  test('a page of another origin is refused without a record', async () => {
    assert.equal(await refusal(server, '/echo', { origin: 'https://evil.example' }), 403);
    const own = await opens('/echo', [], { origin: `http://127.0.0.1:${server.port}` });
    await own.closes();
  });

  test('none is left without its on_close', async () => {
    await until(async () => / peers=0 /.test((await asks(server, '/counts'))[1]));
  });
});

for (const threads of [0, 2])
  describe(`topics, ${threads} threads of its own`, () => {
    let server, peers;
    before(async () => {
      server = await start(threads, 'connections-per-client=1000');
      peers = await Promise.all(Array.from({ length: 20 }, () => openPlain(url(server, '/topic'))));
      for (const peer of peers) assert.deepEqual(await peer.next(), { text: 'joined' });
    });
    after(() => server.ends());

    test('all subscribers hear one publisher, once', async () => {
      peers[0].send('"quoted" \\ Grüße \n');
      for (const peer of peers)
        assert.deepEqual(await peer.next(), { text: '"quoted" \\ Grüße \n' });
    });

    test('bytes that are published arrive as bytes', async () => {
      for (const size of [0, 1, 2, 3, 1000]) {
        const bytes = Buffer.from(Array.from({ length: size }, (_, i) => (i * 7) & 255));
        peers[0].send(bytes);
        for (const peer of peers) assert.deepEqual(await peer.next(), { bytes });
      }
    });

    test('what a thread publishes arrives whole and in order', async () => {
      await asks(server, '/publish', { method: 'POST' });
      for (const peer of peers)
        for (let i = 0; i < 100; i++) assert.deepEqual(await peer.next(), { text: String(i) });
    });

    test('one that has unsubscribed hears no more', async () => {
      peers[1].send('leave');
      await peers[1].closes();
      const other = await openPlain(url(server, '/topic'));
      await other.next();
      other.send('leave');
      peers[2].send('last');
      for (const peer of peers.filter((p, i) => i !== 1))
        assert.deepEqual(await peer.next(), { text: 'last' });
      await other.closes();
    });
  });

for (const threads of [0, 3])
  describe(`the end, ${threads} threads of its own`, () => {
    test('peers are told, a request under way is answered, one never answered is freed', async () => {
      const server = await start(threads);
      const peer = await openPlain(url(server, '/echo'));
      const never = RawHttp.connect(server.port);
      await (await never).send('GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n');
      const stopped = server.stop();
      assert.equal((await peer.closed).code, 1001);
      server.child.kill('SIGTERM'); // at once
      assert.deepEqual(await stopped, { code: 0, signal: null });
      await server.ends();
    });

    test('at once, with peers and requests under way', async () => {
      const server = await start(threads);
      const peers = await Promise.all(
        ['/echo', '/topic', '/fill'].map((name) => openPlain(url(server, name))),
      );
      const waiting = await RawHttp.connect(server.port);
      await waiting.send('GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n');
      await asks(server, '/counts');
      await server.stop('SIGINT');
      await Promise.all(peers.map((peer) => peer.closed));
      await waiting.closed;
      await server.ends();
    });
  });

for (const threads of [0, 2])
  describe(`pages, ${threads} threads of its own`, () => {
    let server;
    before(async () => (server = await start(threads)));
    after(() => server.ends());

    test('a page answers, and goes on talking with its document, also after a cut', async () => {
      const page = await Page.opens(server, 'page/7', { headers: { Cookie: 'a=b' } });
      assert.equal(page.answer.body, 'page GET 7 a=b 0');
      assert.equal(page.answer.headers['x-page'], 'yes');
      await page.hears('early 1', 'open false');
      page.says('same {"a":[1]}', 'double?5 21', 'what?6');
      await page.hears('same {"a":[1]}', '=5 42', '!6 {"message":"no such call"}');
      page.saysBytes('bytes', Buffer.from([0, 1, 255]));
      await page.hearsBytes('bytes', Buffer.from([0, 1, 255]));
      await page.cuts();
      await page.comesBack();
      await page.hears('open true');
      await page.closes();
    });

    test('it calls, publishes, and is told what is invalid', async () => {
      const page = await Page.opens(server, 'page/8');
      await page.hears(/^open/);
      page.says('ask');
      const question = await page.hears(/^question\?/);
      page.says(`=${/\d+/.exec(question)[0]} "yes"`, 'bad', 'publish {"n":1}');
      await page.hears('answered "yes"', 'good', 'topic ["pages","news",{"n":1}]');
      await page.closes();
    });

    test('it ends by its own will, at once when it refuses a direct client', async () => {
      const page = await Page.opens(server, 'page/9');
      page.says('end');
      await page.isClosed(1000, 'enough');
      assert.equal(await refusal(server, '/page/9?no'), 403);
      const plain = await openPlain(url(server, '/page/9'));
      plain.send('text');
      await plain.closes();
    });

    test('a hook decides about pages as about all else', async () => {
      assert.equal((await asks(server, '/secret/page/1'))[0], 401);
      const headers = { Authorization: 'yes' };
      const page = await Page.loads(server, 'secret/page/1', { headers });
      assert.equal(page.answer.status, 200);
      await assert.rejects(page.connect(), /401/);
      await Object.assign(page, { headers }).connect();
      await page.closes();
    });

    test('none is left without its on_over', async () => {
      await until(async () => / pages=0$/.test((await asks(server, '/counts'))[1]));
    });
  });

describe('options', () => {
  const fails = async (...settings) => {
    const child = spawnSync(trial, ['0', files.root, ...settings], { encoding: 'utf8' });
    assert.equal(child.status, 1);
    return child.stderr;
  };

  test('a wrong setting is refused, with its name', async () => {
    assert.match(await fails('nonsense=1'), /no setting is called `nonsense`/);
    assert.match(await fails('idle-timeout=soon'), /idle-timeout: expected a time/);
    assert.match(await fails('user=root'), /`user` is httpsocketd's alone/);
    assert.match(await fails('io=io_uring'), /`io` is httpsocketd's alone/);
    assert.match(await fails('broker=redis://a'), /`broker` is httpsocketd's alone/);
    assert.match(await fails('idle-timeout'), /expected NAME=VALUE/);
    assert.match(await fails('tls-cert=/none', 'tls-key=/none'), /none/);
  });

  test('the limits of httpsocketd are those of the library', async () => {
    const server = await start(0, 'body-max=10', 'head-timeout=200ms');
    assert.equal((await asks(server, '/whole', { method: 'POST', body: 'x'.repeat(11) }))[0], 413);
    const slow = await RawHttp.connect(server.port);
    await slow.send('GET / HT');
    const [data] = await once(slow.socket, 'data');
    assert.match(data.toString(), /^HTTP\/1.1 408 /);
    slow.destroy();
    await server.ends();
  });
});

describe('the examples', () => {
  const runs = (name, { args = [], ...options } = {}) =>
    startProgram(installed.compiles(example(name), options), ['127.0.0.1:0', ...args]);

  const packages = { 'uv.c': ['libuv'], 'glib.c': ['glib-2.0'] };
  for (const name of fs.readdirSync(path.join(REPO, 'examples/lib')))
    test(`${name} runs by the archive alone`, async () => {
      const server = await runs(name, { statically: true, packages: packages[name] });
      const needed = execFileSync('readelf', ['-d', server.child.spawnfile], { encoding: 'utf8' });
      assert.doesNotMatch(needed, /libhttpsocket/);
      await (name === 'broadcast.c' ? server.stop('SIGKILL') : server.ends());
    });

  for (const statically of [false, true])
    test(`echo.c, linked ${statically ? 'statically' : 'to the shared library'}`, async () => {
      const server = await runs('echo.c', { statically });
      const peer = await openPlain(url(server, '/echo'));
      assert.equal(await peer.asks('hello'), 'hello');
      assert.deepEqual(await asks(server, '/hello/you'), [200, 'hello, you\n']);
      await peer.closes();
      await server.ends();
    });

  test('chat.c: whoever is in a room hears it, over two threads', async () => {
    const server = await runs('chat.c');
    assert.match((await asks(server, '/tea'))[1], /<title>chat/);
    const people = Array.from({ length: 200 }, () => openPlain(url(server, '/tea')));
    const room = await Promise.all(people);
    const elsewhere = await openPlain(url(server, '/coffee'));
    room[0].send('hello');
    for (const peer of room) assert.deepEqual(await peer.next(), { text: 'hello' });
    assert.equal(await elsewhere.asks('alone'), 'alone');
    const odd = await openPlain(url(server, '/no%20such'));
    await odd.isClosed(4000, 'no such room');
    await server.ends();
  });

  test('broadcast.c is ten lines, and some hundreds hear it', async () => {
    const source = fs.readFileSync(example('broadcast.c'), 'utf8').replace(/\/\*.*?\*\//gs, '');
    const lines = source.split('\n').filter((line) => /\w/.test(line) && !line.startsWith('#'));
    assert.equal(lines.length, 10);
    const server = await runs('broadcast.c');
    const peers = await Promise.all(Array.from({ length: 300 }, () => openPlain(url(server, '/'))));
    for (const peer of peers) assert.deepEqual(await peer.next(), { text: 'tick' });
    await server.stop('SIGKILL');
  });

  test('broadcast.c ends with 1 where it cannot listen', async () => {
    const server = await runs('broadcast.c');
    const { status } = spawnSync(server.child.spawnfile, [`127.0.0.1:${server.port}`]);
    assert.equal(status, 1);
    await server.stop('SIGKILL');
  });

  test('page.c: what one does all see', async () => {
    const server = await runs('page.c');
    const pages = [await Page.opens(server, ''), await Page.opens(server, '')];
    for (const page of pages) await page.hears(/^\.dom .*"0"/);
    pages[0].says('add?1 5');
    for (const page of pages) await page.hears(/^\.dom .*"5"/);
    await pages[0].closes();
    await server.ends();
  });

  test('uv.c answers from a timer of libuv', async () => {
    const server = await runs('uv.c', { packages: ['libuv'] });
    assert.deepEqual(await asks(server, '/later'), [200, 'at last\n']);
    await server.ends();
  });

  test('glib.c publishes from a timer of GLib', async () => {
    const server = await runs('glib.c', { packages: ['glib-2.0'] });
    const peer = await openPlain(url(server, '/ticks'));
    for (let i = 0; i < 3; i++) assert.deepEqual(await peer.next(), { text: 'tick' });
    await server.ends();
  });

  test('notes.cc is C++', async () => {
    const server = await runs('notes.cc');
    const put = (body) => request(url(server, '/notes/a'), { method: 'PUT', body });
    assert.equal((await put('{"x":1}')).status, 204);
    assert.deepEqual(await asks(server, '/notes/a'), [200, '{"x":1}']);
    assert.deepEqual(await asks(server, '/notes'), [200, '{"a":{"x":1}}']);
    assert.equal((await put('x'.repeat(70000))).status, 413);
    assert.equal((await asks(server, '/notes/a', { method: 'DELETE' }))[0], 204);
    assert.equal((await asks(server, '/notes/a'))[0], 404);
    await server.ends();
  });
});

test('the manual page is well-formed, and found by the name of each function', () => {
  const folder = path.join(installed.prefix, 'share/man/man3');
  const page = path.join(folder, 'httpsocket_server.3');
  const { stderr } = spawnSync('groff', ['-man', '-ww', '-Tutf8', page], { encoding: 'utf8' });
  assert.equal(stderr, '');
  const text = fs.readFileSync(page, 'utf8');
  const names = fs.readdirSync(folder).filter((name) => name !== 'httpsocket_server.3');
  assert.ok(names.length > 70, `${names.length}`);
  for (const name of names) {
    assert.ok(text.includes(`${name.slice(0, -2)}(`), name);
    assert.equal(fs.realpathSync(path.join(folder, name)), fs.realpathSync(page));
  }
});

describe('the binary interface', () => {
  const names = (text) =>
    text
      .split('\n')
      .map((line) => /\b(httpsocket_\w+)(@@\S+)?$/.exec(line))
      .filter(Boolean)
      .map(([, name, version]) => `${name}${version ?? ''}`)
      .sort();

  test('nothing else is visible, and each name has its version', () => {
    const shown = execFileSync('nm', ['-D', '--defined-only', installed.shared], {
      encoding: 'utf8',
    });
    const foreign = shown
      .trim()
      .split('\n')
      .filter(
        (line) => !/ (httpsocket_\w+@@HTTPSOCKET_\d+\.\d+|HTTPSOCKET_\d+\.\d+|__\w+)$/.test(line),
      );
    assert.deepEqual(foreign, []);
    const archived = execFileSync('nm', ['-g', '--defined-only', installed.archive], {
      encoding: 'utf8',
      maxBuffer: 1 << 26,
    });
    const plain = names(shown).map((name) => name.split('@')[0]);
    assert.deepEqual(names(archived), plain);
  });

  test('names and layouts are those that were recorded (tests/scenario/library/abi.txt)', () => {
    const shown = execFileSync('nm', ['-D', '--defined-only', installed.shared], {
      encoding: 'utf8',
    });
    const layout = installed.compiles(path.join(REPO, 'tests/scenario/library/layout.c'));
    const now = [...names(shown), ...execFileSync(layout, [], { encoding: 'utf8' }).split('\n')]
      .filter(Boolean)
      .join('\n');
    const file = path.join(REPO, 'tests/scenario/library/abi.txt');
    if (process.env.HTTPSOCKET_RECORD_ABI) fs.writeFileSync(file, `${now}\n`);
    assert.equal(`${now}\n`, fs.readFileSync(file, 'utf8'));
  });
});
