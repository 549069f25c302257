// SPDX-License-Identifier: MIT
// daemon.test.mjs - httpsocketd as its operator sees it: options, listeners, signals, certificates,
// limits, the admin's door, the log.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import WebSocket from 'ws';
import {
  adminOf,
  BUILD,
  listens,
  makeRoot,
  PROGRAMS,
  REPO,
  startServer,
  stopAll,
} from '../lib/server.mjs';
import { newKey, Page, SessionClient } from '../lib/session-client.mjs';
import { after, afterEach, before, describe, test } from '../lib/test.mjs';
import { until } from '../lib/until.mjs';
import { visitor } from '../lib/visitor.mjs';

const DAEMON = path.join(BUILD, 'httpsocketd');
const QUICK = ['--eof-grace', '200ms', '--term-grace', '200ms', '--drain-timeout', '10s'];
const ADMIN = ['--admin', '127.0.0.1:0'];

/** Runs it to its end. */
const run = (...args) => spawnSync(DAEMON, args, { encoding: 'utf8', timeout: 30000 });

let files;

const start = (args = [], more = {}) => startServer({ args: [...QUICK, ...args], ...more });
const file = (name) => path.join(files.root, name);
const anew = () => `httpsocket.v1, key.${newKey()}`;

/** The answer to a request of these http.get() options. */
const gets = (to, { get } = http) =>
  new Promise((resolve, reject) => get(to, resolve).on('error', reject));

before(() => (files = makeRoot({})));
afterEach(() => (SessionClient.dropAll(), stopAll()));
after(() => files.remove());

