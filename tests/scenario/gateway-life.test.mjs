// SPDX-License-Identifier: MIT
// TCPConnections as the server's business: limits, time, sessions that come back, reload, drain;
// and sessions without a program.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';

import {
  ALLOW,
  HERE,
  PAGE,
  echo,
  refusal,
  startGateway,
  startTarget,
  zonesOf,
} from '../lib/gateway.mjs';
import { makeRoot } from '../lib/server.mjs';
import { SessionClient } from '../lib/session-client.mjs';
import { until } from '../lib/until.mjs';

let root, target;
const running = [];
before(async () => {
  root = makeRoot({ 'index.html': '<!doctype html>' });
  target = await startTarget(echo);
});
after(async () => {
  for (const gateway of running) await gateway.stop();
  await target?.stop();
  root?.remove();
});

async function start(args = [], more = {}) {
  const gateway = await startGateway({ root: root.root, args, ...more });
  running.push(gateway);
  return gateway;
}

const ask = (streams, host = 'b.test', port = target.port) =>
  refusal(streams.open({ kind: 'tcp', host, port }));

describe('limits', { concurrency: true }, () => {
  for (const limit of ['client', 'origin', 'target'])
    test(`tcp-per-${limit}: the next one is told of overload, and comes in when one has gone`, async () => {
      const gateway = await start([`--tcp-per-${limit}`, '2']);
      const one = await gateway.page(),
        other = await gateway.page(); // sessions of any worker
      const first = await one.streams.connect('b.test', target.port);
      await other.streams.connect('b.test', target.port);
      const { reason, message, retryAfter } = await one.streams.open({
        kind: 'tcp',
        host: 'b.test',
        port: target.port,
      }).closed;
      assert.deepEqual([reason, retryAfter], ['overload', 10]);
      assert.match(message, new RegExp(`tcp-per-${limit}`));
      assert.equal((await gateway.metrics())[`httpsocket_tcp_limited_total{limit="${limit}"}`], 1);
      assert.equal((await gateway.metrics())['httpsocket_tcp_connections{state="open"}'], 2);
      first.reset();
      await first.closed;
      const again = await one.streams.connect('b.test', target.port);
      again.reset();
    });

  for (const limit of ['origin', 'target'])
    test(`tcp-per-${limit}: a few clients that take all they get keep no other out`, async () => {
      const gateway = await start([`--tcp-per-${limit}`, '8', '--trusted-proxy', '127.0.0.1']);
      const page = (n) =>
        gateway.page({ headers: { Host: 'a.test:8000', 'X-Forwarded-For': `192.0.2.${n}` } });
      const held = [];
      for (const n of [1, 2, 3, 4]) {
        const { streams } = await page(n);
        for (let i = 0; i < 8; i++) {
          held.push(streams.open({ kind: 'tcp', host: 'b.test', port: target.port }));
          await held.at(-1).opened.catch(() => {}); // opened or refused
        }
      }
      for (const n of [5, 6, 7, 8]) await (await page(n)).streams.connect('b.test', target.port);
      assert.equal(await ask((await page(9)).streams), 'overload 10'); // eight clients have one
    });

  test('four clients whose targets have slow DNS keep no other visitor of the page out', async () => {
    const gateway = await start(['--trusted-proxy', '127.0.0.1', '--threads', '1']);
    const { relay } = gateway.dns;
    const page = (n) =>
      gateway.page({ headers: { Host: 'a.test:8000', 'X-Forwarded-For': `192.0.2.${n}` } });
    const pages = [await page(1), await page(2), await page(3), await page(4)];
    const fifth = await page(5);
    relay.silent = true;
    pages.forEach(({ streams }, n) => {
      for (let i = 0; i < 8; i++)
        streams.open({ kind: 'tcp', host: `slow-${n}-${i}.test`, port: target.port });
    });
    await until(
      () => new Set(relay.questions.map(({ question }) => question)).size >= 32,
      () => `${relay.questions.length} questions`,
    );
    relay.silent = false;
    await fifth.streams.connect('b.test', target.port);
  });

  test('the rate of checks', async () => {
    const gateway = await start(['--rate-client', '1,3']);
    const { streams } = await gateway.page();
    // The handshake was the first.
    assert.equal(await ask(streams, 'a.test'), 'self-port-closed 60');
    assert.equal(await ask(streams, 'a.test'), 'self-port-closed 60');
    assert.match(await ask(streams, 'a.test'), /^rate-limited \d+$/);
  });

  test('sessions without a program, by client', async () => {
    const gateway = await start(['--programs-per-client', '2']);
    const { client } = await gateway.page();
    await gateway.page();
    await assert.rejects(gateway.page(), { code: 1013 });
    client.ws.send('.close {"reason":"done"}');
    await client.closed;
    await gateway.page();
  });

  test('what moves no byte ends, what moves some does not', async () => {
    const gateway = await start(['--tcp-idle-timeout', '1500ms']);
    const { streams } = await gateway.page();
    const idle = await streams.connect('b.test', target.port);
    const busy = await streams.connect('b.test', target.port);
    let over = false;
    idle.closed.then(() => (over = true));
    while (!over) {
      await busy.write('x');
      await busy.read(1);
    }
    assert.equal((await idle.closed).reason, 'idle-timeout');
    await busy.write('y');
    assert.equal((await busy.read(1)).toString(), 'y');
  });
});

