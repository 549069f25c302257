// SPDX-License-Identifier: MIT
// daemon.test.mjs - httpsocketd as its operator sees it: options, listeners, signals, certificates, limits, the admin's door, the log.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, afterEach, before, describe, test as testOf } from 'node:test';
import tls from 'node:tls';
import WebSocket from 'ws';
import { visitor } from '../lib/visitor.mjs';
import { begin, request } from '../lib/request.mjs';
import { adminOf, BUILD, listens, makeRoot, REPO, startServer } from '../lib/server.mjs';
import { newKey, openPage, SessionClient } from '../lib/session-client.mjs';
import { until } from '../lib/until.mjs';

const PROGRAMS = path.join(REPO, 'tests/scenario/programs');
const DAEMON = path.join(BUILD, 'httpsocketd');
const QUICK = ['--eof-grace', '200ms', '--term-grace', '200ms', '--drain-timeout', '10s'];

const test = (name, run) => testOf(name, { timeout: 60000 }, run);

/** Runs it to its end. */
const run = (...args) => spawnSync(DAEMON, args, { encoding: 'utf8', timeout: 30000 });

let files;
const running = new Set();

async function start(args = [], more = {}) {
  const server = await startServer({ root: PROGRAMS, args: [...QUICK, ...args], ...more });
  running.add(server);
  return server;
}

/** Ends it by SIGTERM, which is to succeed. */
async function stop(server) {
  running.delete(server);
  assert.deepEqual(
    await server.stop(),
    { code: 0, signal: null },
    server.log.slice(-30).join('\n'),
  );
}

const file = (name) => path.join(files.root, name);
const count = (server, what) => server.log.filter((line) => line.includes(what)).length;

/** What the admin's /metrics says: {name: value}. */
async function metrics(admin) {
  const { body } = await request(`${admin}/metrics`);
  return Object.fromEntries(
    body
      .trimEnd()
      .split('\n')
      .filter((line) => !line.startsWith('#'))
      .map((line) => line.split(' '))
      .map(([n, v]) => [n, Number(v)]),
  );
}

before(() => (files = makeRoot({})));
afterEach(async () => {
  SessionClient.dropAll();
  for (const server of running) await server.stop('SIGKILL');
  running.clear();
});
after(() => files.remove());

describe('the command line', () => {
  test('--version and --help say what they are for, on stdout, status 0', () => {
    const version = run('--version');
    assert.match(version.stdout, /^httpsocketd \d+\.\d+\.\d+\n$/);
    assert.equal(version.status, 0);
    const help = run('--help');
    assert.equal(help.status, 0);
    const options = fs
      .readFileSync(path.join(REPO, 'src/daemon/options.def'), 'utf8')
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
    ]) {
      fs.writeFileSync(conf, text);
      const { status, stderr } = run('--config', conf);
      assert.match(stderr, why);
      assert.equal(status, 2);
    }
  });

  test('--check-config reads everything, starts nothing', () => {
    const good = run(
      '--check-config',
      '--listen',
      '127.0.0.1:1',
      '--origin',
      'https://a.example',
      PROGRAMS,
    );
    assert.deepEqual(
      [good.status, good.stdout, good.stderr],
      [0, 'the configuration is good\n', ''],
    );
    const noRoot = run('--check-config', '/nonexistent');
    assert.equal(noRoot.status, 2);
    assert.match(noRoot.stderr, /root: `\/nonexistent`: No such file or directory/);
    fs.writeFileSync(file('broken.pem'), 'this is no certificate\n');
    const noCertificate = run(
      '--check-config',
      '--tls-cert',
      file('broken.pem'),
      '--tls-key',
      file('broken.pem'),
      PROGRAMS,
    );
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
    await stop(server);
  });
});

