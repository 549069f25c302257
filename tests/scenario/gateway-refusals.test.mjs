// SPDX-License-Identifier: MIT
// Every refusal of a TCPConnection reaches the page as its token.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { after, before, describe, test } from 'node:test';
import tls from 'node:tls';

import { tryHandshake } from '../lib/access.mjs';
import {
  ALLOW,
  HERE,
  PAGE,
  THERE,
  echo,
  refusal,
  startGateway,
  startTarget,
  zonesOf,
} from '../lib/gateway.mjs';
import { BUILD, makeRoot } from '../lib/server.mjs';
import { SessionClient, openPage } from '../lib/session-client.mjs';
import { Streams } from '../lib/streams.mjs';
import { until } from '../lib/until.mjs';

// Asked for each; denies those of denied.test, and never answers for silent.test.
const ASKED = `#!/usr/bin/env python3
import json, os, socket
page = socket.socket(fileno=3)
page.sendall(b'.tcp {"ask":true}\\n')
os.write(1, b'Content-Type: text/html\\n\\n<!doctype html><title>asked</title>')
os.close(1)
for line in page.makefile():
    if not line.startswith('.tcp '):
        continue
    ask = json.loads(line[5:])
    page.sendall(('asked ' + json.dumps(ask) + '\\n').encode())
    if ask['host'] != 'silent.test':
        allow = ask['host'] != 'denied.test'
        answer = {'id': ask['id'], 'allow': allow, **({} if allow else {'retryAfter': 7})}
        page.sendall(('.tcp ' + json.dumps(answer) + '\\n').encode())
`;
const CLOSED = `#!/bin/sh
echo '.tcp {"allow":false}' >&3
printf 'Content-Type: text/html\\n\\n<!doctype html><title>closed</title>'
exec >&-
cat <&3 >/dev/null
`;
const WRONG = `#!/bin/sh
printf 'Content-Type: text/html\\n\\n<!doctype html><title>wrong</title>'
exec >&-
echo '.tcp {"asks":true}' >&3
cat <&3 >/dev/null
`;

const zones = zonesOf({
  'a.test': { records: '_script-access TXT "v=sa1; allow=http://x.test:8000; via=web"' },
  'none.test': { records: `@ A ${HERE}` },
  'other.test': { records: `@ A ${HERE}\n_script-access TXT "v=sa1; allow=http://x.test; port=*"` },
  'deny.test': { records: `@ A ${HERE}\n_script-access TXT "v=sa1; allow=*; deny=a.test; port=*"` },
  'port.test': { records: `@ A ${HERE}\n_script-access TXT "v=sa1; allow=${PAGE}; port=7000"` },
  'private.test': { records: `@ A 10.0.0.1\n_script-access TXT ${ALLOW}` },
  'self.test': { records: `@ A 127.0.0.1\n_script-access TXT ${ALLOW}` },
  'mixed.test': { records: `@ A ${HERE}\n@ A 10.0.0.1\n_script-access TXT ${ALLOW}` },
  'victim.test': { records: `@ A 127.0.0.9\n_script-access TXT ${ALLOW}` },
  'broken.test': { records: `@ A ${HERE}\n_script-access TXT "v=sa1; alow=*"` },
  'both.test': { records: `@ A ${HERE}\n@ A ${THERE}\n_script-access TXT ${ALLOW}` },
  '0.0.127.in-addr.arpa': {
    records: ['b', 'both', 'moves']
      .map((name) => `2 PTR ${name}.test.\n3 PTR ${name}.test.`)
      .join('\n'),
  },
  'moves.test': { records: `@ 0 A ${HERE}\n_script-access TXT ${ALLOW}` },
  'nowhere.test': { records: `_script-access TXT ${ALLOW}` },
});

let gateway, root, target;
before(async () => {
  const program = (text) => ({ text, mode: 0o755 });
  root = makeRoot({ asked: program(ASKED), closed: program(CLOSED), wrong: program(WRONG) });
  target = await startTarget(echo);
  gateway = await startGateway({
    zones,
    root: root.root,
    args: ['--answer-timeout', '2s', '--tcp-connect-timeout', '1s'],
  });
});
after(async () => {
  await gateway?.stop();
  await target?.stop();
  root?.remove();
});

const ask = (streams, host, port = target.port, more = {}) =>
  refusal(streams.open({ kind: 'tcp', host, port, ...more }));