describe('a session without a program', () => {
  test("is the page's own for as long as it wants: the same key, the same session; a second key is not let in", async () => {
    const gateway = await start();
    const { client, streams, welcome } = await gateway.page();
    const stream = await streams.connect('b.test', target.port);
    await client.cut();
    const thief = new SessionClient(client.url, {
      origin: PAGE,
      headers: { Host: 'a.test:8000' },
      session: client.session,
    });
    await assert.rejects(thief.connect(), { code: 4409 });
    const again = await client.connect();
    assert.equal(again.session, welcome.session);
    assert.equal(again.resumed, true);
    await stream.write('still there?');
    assert.equal((await stream.read(12)).toString(), 'still there?');
    assert.equal((await gateway.metrics())['httpsocket_tcp_opened_total'], 1);
    const sessions = (await gateway.metrics()).httpsocket_sessions_started_total;
    assert.equal(sessions, 1);
  });

  test('ends with 4400 by a message, which nobody would read', async () => {
    const gateway = await start();
    const { client, streams } = await gateway.page();
    await streams.connect('b.test', target.port);
    client.send('hello 1');
    const { code, reason } = await client.closed;
    assert.equal(code, 4400);
    assert.match(reason, /^wire-protocol: /);
    await until(
      async () => (await gateway.metrics())['httpsocket_tcp_connections{state="open"}'] === 0,
    );
  });

  test('that goes away takes its connections along, after the grace', async () => {
    const gateway = await start(['--detach-timeout', '300ms']);
    const { port, next, stop } = await startTarget();
    const { client, streams } = await gateway.page();
    await streams.connect('b.test', port);
    const socket = await next();
    const broken = once(socket, 'error');
    await client.cut();
    assert.equal((await broken)[0].code, 'ECONNRESET');
    await gateway.logged(/tcp\.closed reason=aborted .*why=grace-over/);
    await stop();
  });
});

describe('new settings', () => {
  test(
    'decide again: what they refuse is revoked, all else goes on',
    { timeout: 60000 },
    async () => {
      const conf = path.join(root.root, '.gateway.conf');
      fs.writeFileSync(conf, '');
      const zones = zonesOf({
        'c.test': { records: `@ A ${HERE}\n_script-access TXT ${ALLOW}` },
        '0.0.127.in-addr.arpa': { records: '2 PTR b.test.\n2 PTR c.test.' },
      });
      const gateway = await start(['--config', conf], { zones });
      const { streams } = await gateway.page();
      const refused = await streams.connect('b.test', target.port);
      const kept = await streams.connect('c.test', target.port);
      fs.writeFileSync(conf, 'block = {"b.test"}\n');
      gateway.child.kill('SIGHUP');
      assert.equal(await refusal(refused), 'revoked 60');
      assert.equal(await ask(streams), 'target-blocked 60');
      await kept.write('on and on');
      assert.equal((await kept.read(9)).toString(), 'on and on');
    },
  );

  test('a record that is withdrawn revokes within its TTL', { timeout: 60000 }, async () => {
    const gateway = await start();
    const { streams } = await gateway.page();
    const stream = await streams.connect('b.test', target.port);
    const begin = performance.now();
    gateway.dns.knot.replace('b.test', `@ 10 A ${HERE}`);
    assert.equal(await refusal(stream), 'revoked 60');
    assert.ok(performance.now() - begin < 14000);
    assert.equal((await gateway.metrics())['httpsocket_tcp_ended_total{reason="revoked"}'], 1);
  });
});

test(
  'SIGTERM resets what is open with draining, and ends the sessions',
  { timeout: 60000 },
  async () => {
    const gateway = await start();
    const { client, streams } = await gateway.page();
    const stream = await streams.connect('b.test', target.port);
    gateway.child.kill('SIGTERM');
    assert.equal(await refusal(stream), 'draining 5');
    assert.deepEqual(await client.closed, { code: 1012, reason: 'draining retry=5' });
    assert.deepEqual(await gateway.exited, { code: 0, signal: null });
  },
);