describe('listeners', () => {
  test('each says where it listens; port 0 is one of its own; every one of them answers', async () => {
    const server = await start(
      ['--listen', '127.0.0.1:0', '-l', '127.0.0.1:0', '-l', 'localhost:0'].slice(0, 4),
      { listeners: 2 },
    );
    assert.equal(new Set(server.urls).size, 2);
    for (const url of server.urls) {
      assert.match(url, /^http:\/\/127\.0\.0\.1:[1-9]\d*$/);
      assert.equal((await request(`${url}/environment`)).status, 200);
    }
    await stop(server);
  });

  test('a Unix socket, whose file is gone afterwards, and which takes the place of one that was left behind', async () => {
    const socket = file('s.sock');
    for (let i = 0; i < 2; i++) {
      const server = await start(['--listen', `unix:${socket}`, '--origin', 'http://a.example']);
      assert.equal(server.url, `unix:${socket}`);
      const answer = await new Promise((resolve, reject) =>
        http
          .get(
            {
              socketPath: socket,
              path: '/environment',
              headers: { Host: 'a.example' },
              agent: false,
            },
            resolve,
          )
          .on('error', reject),
      );
      assert.equal(answer.statusCode, 200);
      answer.resume();
      await once(answer, 'end');
      if (i === 0) {
        running.delete(server);
        await server.stop('SIGKILL');
        assert.ok(fs.existsSync(socket));
      } else {
        await stop(server);
        assert.ok(!fs.existsSync(socket));
      }
    }
  });

  test('IPv6, with its literal as Host', async (t) => {
    const loopback = Object.values(os.networkInterfaces())
      .flat()
      .some(({ address }) => address === '::1');
    if (!loopback) return t.skip('this machine has no ::1');
    const server = await start(['--listen', '[::1]:0']);
    assert.match(server.url, /^http:\/\/\[::1\]:\d+$/);
    const answer = await request(`${server.url}/environment`);
    assert.equal(JSON.parse(answer.body).env.REMOTE_ADDR, '::1');
    const client = new SessionClient(`${server.url}/lines`);
    await client.connect();
    await client.next(/^pid/);
    client.send('.close {}');
    await client.closed;
    await stop(server);
  });
});

describe('whose names are ours', () => {
  const ask = (server, host) => request(`${server.url}/environment`, { headers: { Host: host } });

  test('without --origin: loopback names and the literal address; any other Host is 421, for pages and for sessions', async () => {
    const server = await start();
    for (const host of [
      `127.0.0.1:${server.port}`,
      `localhost:${server.port}`,
      `LOCALHOST:${server.port}`,
    ])
      assert.equal((await ask(server, host)).status, 200, host);
    for (const host of [
      `evil.example:${server.port}`,
      'evil.example',
      `127.0.0.1.evil.example:${server.port}`,
      `10.0.0.1:${server.port}`,
    ]) {
      const { status, body, headers } = await ask(server, host);
      assert.equal(status, 421, host);
      assert.match(body, /^host-foreign: /);
      assert.match(headers['cache-control'], /no-store/);
    }
    const rebound = await visitor.connects(`${server.url}/lines`, {
      protocols: `httpsocket.v1, key.${newKey()}`,
      origin: 'http://evil.example',
      headers: { Host: 'evil.example' },
    });
    assert.equal(rebound.status, 421);
    await stop(server);
  });

  test('with --origin: those, and a page of one of them is at home', async () => {
    const server = await start([
      '--origin',
      'https://a.example',
      '--origin',
      'http://b.example:81',
      '--policy',
      'config',
    ]);
    for (const host of ['a.example', 'b.example:81', 'A.EXAMPLE'])
      assert.equal((await ask(server, host)).status, 200, host);
    for (const host of ['c.example', 'b.example', 'sub.a.example'])
      assert.equal((await ask(server, host)).status, 421, host);
    const protocols = `httpsocket.v1, key.${newKey()}`;
    const at = (origin) =>
      visitor.connects(`${server.url}/lines`, {
        protocols,
        origin,
        headers: { Host: 'a.example' },
      });
    const home = await at('https://a.example');
    assert.match(home.first ?? JSON.stringify(home), /^\.welcome/);
    home.socket.destroy();
    assert.equal((await at('http://a.example')).status, 403);
    assert.equal((await at('https://evil.example')).status, 403);
    await stop(server);
  });
});