describe('the command line', () => {
  test('--version and --help say what they are for, on stdout, status 0', () => {
    const version = run('--version');
    assert.match(version.stdout, /^httpsocketd \d+\.\d+\.\d+\n$/);
    assert.equal(version.status, 0);
    const help = run('--help');
    assert.equal(help.status, 0);
    const options = fs
      .readFileSync(path.join(REPO, 'src/serve/options.def'), 'utf8')
      .matchAll(/^[A-Z]+\(\w+, "([a-z-]+)"/gm);
    for (const [, name] of options) assert.match(help.stdout, new RegExp(`--${name} `), name);
    for (const name of ['--config', '--check-config', '--version', '--help'])
      assert.ok(help.stdout.includes(name), name);
  });

  const wrong = {
    'an unknown option': [['--nonsense'], /unknown option: --nonsense/],
    'an unknown letter': [['-x'], /unknown option: -x/],
    'an option without its argument': [['--listen'], /--listen needs an argument/],
    'a listener that is none': [['--listen', 'nowhere'], /listen: `nowhere`: /],
    'a port that is none': [['--listen', '127.0.0.1:65536'], /listen: `127.0.0.1:65536`: /],
    'two folders': [['.', '..'], /one folder/],
    'a user that is nothing': [['--user', ''], /user: expected USER, and not nothing/],
    'a certificate that is nothing': [
      ['--tls-cert', ''],
      /tls-cert: expected FILE, and not nothing/,
    ],
    'a number that is none': [
      ['--threads', 'many'],
      /threads: expected a whole number from 0 to 256, not `many`/,
    ],
    'a number that is too large': [['--threads', '257'], /threads: .* from 0 to 256, not `257`/],
    'a size that is none': [
      ['--message-max', '1X'],
      /message-max: expected a size \(such as 64K\) from 1K to 1G, not `1X`/,
    ],
    'a time that is none': [
      ['--ping-interval', 'soon'],
      /ping-interval: expected a time \(such as 10s\)/,
    ],
    'a word that is none': [
      ['--log-level', 'loud'],
      /log-level: expected one of: debug info warn error nothing; not `loud`/,
    ],
    'an origin that is none': [
      ['--origin', 'a.example'],
      /origin: expected an origin such as https:\/\/a.example, not `a.example`/,
    ],
    'a certificate without a key': [
      ['--tls-cert', 'x.pem'],
      /tls-cert and tls-key go together; tls-key is missing/,
    ],
    'a config file that is not there': [
      ['--config', '/nonexistent/a.conf'],
      /\/nonexistent\/a.conf: No such file or directory/,
    ],
  };
  for (const [name, [args, why]] of Object.entries(wrong)) {
    test(`${name} is wrong usage: status 2, and stderr says it`, () => {
      const { status, stdout, stderr } = run(...args);
      assert.match(stderr, why);
      assert.match(stderr, /^httpsocketd: /);
      assert.deepEqual({ status, stdout }, { status: 2, stdout: '' });
    });
  }

  test('a wrong config file is refused with its name, line and what was expected: status 2', () => {
    const conf = file('bad.conf');
    for (const [text, why] of [
      ['threads = 2\n\nwindow = big\n', /bad\.conf:3: window: expected a size .* not `big`/],
      ['# nothing\nno-such-thing = 1\n', /bad\.conf:2: .*no-such-thing/],
      [
        '# one\n# two\n/* three\n   four */\nthreads = 2 // five\nlisten = {"127.0.0.1:0", # six\n  "unix:#/*"}\norigin = nowhere\nwindow = big\n',
        /bad\.conf:9: window/,
      ],
      ['threads = {\n', /bad\.conf:\d+: /],
      ['threads = 2\n\0\0\0', /bad\.conf:2: a NUL byte/],
      ['\0'.repeat(4096), /bad\.conf:1: a NUL byte/],
    ]) {
      fs.writeFileSync(conf, text);
      const { status, stderr } = run('--config', conf);
      assert.match(stderr, why);
      assert.equal(status, 2);
    }
  });

  test('--check-config reads everything, starts nothing', () => {
    const check = (...args) => run('--check-config', ...args);
    const good = check('--listen', '127.0.0.1:1', '--origin', 'https://a.example', PROGRAMS);
    assert.equal(good.status, 0);
    assert.deepEqual([good.stdout, good.stderr], ['the configuration is good\n', '']);
    const noRoot = check('/nonexistent');
    assert.equal(noRoot.status, 2);
    assert.match(noRoot.stderr, /root: `\/nonexistent`: No such file or directory/);
    fs.writeFileSync(file('broken.pem'), 'this is no certificate\n');
    const broken = file('broken.pem');
    const noCertificate = check('--tls-cert', broken, '--tls-key', broken, PROGRAMS);
    assert.equal(noCertificate.status, 2);
    assert.match(noCertificate.stderr, /broken\.pem/);
  });

  test('a folder that is not there is status 2; what fails at run time, an address in use, an admin address in use, is status 1', async () => {
    const missing = run('--listen', '127.0.0.1:0', '/nonexistent');
    assert.equal(missing.status, 2, missing.stderr);
    assert.match(missing.stderr, /\/nonexistent/);
    const blocker = net.createServer().listen(0, '127.0.0.1');
    await once(blocker, 'listening');
    const address = `127.0.0.1:${blocker.address().port}`;
    for (const args of [
      ['--listen', address],
      ['--listen', '127.0.0.1:0', '--admin', address],
    ]) {
      const { status, stdout, stderr } = run(...args, PROGRAMS);
      assert.deepEqual({ status, stdout }, { status: 1, stdout: '' }, stderr);
      assert.match(stderr, new RegExp(`${address} .*Address already in use`));
    }
    blocker.close();
  });

  test('two servers on one port: the second is refused, in spite of SO_REUSEPORT', async () => {
    const server = await start();
    const second = run('--listen', `127.0.0.1:${server.port}`, PROGRAMS);
    assert.equal(second.status, 1, second.stdout + second.stderr);
    await server.ends();
  });
});

describe('listeners', () => {
  test('each says where it listens; port 0 is one of its own; every one of them answers', async () => {
    const two = ['--listen', '127.0.0.1:0', '-l', '127.0.0.1:0'];
    const server = await start(two, { listeners: 2 });
    assert.equal(new Set(server.urls).size, 2);
    for (const url of server.urls) {
      assert.match(url, /^http:\/\/127\.0\.0\.1:[1-9]\d*$/);
      assert.equal((await visitor.asks(`${url}/environment`)).status, 200);
    }
    await server.ends();
  });

  test('a Unix socket, whose file is gone afterwards, and which takes the place of one that was left behind', async () => {
    const socket = file('s.sock');
    const to = { socketPath: socket, path: '/environment', headers: { Host: 'a.example' } };
    for (const isFirst of [true, false]) {
      const server = await start(['--listen', `unix:${socket}`, '--origin', 'http://a.example']);
      assert.equal(server.url, `unix:${socket}`);
      const answer = await gets({ ...to, agent: false });
      assert.equal(answer.statusCode, 200);
      await answer.toArray();
      if (isFirst) await server.stop('SIGKILL');
      else await server.ends();
      assert.equal(fs.existsSync(socket), isFirst);
    }
  });

  test('IPv6, with its literal as Host', async (t) => {
    const loopback = Object.values(os.networkInterfaces())
      .flat()
      .some(({ address }) => address === '::1');
    if (!loopback) return t.skip('this machine has no ::1');
    const server = await start(['--listen', '[::1]:0']);
    assert.match(server.url, /^http:\/\/\[::1\]:\d+$/);
    const answer = await visitor.asks(server.at('environment'));
    assert.equal(JSON.parse(answer.body).env.REMOTE_ADDR, '::1');
    const client = await SessionClient.connects(server, 'lines');
    await client.hears(/^pid/);
    await client.closes();
    await server.ends();
  });
});

describe('whose names are ours', () => {
  const ask = (server, host) => visitor.asks(server.at('environment'), { headers: { Host: host } });

  async function isForeign(server, host) {
    const { status, body, headers } = await ask(server, host);
    assert.equal(status, 421, host);
    assert.match(body, /^host-foreign: /);
    assert.match(headers['cache-control'], /no-store/);
  }

  test('without --origin: loopback names and the literal address; any other Host is 421, for pages and for sessions', async () => {
    const server = await start();
    for (const name of ['127.0.0.1', 'localhost', 'LOCALHOST'])
      assert.equal((await ask(server, `${name}:${server.port}`)).status, 200, name);
    for (const name of ['evil.example', '127.0.0.1.evil.example', '10.0.0.1'])
      await isForeign(server, `${name}:${server.port}`);
    await isForeign(server, 'evil.example');
    const { status } = await visitor.connects(server.at('lines'), {
      protocols: anew(),
      origin: 'http://evil.example',
      headers: { Host: 'evil.example' },
    });
    assert.equal(status, 421);
    await server.ends();
  });

  test('with --origin: those, and a page of one of them is at home', async () => {
    const names = ['--origin', 'https://a.example', '--origin', 'http://b.example:81'];
    const server = await start([...names, '--policy', 'config']);
    for (const host of ['a.example', 'b.example:81', 'A.EXAMPLE'])
      assert.equal((await ask(server, host)).status, 200, host);
    for (const host of ['c.example', 'b.example', 'sub.a.example'])
      assert.equal((await ask(server, host)).status, 421, host);
    const [protocols, headers] = [anew(), { Host: 'a.example' }];
    const comes = (origin) => visitor.connects(server.at('lines'), { protocols, origin, headers });
    const home = await comes('https://a.example');
    assert.match(home.first ?? JSON.stringify(home), /^\.welcome/);
    home.leaves();
    assert.equal((await comes('http://a.example')).status, 403);
    assert.equal((await comes('https://evil.example')).status, 403);
    await server.ends();
  });
});

describe('SIGHUP', () => {
  test('reads the file again, for new and old connections; a bad one is named with its line and changes nothing', async () => {
    const conf = file('reload.conf');
    const writes = (...lines) => fs.writeFileSync(conf, `${lines.join('\n')}\n`);
    const status = async () => (await visitor.asks(server.at('environment'))).status;
    writes('programs-max = 1', 'log-level = info');
    const server = await start(['--config', conf]);
    const one = await SessionClient.connects(server, 'lines');
    assert.equal(await status(), 503);

    writes('programs-max = 5', '', 'window = enormous');
    server.child.kill('SIGHUP');
    assert.match(await server.logged(/config\.refused/), /reload\.conf:3: window: expected a size/);
    assert.equal(await status(), 503, 'the old setting stays');

    writes('programs-max = 5', 'sessions-max = 77', 'log-format = json');
    server.child.kill('SIGHUP');
    const reloaded = await server.logged(/config\.reloaded/);
    assert.match(server.lines(/needs_restart/)[0] ?? '', /settings=sessions-max/);
    assert.ok(JSON.parse(reloaded), 'the log is JSON from now on');
    assert.equal(await status(), 200);
    one.says('still 1');
    await one.hears('still 1');
    await server.ends();
  });

  test('ten times over, with sessions and requests meanwhile', async () => {
    const conf = file('often.conf');
    fs.writeFileSync(conf, 'window = 64K\n');
    const server = await start(['--config', conf]);
    const page = await Page.opens(server, 'talk');
    for (let i = 1; i <= 10; i++) {
      fs.writeFileSync(conf, `window = ${64 + i}K\n`);
      server.child.kill('SIGHUP');
      page.says(`say ${i}`);
      await page.hears(/^echo/);
      await until(() => server.lines(/config\.reloaded/).length === i);
      await page.cuts();
      assert.equal((await page.connect()).window, 64 * 1024, 'a session keeps its window');
      const fresh = await Page.loads(server, 'talk');
      assert.equal((await fresh.connect()).window, (64 + i) * 1024);
      await fresh.closes();
    }
    await server.ends();
  });
});

const CERTIFICATE =
  'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 ' +
  '-addext subjectAltName=DNS:localhost,IP:127.0.0.1';

const certify = (name) => {
  const more = ['-subj', `/CN=${name}`, '-keyout', file('key.pem'), '-out', file('cert.pem')];
  execFileSync('openssl', [...CERTIFICATE.split(' '), ...more], { stdio: 'ignore' });
};

const CERTIFIED = ['--tls-cert', 'cert.pem', '--tls-key', 'key.pem'];

for (const [what, name, ...options] of [
  ['a config file', 'fifo.conf', '--config', 'fifo.conf'],
  ['a certificate', 'cert.pem', ...CERTIFIED],
  ['a key', 'key.pem', ...CERTIFIED],
  ['trusted certificates', 'cert.pem', '--tcp-ca', 'cert.pem'],
  ['the tokens of publishers', 'tokens', ...ADMIN, '--publish-token', 'tokens'],
  ['a password', 'tokens', '--broker', 'redis://u@127.0.0.1:1', '--broker-password-file', 'tokens'],
])
  test(`${what} that has become a FIFO: SIGHUP refuses it, SIGTERM still ends the server`, async () => {
    certify('first');
    fs.writeFileSync(file('fifo.conf'), 'threads = 2\n');
    fs.writeFileSync(file('tokens'), 'a-token-that-is-long-enough-to-be-one\n', { mode: 0o600 });
    const args = options.map((o) => (/\.(conf|pem)$|^tokens$/.test(o) ? file(o) : o));
    const server = await start(args);
    fs.rmSync(file(name));
    execFileSync('mkfifo', [file(name)]);
    server.child.kill('SIGHUP');
    await server.logged(/config\.refused .*(FIFO|No such device)/);
    await server.ends();
    fs.rmSync(file(name));
  });

describe('TLS', () => {
  async function peerName(port) {
    const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const { CN } = socket.getPeerCertificate().subject;
    socket.destroy();
    return CN;
  }

  const secure = (server, origin) =>
    new WebSocket(
      server.at('lines').replace('https', 'wss'),
      ['httpsocket.v1', `key.${newKey()}`],
      { rejectUnauthorized: false, origin },
    );

  /** A program of it knows what it is served over; a page of http is refused. */
  async function isServed(server) {
    const options = { rejectUnauthorized: false, agent: false };
    const page = await new Promise((resolve, reject) =>
      https.get(server.at('environment'), options, resolve).on('error', reject),
    );
    const { env } = JSON.parse((await page.toArray()).join(''));
    assert.equal(env.HTTPS, 'on');
    assert.equal(env.REQUEST_SCHEME, 'https');
    const insecure = secure(server, server.url.replace('https', 'http'));
    insecure.on('error', () => {});
    const [, refusal] = await once(insecure, 'unexpected-response');
    assert.equal(refusal.statusCode, 403, 'the page of http is another origin');
  }

  test('pages, sessions and programs over HTTPS and WSS; SIGHUP: new connections get the new certificate, open ones go on', async () => {
    certify('first');
    const server = await start(['--tls-cert', file('cert.pem'), '--tls-key', file('key.pem')]);
    assert.match(server.url, /^https:\/\/127\.0\.0\.1:\d+$/);
    await isServed(server);
    const ws = secure(server, server.url);
    const [welcome] = await once(ws, 'message');
    assert.match(welcome.toString(), /^\.welcome /);
    assert.equal(await peerName(server.port), 'first');
    certify('second');
    server.child.kill('SIGHUP');
    await server.logged(/config\.reloaded/);
    assert.equal(await peerName(server.port), 'second');

    fs.writeFileSync(file('cert.pem'), 'no certificate any more\n');
    server.child.kill('SIGHUP');
    await server.logged(/config\.refused/);
    assert.equal(await peerName(server.port), 'second');
    ws.send('still 1');
    await until(async () => (await once(ws, 'message'))[0].toString() === 'still 1');
    ws.terminate();
    await server.ends();
  });
});

describe('SIGTERM', () => {
  test('drains: sessions learn 1012, programs get their end, new requests are refused, a download in progress is finished, status 0', async () => {
    const patient = ['--eof-grace', '30s', '--drain-timeout', '50s'];
    const server = await start([...ADMIN, ...patient]);
    const page = await Page.opens(server, 'talk');
    const idle = net.connect(server.port, '127.0.0.1');
    await once(idle, 'connect');
    const idleClosed = once(idle.resume(), 'close');
    const { slow, streaming } = await downloads(server);
    server.child.kill('SIGTERM');
    await page.isClosed(1012, 'draining retry=5');
    assert.equal((await streaming.closed).code, 1012);
    await idleClosed;
    // Each worker closes its own listener when it hears of the drain.
    await until(() => !listens(server.port));
    await assert.rejects(visitor.asks(server.at('environment')), { code: 'ECONNREFUSED' });
    slow.resume();
    await isUnhealthy(server);
    assert.deepEqual(await server.exited, { code: 0, signal: null });
    assert.ok(server.lines(/line="end of file"/).length > 0);
  });

  /** A page that is not whole yet, and the client of its session. */
  async function downloads(server) {
    const { response } = await visitor.begins(server.at('odd?streams'));
    await once(response, 'data');
    const session = response.headers['session-id'];
    const streaming = await SessionClient.connects(server, 'odd?streams', { session });
    return { slow: response, streaming };
  }

  async function isUnhealthy(server) {
    const gone = ({ code }) => ({ status: code }); // it may have ended by now
    const { status } = await visitor.asks(`${await adminOf(server)}/healthz`).catch(gone);
    assert.ok([503, 'ECONNREFUSED', 'ECONNRESET'].includes(status), String(status));
  }

  for (const where of ['talk', '.httpsocket/connect'])
    test(`forty clients of ${where} are told different times to come back`, async () => {
      const server = await start(['--rate-programs', 'off']);
      const clients = Array.from({ length: 40 }, () => SessionClient.connects(server, where));
      const ends = (await Promise.all(clients)).map((client) => client.closed);
      server.child.kill('SIGTERM');
      const reasons = (await Promise.all(ends)).map(({ reason }) => reason);
      assert.match(reasons.join('|'), /^(draining retry=\d+\|?){40}$/);
      for (const reason of reasons)
        assert.ok(reasons.filter((other) => other === reason).length <= 8, reasons.join());
      await server.exited;
    });

  test('a program that does not go is killed at the end of its grace, within the drain', async () => {
    const server = await start();
    const page = await Page.opens(server, 'odd?ignores-sigterm');
    await page.hears(/^ready$/);
    await server.ends();
    assert.ok(server.lines(/program.exited .*signal=9/).length > 0);
  });

  test('twice: it ends at once, and its programs with it', async () => {
    const server = await startServer({ args: ['--eof-grace', '1h', '--drain-timeout', '1h'] });
    const page = await Page.opens(server, 'odd?ignores-sigterm');
    await page.hears(/^ready$/);
    const pid = Number(/pid=(\d+)/.exec(await server.logged(/program\.started/))[1]);
    server.child.kill('SIGTERM');
    await server.logged(/server\.draining/);
    server.child.kill('SIGTERM');
    assert.deepEqual(await server.exited, { code: 0, signal: null });
    assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
  });

  test('SIGINT is the same', async () => {
    const server = await start();
    assert.deepEqual(await server.stop('SIGINT'), { code: 0, signal: null });
  });
});

describe("the admin's door", () => {
  test('/healthz, /sessions, and what is not there', async () => {
    const server = await start(ADMIN);
    const asks = async (where, how) => visitor.asks(`${await adminOf(server)}/${where}`, how);
    const { status, body } = await asks('healthz');
    assert.deepEqual([status, body], [200, 'ok\n']);
    assert.deepEqual(JSON.parse((await asks('sessions')).body), []);
    const page = await Page.opens(server, 'talk');
    await page.hears(/told/);
    const [session] = JSON.parse((await asks('sessions')).body);
    const { state, path: where, origin } = session;
    assert.deepEqual([state, where, origin], ['attached', '/talk', server.url]);
    assert.match(session.session, /^[0-9a-f]{8}$/);
    assert.equal((await asks('nothing')).status, 404);
    assert.equal((await asks('healthz', { method: 'POST' })).status, 405);
    const { status: outside } = await visitor.asks(server.at('metrics'));
    assert.equal(outside, 404, 'not at the door of everybody');
    await server.ends();
  });

  const MOVES = {
    programs_started_total: 1,
    sessions_started_total: 1,
    session_attaches_total: 2,
    session_resumes_total: 1,
    session_messages_in_total: 1,
    http_requests_total: 3,
  };

  /** Each has its help and its type once, then its values. */
  function arePrometheus(lines) {
    assert.equal(lines.pop(), '', 'the last line is ended');
    const names = new Set();
    while (lines.length > 0) {
      const [, name] =
        /^# HELP (httpsocket_[a-z0-9_]+) \S.*$/.exec(lines.shift()) ?? assert.fail('no HELP');
      const type = lines.shift();
      assert.match(type, new RegExp(`^# TYPE ${name} (counter|gauge)$`));
      assert.equal(/_total$/.test(name), / counter$/.test(type), name);
      assert.ok(!names.has(name), `${name} twice`);
      names.add(name);
      do assert.match(lines.shift(), new RegExp(`^${name}(\\{[a-z_]+="[^"\\\\]*"\\})? \\d+$`));
      while (lines.length > 0 && !lines[0].startsWith('#'));
    }
  }

  test('/metrics is Prometheus text, every number with its help and type, and it moves', async () => {
    const server = await start(ADMIN);
    const answer = await visitor.asks(`${await adminOf(server)}/metrics`);
    assert.match(answer.headers['content-type'], /^text\/plain; version=0\.0\.4/);
    arePrometheus(answer.body.split('\n'));
    const before = await server.metrics();
    const page = await Page.opens(server, 'talk');
    page.says('say 1');
    await page.hears(/^echo/);
    await page.cuts();
    await page.connect();
    const now = await server.metrics();
    const moved = (name) => now[`httpsocket_${name}`] - before[`httpsocket_${name}`];
    for (const [name, by] of Object.entries(MOVES)) assert.equal(moved(name), by, name);
    assert.ok(moved('session_messages_out_total') >= 3);
    assert.ok(moved('sent_bytes_total') > 500 && moved('received_bytes_total') > 500);
    for (const name of ['sessions', 'sessions_attached', 'programs'])
      assert.equal(now[`httpsocket_${name}`], 1);
    await server.ends();
  });

  test('every metric of docs/operations.md exists', async () => {
    const server = await start(ADMIN);
    const known = await server.metrics();
    const text = fs.readFileSync(path.join(REPO, 'docs/operations.md'), 'utf8');
    const limits = text.split('## Limits')[1].split('\n## ')[0].split('\n');
    const rows = limits.filter((line) => line.startsWith('|')).slice(2);
    const named = rows.flatMap((row) =>
      [...row.split('|')[4].matchAll(/`([a-z_]+(?:\{[a-z]+="[a-z]+"\})?)`/g)].map(
        ([, name]) => name,
      ),
    );
    assert.ok(named.length > 5);
    for (const name of named) assert.ok(`httpsocket_${name}` in known, name);
    await server.ends();
  });
});

describe('limits', () => {
  const limited = (args) => start([...args, ...ADMIN], { threads: 1 });
  const refusesWith503 = async (url) => {
    const { status, headers } = await visitor.asks(url);
    assert.equal(status, 503);
    assert.match(headers['retry-after'] ?? '', /^[1-9]\d*$/);
  };
  const refusesWith1013 = (url) =>
    assert.rejects(
      new SessionClient(url).connect(),
      ({ code, reason }) => code === 1013 && /^overload retry=\d+$/.test(reason),
    );

  for (const option of ['programs-max', 'programs-per-client']) {
    test(`${option}: 503 with Retry-After, 1013 for a script, and the metric; room again when one has ended`, async () => {
      const server = await limited([`--${option}`, '2']);
      const one = await SessionClient.connects(server, 'lines');
      await SessionClient.connects(server, 'lines');
      await refusesWith503(server.at('environment'));
      await refusesWith1013(server.at('lines'));
      assert.equal(await server.metric('programs_refused_total'), 2);
      await one.closes();
      await until(async () => (await visitor.asks(server.at('environment'))).status === 200);
      await server.ends();
    });
  }

  test('sessions-max: 503 with Retry-After, 1013 for a script', async () => {
    const server = await limited(['--sessions-max', '1']);
    const client = await SessionClient.connects(server, 'lines');
    await refusesWith503(server.at('talk'));
    await refusesWith1013(server.at('lines'));
    assert.equal(await server.metric('sessions'), 1);
    client.says('still 1');
    await client.hears(/^still/);
    await server.ends();
  });

  test('connections-max: 503 with Retry-After, and the metric; room again when one has gone', async () => {
    const server = await limited(['--connections-max', '2']);
    const idle = [net.connect(server.port, '127.0.0.1'), net.connect(server.port, '127.0.0.1')];
    const keep = idle.map((socket) => {
      socket.write(`GET /nothing HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n\r\n`);
      return once(socket, 'data');
    });
    await Promise.all(keep);
    await refusesWith503(server.at('nothing'));
    assert.equal(await server.metric('connections_refused_total'), 1);
    idle[0].destroy();
    await until(async () => (await visitor.asks(server.at('nothing'))).status === 404);
    idle[1].destroy();
    await server.ends();
  });

  test('body-max, head-max: 413, 431, and the metric', async () => {
    const server = await limited(['--body-max', '1K', '--head-max', '1K']);
    const asks = async (how) => (await visitor.asks(server.at('environment'), how)).status;
    const body = 'x'.repeat(2000);
    const headers = { 'Content-Length': 2000 };
    assert.equal(await asks({ method: 'POST', body, headers }), 413);
    assert.equal(await asks({ headers: { 'X-Long': body } }), 431);
    assert.ok((await server.metric('http_bad_requests_total')) >= 2);
    await server.ends();
  });
});

describe('the log', () => {
  test('as JSON is one object a line, with time, level and event, whatever peers and programs send', async () => {
    const server = await start(['--log-format', 'json', '--log-level', 'debug']);
    const page = await Page.opens(server, 'talk');
    const odd = 'a "quoted" line\nb\u2028\u0007 \\ {"event":"forged"}\n\u0000end\n';
    page.says(`complain ${JSON.stringify(odd)}`, 'write "\\u0001 {\\"level\\":\\n"');
    await page.closed;
    await visitor.asks(server.at('%22%0a%7b'));
    await server.logged(/program\.exited/);
    await server.ends();
    const events = server.log.map((line) => JSON.parse(line));
    for (const { time, level, event } of events) {
      assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      assert.match(level, /^(debug|info|warn|error)$/);
      assert.match(event, /^[a-z]+\.[a-z_]+$/);
      assert.notEqual(event, 'forged');
    }
    const said = events.filter(({ event }) => event === 'program.stderr').map(({ line }) => line);
    assert.equal(said[0], 'a "quoted" line');
    assert.ok(events.some(({ event }) => event === 'program.protocol_error'));
  });

  test('--log-level nothing says nothing', async () => {
    const server = await start(['--log-level', 'nothing']);
    await visitor.asks(server.at('odd?exits-badly'));
    await server.ends();
    assert.deepEqual(server.log, []);
  });
});