describe('script access', () => {
  const expected = [
    ['none.test', 'no-record 60'],
    ['other.test', 'origin-not-allowed 60'],
    ['deny.test', 'origin-denied 60'],
    ['port.test', 'port-not-listed 60'],
    ['private.test', 'addr-class 60'],
    ['self.test', 'addr-self 60'],
    ['mixed.test', 'addr-class 60'],
    ['victim.test', 'addr-no-consent 60'],
    ['broken.test', 'record-syntax 60'],
    ['nowhere.test', 'no-address 10'],
    ['a.test', 'self-port-closed 60'],
    ['localhost', 'target-special-name 60'],
    ['127.0.0.2', 'target-ip-literal 60'],
    ['0x7f.1', 'target-ip-literal 60'],
    ['::1', 'target-ip-literal 60'],
    ['a b.test', 'target-syntax'],
  ];
  for (const [host, token] of expected)
    test(`refuses ${host}: ${token}`, async () => {
      const { client, streams } = await gateway.page();
      assert.equal(await ask(streams, host), token);
      client.ws.close();
    });

  test("refuses port 25 and what can't be read", async () => {
    const { client, streams } = await gateway.page();
    assert.equal(await ask(streams, 'b.test', 25), 'port-blocked 60');
    for (const more of [
      { port: 0 },
      { port: '1' },
      { secure: 'yes' },
      { Secure: true },
      { keepAliveDelay: 1 },
      { host: '' },
    ]) {
      const { reason, message } = await streams.open({
        kind: 'tcp',
        host: 'b.test',
        port: target.port,
        ...more,
      }).closed;
      assert.equal(reason, 'target-syntax', JSON.stringify(more));
      assert.match(message, /expected/);
    }
    assert.equal(
      await refusal(streams.open({ kind: 'udp', host: 'b.test', port: 7 })),
      'stream-unsupported',
    );
    client.ws.close();
  });

  test('counts each refusal, and says it once in the log', async () => {
    const before = await gateway.metrics();
    const { client, streams } = await gateway.page();
    assert.equal(await ask(streams, 'none.test', 7777), 'no-record 60');
    const now = await gateway.metrics();
    for (const name of [
      'httpsocket_tcp_ended_total{reason="refused"}',
      'httpsocket_access_verdicts_total{reason="no-record"}',
    ])
      assert.equal(now[name], before[name] + 1, name);
    await gateway.logged(
      /tcp\.closed reason=no-record origin=http:\/\/a\.test:8000 client=127\.0\.0\.1 target=none\.test:7777 address="" sent=0 received=0/,
    );
    assert.equal(gateway.log.filter((line) => line.includes('none.test:7777')).length, 1);
    client.ws.close();
  });

  test('refuses a page of another origin, though that may talk with our program', async () => {
    const client = new SessionClient(`http://127.0.0.1:${gateway.port}/asked`, {
      origin: 'http://x.test:8000',
      headers: { Host: 'a.test:8000' },
    });
    const streams = new Streams(client);
    await client.connect();
    assert.equal(await ask(streams, 'b.test'), 'origin-foreign 60');
    client.ws.close();
  });

  test('lets no page of another origin have a session without a program', async () => {
    const foreign = await tryHandshake(gateway, '/.httpsocket/connect', {
      name: 'a.test',
      origin: 'http://x.test:8000',
    });
    assert.equal(
      `${foreign.status} ${foreign.headers['script-access-reason']}`,
      '403 origin-foreign',
    );
    const missing = await tryHandshake(gateway, '/.httpsocket/connect', {
      name: 'a.test',
      origin: null,
    });
    assert.equal(
      `${missing.status} ${missing.headers['script-access-reason']}`,
      '403 origin-missing',
    );
    const opaque = await tryHandshake(gateway, '/.httpsocket/connect', {
      name: 'a.test',
      origin: 'null',
    });
    assert.equal(`${opaque.status} ${opaque.headers['script-access-reason']}`, '403 origin-opaque');
    const plain = await tryHandshake(gateway, '/.httpsocket/connect', {
      name: 'a.test',
      origin: PAGE,
      session: false,
    });
    assert.equal(plain.status, 404);
  });
});