describe('SIGHUP', () => {
  test('reads the file again, for new and old connections; a bad one is named with its line and changes nothing', async () => {
    const conf = file('reload.conf');
    const write = (...lines) => fs.writeFileSync(conf, `${lines.join('\n')}\n`);
    write('programs-max = 1', 'log-level = info');
    const server = await start(['--config', conf]);
    const one = new SessionClient(`${server.url}/lines`);
    await one.connect();
    assert.equal((await request(`${server.url}/environment`)).status, 503);

    write('programs-max = 5', '', 'window = enormous');
    process.kill(server.pid, 'SIGHUP');
    assert.match(await server.logged(/config\.refused/), /reload\.conf:3: window: expected a size/);
    assert.equal((await request(`${server.url}/environment`)).status, 503, 'the old setting stays');

    write('programs-max = 5', 'sessions-max = 77', 'log-format = json');
    process.kill(server.pid, 'SIGHUP');
    await server.logged(/config\.reloaded/);
    assert.match(
      server.log.find((line) => line.includes('needs_restart')) ?? '',
      /settings=sessions-max/,
    );
    assert.ok(
      JSON.parse(server.log.find((line) => line.includes('config.reloaded'))),
      'the log is JSON from now on',
    );
    assert.equal((await request(`${server.url}/environment`)).status, 200);
    one.send('still 1');
    assert.equal(await one.next(/^still/), 'still 1');
    await stop(server);
  });

  test('ten times over, with sessions and requests meanwhile', async () => {
    const conf = file('often.conf');
    fs.writeFileSync(conf, 'window = 64K\n');
    const server = await start(['--config', conf]);
    const { client } = await openPage(`${server.url}/talk`);
    await client.connect();
    for (let i = 1; i <= 10; i++) {
      fs.writeFileSync(conf, `window = ${64 + i}K\n`);
      process.kill(server.pid, 'SIGHUP');
      client.send(`say ${i}`);
      await client.next(/^echo/);
      await until(() => count(server, 'config.reloaded') === i);
      await client.cut();
      assert.equal((await client.connect()).window, (64 + i) * 1024);
    }
    await stop(server);
  });
});

describe('TLS', () => {
  const certify = (name) =>
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
        `/CN=${name}`,
        '-addext',
        'subjectAltName=DNS:localhost,IP:127.0.0.1',
        '-keyout',
        file('key.pem'),
        '-out',
        file('cert.pem'),
      ],
      { stdio: 'ignore' },
    );

  async function peerName(port) {
    const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const { CN } = socket.getPeerCertificate().subject;
    socket.destroy();
    return CN;
  }

  test('pages, sessions and programs over HTTPS and WSS; SIGHUP: new connections get the new certificate, open ones go on', async () => {
    certify('first');
    const server = await start(['--tls-cert', file('cert.pem'), '--tls-key', file('key.pem')]);
    assert.match(server.url, /^https:\/\/127\.0\.0\.1:\d+$/);
    const page = await new Promise((resolve, reject) =>
      https
        .get(`${server.url}/environment`, { rejectUnauthorized: false, agent: false }, resolve)
        .on('error', reject),
    );
    const { env } = JSON.parse((await page.toArray()).join(''));
    assert.equal(env.HTTPS, 'on');
    assert.equal(env.REQUEST_SCHEME, 'https');

    const open = (origin) =>
      new WebSocket(
        `${server.url.replace('https', 'wss')}/lines`,
        ['httpsocket.v1', `key.${newKey()}`],
        { rejectUnauthorized: false, origin },
      );
    const ws = open(server.url);
    const [welcome] = await once(ws, 'message');
    assert.match(welcome.toString(), /^\.welcome /);
    const insecure = open(server.url.replace('https', 'http'));
    insecure.on('error', () => {});
    const [, refusal] = await once(insecure, 'unexpected-response');
    assert.equal(refusal.statusCode, 403, 'the page of http is another origin');

    assert.equal(await peerName(server.port), 'first');
    certify('second');
    process.kill(server.pid, 'SIGHUP');
    await server.logged(/config\.reloaded/);
    assert.equal(await peerName(server.port), 'second');

    fs.writeFileSync(file('cert.pem'), 'no certificate any more\n');
    process.kill(server.pid, 'SIGHUP');
    await server.logged(/config\.refused/);
    assert.equal(await peerName(server.port), 'second');
    ws.send('still 1');
    await until(async () => (await once(ws, 'message'))[0].toString() === 'still 1');
    ws.terminate();
    await stop(server);
  });
});

describe('SIGTERM', () => {
  test('drains: sessions learn 1012, programs get their end, new requests are refused, a download in progress is finished, status 0', async () => {
    const patient = ['--eof-grace', '30s', '--drain-timeout', '50s'];
    const server = await start(['--admin', '127.0.0.1:0', ...patient]);
    const admin = await adminOf(server);
    const { client } = await openPage(`${server.url}/talk`);
    await client.connect();
    const idle = net.connect(server.port, '127.0.0.1');
    await once(idle, 'connect');
    const idleClosed = once(idle.resume(), 'close');
    const slow = await begin(`${server.url}/odd?streams`);
    await once(slow.response, 'data');
    const streaming = new SessionClient(`${server.url}/odd?streams`, {
      session: slow.response.headers['session-id'],
    });
    await streaming.connect();

    server.child.kill('SIGTERM');
    const { code, reason } = await client.closed;
    assert.deepEqual({ code, reason }, { code: 1012, reason: 'draining retry=5' });
    assert.equal((await streaming.closed).code, 1012);
    await idleClosed;
    await until(() => !listens(server.port)); // each worker closes its own listener when it hears of the drain
    await assert.rejects(request(`${server.url}/environment`), { code: 'ECONNREFUSED' });
    slow.response.resume();
    const health = await request(`${admin}/healthz`).catch(({ code }) => ({ status: code })); // it may have ended by now
    assert.ok([503, 'ECONNREFUSED', 'ECONNRESET'].includes(health.status), String(health.status));
    running.delete(server);
    assert.deepEqual(await server.exited, { code: 0, signal: null });
    assert.ok(server.log.some((line) => line.includes('line="end of file"')));
  });

  test('a program that does not go is killed at the end of its grace, within the drain', async () => {
    const server = await start();
    const { client } = await openPage(`${server.url}/odd?ignores-sigterm`);
    await client.connect();
    await client.next(/^ready$/);
    await stop(server);
    assert.ok(server.log.some((line) => /program.exited .*signal=9/.test(line)));
  });

  test('twice: it ends at once, and its programs with it', async () => {
    const server = await startServer({
      root: PROGRAMS,
      args: ['--eof-grace', '1h', '--drain-timeout', '1h'],
    });
    running.add(server);
    const { client } = await openPage(`${server.url}/odd?ignores-sigterm`);
    await client.connect();
    await client.next(/^ready$/);
    const pid = Number(/pid=(\d+)/.exec(await server.logged(/program\.started/))[1]);
    server.child.kill('SIGTERM');
    await server.logged(/server\.draining/);
    server.child.kill('SIGTERM');
    running.delete(server);
    assert.deepEqual(await server.exited, { code: 0, signal: null });
    assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
  });

  test('SIGINT is the same', async () => {
    const server = await start();
    running.delete(server);
    assert.deepEqual(await server.stop('SIGINT'), { code: 0, signal: null });
  });
});

describe("the admin's door", () => {
  test('/healthz, /sessions, and what is not there', async () => {
    const server = await start(['--admin', '127.0.0.1:0']);
    const admin = await adminOf(server);
    assert.deepEqual(
      [(await request(`${admin}/healthz`)).status, (await request(`${admin}/healthz`)).body],
      [200, 'ok\n'],
    );
    assert.deepEqual(JSON.parse((await request(`${admin}/sessions`)).body), []);
    const { client } = await openPage(`${server.url}/talk`);
    await client.connect();
    await client.next(/told/);
    const [session] = JSON.parse((await request(`${admin}/sessions`)).body);
    assert.equal(session.state, 'attached');
    assert.equal(session.path, '/talk');
    assert.equal(session.origin, server.url);
    assert.match(session.session, /^[0-9a-f]{8}$/);
    assert.equal((await request(`${admin}/nothing`)).status, 404);
    assert.equal((await request(`${admin}/healthz`, { method: 'POST' })).status, 405);
    assert.equal(
      (await request(`${server.url}/metrics`)).status,
      404,
      'not at the door of everybody',
    );
    await stop(server);
  });

  test('/metrics is Prometheus text, every number with its help and type, and it moves', async () => {
    const server = await start(['--admin', '127.0.0.1:0']);
    const admin = await adminOf(server);
    const answer = await request(`${admin}/metrics`);
    assert.match(answer.headers['content-type'], /^text\/plain; version=0\.0\.4/);
    const lines = answer.body.split('\n');
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
    const before = await metrics(admin);
    const { client } = await openPage(`${server.url}/talk`);
    await client.connect();
    client.send('say 1');
    await client.next(/^echo/);
    await client.cut();
    await client.connect();
    const now = await metrics(admin);
    const moved = (name) => now[`httpsocket_${name}`] - before[`httpsocket_${name}`];
    assert.equal(moved('programs_started_total'), 1);
    assert.equal(moved('sessions_started_total'), 1);
    assert.equal(moved('session_attaches_total'), 2);
    assert.equal(moved('session_resumes_total'), 1);
    assert.equal(moved('session_messages_in_total'), 1);
    assert.equal(moved('http_requests_total'), 3);
    assert.ok(
      moved('session_messages_out_total') >= 3 &&
        moved('sent_bytes_total') > 500 &&
        moved('received_bytes_total') > 500,
    );
    assert.deepEqual(
      [now.httpsocket_sessions, now.httpsocket_sessions_attached, now.httpsocket_programs],
      [1, 1, 1],
    );
    await stop(server);
  });

  test('every metric of docs/operations.md exists', async () => {
    const server = await start(['--admin', '127.0.0.1:0']);
    const known = await metrics(await adminOf(server));
    const table = fs
      .readFileSync(path.join(REPO, 'docs/operations.md'), 'utf8')
      .split('## Limits')[1]
      .split('\n## ')[0]
      .split('\n')
      .filter((line) => line.startsWith('|'))
      .slice(2)
      .map((line) => line.split('|')[4]);
    const named = table.flatMap((cell) =>
      [...cell.matchAll(/`([a-z_]+(?:\{[a-z]+="[a-z]+"\})?)`/g)].map(([, name]) => name),
    );
    assert.ok(named.length > 5);
    for (const name of named) assert.ok(`httpsocket_${name}` in known, name);
    await stop(server);
  });
});