describe("the page's program", () => {
  const pageOf = async (file) => {
    const { client } = await openPage(`http://127.0.0.1:${gateway.port}${file}`, {
      headers: { Host: 'a.test:8000' },
    });
    Object.assign(client, { origin: PAGE, headers: { Host: 'a.test:8000' } });
    const streams = new Streams(client);
    await client.connect();
    return { client, streams };
  };

  test('is asked before any DNS, may allow and may refuse; a refusal is a ban', async () => {
    const { client, streams } = await pageOf('/asked');
    const stream = await streams.connect('b.test', target.port);
    const asked = JSON.parse((await client.next(/^asked /)).slice(6));
    assert.deepEqual(asked, { id: 1, host: 'b.test', port: target.port, secure: false });
    stream.finish();
    assert.deepEqual(await stream.closed, {});
    gateway.dns.relay.take();
    assert.equal(await ask(streams, 'denied.test', 7, { secure: true }), 'script-denied 7');
    assert.equal(JSON.parse((await client.next(/^asked /)).slice(6)).secure, true);
    assert.match(await ask(streams, 'Denied.test.', 7), /^banned [1-7]$/);
    assert.deepEqual(gateway.dns.relay.take(), {});
    client.ws.close();
  });

  test('that does not answer in time is told', async () => {
    const { client, streams } = await pageOf('/asked');
    assert.equal(await ask(streams, 'silent.test', 7), 'program-timeout 10');
    client.ws.close();
  });

  test('may refuse all', async () => {
    const { client, streams } = await pageOf('/closed');
    assert.equal(await ask(streams, 'b.test'), 'script-denied');
    // No ban: other pages have other programs.
    assert.equal(await ask(streams, 'b.test'), 'script-denied');
    client.ws.close();
  });

  test("that says what can't be read has failed", async () => {
    const { client } = await pageOf('/wrong').catch((error) => ({ client: { closed: error } }));
    assert.match((await client.closed).reason, /program-failed reason=protocol/);
    await gateway.logged(/program\.protocol_error .*command=tcp why="expected \.tcp/);
  });
});

describe('the target', () => {
  test('that refuses is told', async () => {
    const gone = await startTarget();
    await gone.stop();
    const { client, streams } = await gateway.page();
    assert.equal(await ask(streams, 'b.test', gone.port), 'target-refused 10');
    client.ws.close();
  });

  test('that keeps silent is told after the time-out', async () => {
    const full = `import socket, sys
s = socket.socket(); s.bind(("${HERE}", 0)); s.listen(0)
others = [socket.socket() for _ in range(3)]
for o in others: o.setblocking(False); o.connect_ex(s.getsockname())
print(s.getsockname()[1], flush=True); sys.stdin.read()`;
    const child = spawn('/usr/bin/python3', ['-c', full], { stdio: ['pipe', 'pipe', 'inherit'] });
    const [port] = await once(readline.createInterface({ input: child.stdout }), 'line');
    const { client, streams } = await gateway.page();
    assert.equal(await ask(streams, 'b.test', Number(port)), 'connect-timeout 10');
    client.ws.close();
    child.stdin.end();
    await once(child, 'exit');
  });

  test('is connected to where it was checked: an address that holds for no second is asked once', async () => {
    gateway.dns.relay.take();
    const { client, streams } = await gateway.page();
    const stream = await streams.connect('moves.test', target.port);
    assert.equal((await stream.opened).remoteAddress, HERE);
    assert.equal(gateway.dns.relay.take()['A moves.test'], 1);
    stream.reset();
    client.ws.close();
  });

  test('is looked for at all its addresses', async () => {
    const there = await startTarget(echo, { host: THERE });
    const { client, streams } = await gateway.page();
    const stream = await streams.connect('both.test', there.port);
    assert.equal((await stream.opened).remoteAddress, THERE);
    stream.reset();
    client.ws.close();
    await there.stop();
  });
});

test("a file of trusted certificates that can't be read is no configuration", () => {
  const { status, stderr } = spawnSync(
    path.join(BUILD, 'httpsocketd'),
    ['--check-config', '--tcp-ca', '/nonexistent', root.root],
    { encoding: 'utf8' },
  );
  assert.equal(status, 2);
  assert.match(stderr, /trusted certificates \/nonexistent: No such file or directory/);
});

describe('TLS to the target', () => {
  let own, secure, folder, strict;
  before(async () => {
    folder = fs.mkdtempSync(path.join(root.root, '.tls-'));
    const make = (name, host) => {
      const [key, cert] = ['key', 'cert'].map((kind) => path.join(folder, `${name}.${kind}`));
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
          '-keyout',
          key,
          '-out',
          cert,
          '-days',
          '2',
          '-subj',
          `/CN=${name}`,
          '-addext',
          `subjectAltName=DNS:${host}`,
        ],
        { stdio: 'ignore' },
      );
      return { key: fs.readFileSync(key), cert: fs.readFileSync(cert), file: cert };
    };
    own = make('own', 'b.test');
    strict = make('strict', 'c.test');
    const names = [];
    const createServer = (options, serve) =>
      tls.createServer(
        {
          ...options,
          key: own.key,
          cert: own.cert,
          ALPNProtocols: ['imap'],
          SNICallback: (name, done) => (names.push(name), done()),
        },
        serve,
      );
    secure = await startTarget(echo, { createServer });
    secure.names = names;
  });
  after(() => secure?.stop());

  test("is verified by the system's roots", async () => {
    const { client, streams } = await gateway.page();
    const { reason, message, retryAfter } = await streams.open({
      kind: 'tcp',
      host: 'b.test',
      port: secure.port,
      secure: true,
    }).closed;
    assert.deepEqual([reason, message, retryAfter], ['tls-failed', 'self-signed certificate', 10]);
    const { reason: plain } = await streams.open({
      kind: 'tcp',
      host: 'b.test',
      port: target.port,
      secure: true,
    }).closed;
    assert.equal(plain, 'tls-failed');
    client.ws.close();
  });

  test(
    "is verified by tcp-ca and the host's name, which is also said; SIGHUP reads the file again",
    { timeout: 60000 },
    async () => {
      const ca = path.join(folder, 'ca.pem');
      fs.writeFileSync(ca, own.cert);
      const trusting = await startGateway({
        root: root.root,
        args: ['--tcp-ca', ca, '--private', '127.0.0.0/8'],
        threads: 1,
      });
      const { client, streams } = await trusting.page();
      const stream = await streams.connect('b.test', secure.port, { secure: true });
      await stream.write(Buffer.alloc(300000, 'secret'));
      assert.equal((await stream.read(300000)).toString('latin1', 0, 6), 'secret');
      assert.deepEqual(secure.names.slice(-1), ['b.test']);
      stream.finish();
      assert.deepEqual(await stream.closed, {});

      fs.writeFileSync(ca, 'no certificate');
      trusting.child.kill('SIGHUP');
      await trusting.logged(/config\.refused .*trusted certificates/);
      const still = await streams.connect('b.test', secure.port, { secure: true });
      still.reset();
      fs.writeFileSync(ca, strict.cert);
      trusting.child.kill('SIGHUP');
      await trusting.logged(/config\.reloaded/);
      assert.equal(await ask(streams, 'b.test', secure.port, { secure: true }), 'tls-failed 10');
      client.ws.close();
      await trusting.stop();
    },
  );
});