describe('limits', () => {
  /** A server with these, and a function that says by how much a metric has moved. */
  async function limited(args, more = {}) {
    const server = await start([...args, '--admin', '127.0.0.1:0'], { threads: 1, ...more });
    const admin = await adminOf(server);
    return { server, moved: async (name) => (await metrics(admin))[`httpsocket_${name}`] };
  }
  const refusesWith503 = async (url) => {
    const { status, headers } = await request(url);
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
      const { server, moved } = await limited([`--${option}`, '2']);
      const clients = [
        new SessionClient(`${server.url}/lines`),
        new SessionClient(`${server.url}/lines`),
      ];
      for (const client of clients) await client.connect();
      await refusesWith503(`${server.url}/environment`);
      await refusesWith1013(`${server.url}/lines`);
      assert.equal(await moved('programs_refused_total'), 2);
      clients[0].send('.close {}');
      await clients[0].closed;
      await until(async () => (await request(`${server.url}/environment`)).status === 200);
      await stop(server);
    });
  }

  test('sessions-max: 503 with Retry-After, 1013 for a script', async () => {
    const { server, moved } = await limited(['--sessions-max', '1']);
    const client = new SessionClient(`${server.url}/lines`);
    await client.connect();
    await refusesWith503(`${server.url}/talk`);
    await refusesWith1013(`${server.url}/lines`);
    assert.equal(await moved('sessions'), 1);
    client.send('still 1');
    await client.next(/^still/);
    await stop(server);
  });

  test('connections-max: 503 with Retry-After, and the metric; room again when one has gone', async () => {
    const { server } = await limited(['--connections-max', '2']);
    const idle = [net.connect(server.port, '127.0.0.1'), net.connect(server.port, '127.0.0.1')];
    const keep = idle.map((socket) => {
      socket.write(`GET /nothing HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n\r\n`);
      return once(socket, 'data');
    });
    await Promise.all(keep);
    await refusesWith503(`${server.url}/nothing`);
    assert.equal((await metrics(await adminOf(server))).httpsocket_connections_refused_total, 1);
    idle[0].destroy();
    await until(async () => (await request(`${server.url}/nothing`)).status === 404);
    idle[1].destroy();
    await stop(server);
  });

  test('body-max, head-max: 413, 431, and the metric', async () => {
    const { server, moved } = await limited(['--body-max', '1K', '--head-max', '1K']);
    assert.equal(
      (
        await request(`${server.url}/environment`, {
          method: 'POST',
          body: 'x'.repeat(2000),
          headers: { 'Content-Length': 2000 },
        })
      ).status,
      413,
    );
    assert.equal(
      (await request(`${server.url}/environment`, { headers: { 'X-Long': 'x'.repeat(2000) } }))
        .status,
      431,
    );
    assert.ok((await moved('http_bad_requests_total')) >= 2);
    await stop(server);
  });
});

describe('the log', () => {
  test('as JSON is one object a line, with time, level and event, whatever peers and programs send', async () => {
    const server = await start(['--log-format', 'json', '--log-level', 'debug']);
    const { client } = await openPage(`${server.url}/talk`);
    await client.connect();
    client.send(
      `complain ${JSON.stringify('a "quoted" line\nb\u2028\u0007 \\ {"event":"forged"}\n\u0000end\n')}`,
    );
    client.send('write "\\u0001 {\\"level\\":\\n"');
    await client.closed;
    await request(`${server.url}/%22%0a%7b`);
    await server.logged(/program\.exited/);
    await stop(server);
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
    await request(`${server.url}/odd?exits-badly`);
    await stop(server);
    assert.deepEqual(server.log, []);
  });
});