test(
  'a name that changes its addresses gets no one connected where they lead to: verdict and connection are one, and what is open is revoked',
  { timeout: 60000 },
  async () => {
    const { client, streams } = await gateway.page();
    const own = await startGateway({
      root: root.root,
      threads: 1,
      zones: zonesOf({
        'turn.test': { records: `@ 10 A ${HERE}\n_script-access 10 TXT ${ALLOW}` },
        '0.0.127.in-addr.arpa': { records: '2 10 PTR turn.test.' },
      }),
    });
    const page = await own.page();
    const first = await page.streams.connect('turn.test', target.port);
    assert.equal((await first.opened).remoteAddress, HERE);
    own.dns.relay.take();
    own.dns.knot.replace('turn.test', `@ 10 A 10.0.0.1\n_script-access 10 TXT ${ALLOW}`);
    const second = await page.streams.connect('turn.test', target.port);
    // Those that were validated, and nothing is asked again.
    assert.equal((await second.opened).remoteAddress, HERE);
    assert.deepEqual(own.dns.relay.take(), {});
    assert.equal(await refusal(first), 'revoked 60');
    assert.equal(await refusal(second), 'revoked 60');
    assert.equal(await ask(page.streams, 'turn.test'), 'addr-class 60');
    await own.logged(
      /tcp\.closed reason=revoked .*why="an address of the target is not a public one"/,
    );
    await own.stop();
    client.ws.close();
  },
);
