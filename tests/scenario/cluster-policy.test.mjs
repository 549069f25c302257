// SPDX-License-Identifier: MIT
// cluster-policy.test.mjs - several servers with one policy: bans, rates, and what the DNS says.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { metrics, startGuarded, startZones, tryHandshake } from '../lib/access.mjs';
import { endDaemons } from '../lib/daemon.mjs';
import { Redis, WatchedPair } from '../lib/redis.mjs';
import { REPO, adminOf, makeRoot, stopAll } from '../lib/server.mjs';
import { after, before, describe, test } from '../lib/test.mjs';
import { until } from '../lib/until.mjs';

const REFUSE =
  '#!/bin/sh\nprintf "Status: 401 Unauthorized\\n"\n' +
  'printf "%s" "$QUERY_STRING" | tr "&" "\\n" | sed "s/=/: /"\nprintf "\\n\\nno\\n"\n';
const LISTEN = '#!/bin/sh\nprintf "\\n"\ncat <&3 >/dev/null\n';
const ALLOW = '_script-access 10 TXT "v=sa1; allow=a.example"';
const WITHDRAWN = '_script-access 10 TXT "v=sa1; allow=c.example"';

let zones, root, redis;
const servers = [];
before(async () => {
  zones = await startZones({
    'b.test': { records: '_script-access 10 TXT "v=sa1; allow=*"' },
    'c.test': { records: ALLOW },
    'd.test': { records: ALLOW },
  });
  root = makeRoot({
    no: { text: REFUSE, mode: 0o755 },
    feed: { text: LISTEN, mode: 0o755 },
  });
  redis = await Redis.start();
});
after(async () => {
  for (const server of servers) await server.stop();
  await zones?.stop();
  await stopAll();
  await endDaemons();
  root?.remove();
});

let names = 0;
/** What one cluster has in common. */
const cluster = (broker = redis) => ({
  broker,
  name: `policy-${++names}`,
  args: ['--broker', broker.url, '--cluster-name', `policy-${names}`],
});

/** One more server of the cluster, which shares the policy already. */
async function joins({ args, shares = true }, more = []) {
  const server = await startGuarded({
    names: ['b.test', 'c.test', 'd.test'],
    dns: zones.relay.port,
    root: root.root,
    threads: 2,
    args: ['--admin', '127.0.0.1:0', ...args, ...more],
  });
  servers.push(server);
  server.adminPort = new URL(await adminOf(server)).port;
  if (shares) await server.logged(/policy\.shared/);
  return server;
}

const said = ({ status, headers }) => `${status} ${headers['script-access-reason']}`;
const ask = (server, path, more) => tryHandshake(server, path, more);
const count = async (server, name) => (await metrics(server.adminPort))[`httpsocket_${name}`] ?? 0;
const heard = (server, what, least) =>
  until(async () => (await count(server, `policy_heard_total{what="${what}"}`)) >= least);

describe('bans', () => {
  test('one that a server sets holds at all within a second, and for nobody else', async () => {
    const both = cluster();
    const [one, other] = [await joins(both), await joins(both)];
    const refused = await tryHandshake(one, '/no/x?Access-Control-Max-Age=300');
    assert.equal(said(refused), '401 script-denied');
    const set = performance.now();
    await heard(other, 'bans', 1);
    assert.ok(performance.now() - set < 1000 * (process.env.HTTPSOCKET_PATIENCE ?? 1));
    const banned = await ask(other, '/no/x');
    assert.equal(said(banned), '429 banned');
    assert.ok(banned.headers['retry-after'] >= 290);
    assert.equal(said(await tryHandshake(other, '/no/x')), '429 banned');
    const stranger = await tryHandshake(other, '/no/x', { headers: { Cookie: 'somebody=else' } });
    assert.equal(said(stranger), '401 script-denied');
    assert.equal(said(await tryHandshake(other, '/no/y')), '401 script-denied');
  });

  test('one by cookies and below a Policy-Path holds there in the same way', async () => {
    const both = cluster();
    const [one, other] = [await joins(both), await joins(both)];
    const headers = { Cookie: 'who=me' };
    await tryHandshake(one, '/no/room?Access-Control-Policy-Path=/no', { headers });
    await heard(other, 'bans', 2);
    assert.equal(said(await tryHandshake(other, '/no/else', { headers })), '429 banned');
    assert.equal(said(await tryHandshake(other, '/no/else')), '401 script-denied');
  });

  test('a server that starts later has them, and one that has lost the broker hears them again', async () => {
    const own = await Redis.start();
    const both = cluster(own);
    const one = await joins(both);
    await tryHandshake(one, '/no/x?Access-Control-Max-Age=300');
    await heard(one, 'bans', 1);
    const late = await joins(both);
    assert.equal(said(await ask(late, '/no/x')), '429 banned');
    await own.stop('SIGKILL');
    await one.logged(/broker\.down/);
    await tryHandshake(one, '/no/y?Access-Control-Max-Age=300'); /* local, for the time being */
    assert.equal(said(await ask(one, '/no/y')), '429 banned');
    const before = one.log.length;
    await own.starts(); /* and knows nothing any more */
    await until(() => one.log.slice(before).some((line) => /policy\.shared/.test(line)));
    await until(async () => said(await ask(late, '/no/y')) === '429 banned');
    assert.equal(said(await ask(await joins(both), '/no/y')), '429 banned');
  });

  test('a server whose broker is away has its own', async () => {
    const own = await Redis.start();
    await own.stop();
    const alone = await joins({ ...cluster(own), shares: false });
    await tryHandshake(alone, '/no/x');
    assert.equal(said(await ask(alone, '/no/x')), '429 banned');
    await own.starts();
    await alone.logged(/policy\.shared/);
  });
});

describe('bans outlive', () => {
  test('a take-over, and are shared after it', async () => {
    const both = cluster();
    const [one, other] = [await joins(both), await joins(both)];
    await ask(other, '/no/x?Access-Control-Max-Age=300');
    await heard(one, 'bans', 1);
    process.kill(one.child.pid, 'SIGUSR2');
    await one.logged(/takeover\.done/);
    assert.equal(said(await ask(one, '/no/x')), '429 banned');
    await until(() => one.lines(/policy\.shared/).length === 2);
    await ask(one, '/no/y');
    await heard(other, 'bans', 2);
    assert.equal(said(await ask(other, '/no/y')), '429 banned');
  });

  test('a failover that Sentinel decides', async () => {
    const pair = await WatchedPair.start();
    const both = cluster(pair);
    const [one, other] = [await joins(both), await joins(both)];
    await ask(one, '/no/x?Access-Control-Max-Age=300');
    await heard(other, 'bans', 1);
    await pair.losesMaster();
    await until(() => other.lines(/policy\.shared/).length >= 2);
    await until(() => one.lines(/policy\.shared/).length >= 2);
    assert.equal(said(await ask(other, '/no/x')), '429 banned');
    assert.equal(said(await ask(await joins(both), '/no/x')), '429 banned');
    await ask(other, '/no/y');
    await until(async () => said(await ask(one, '/no/y')) === '429 banned');
  });

  test('an order of several brokers that is not the same at all servers', async () => {
    const [a, b] = [await Redis.start(), await Redis.start()];
    const name = ['--cluster-name', `policy-${++names}`];
    const [one, other] = [
      await joins({ args: ['--broker', a.url, '--broker', b.url, ...name] }),
      await joins({ args: ['--broker', b.url, '--broker', a.url, ...name] }),
    ];
    await ask(one, '/no/x');
    await heard(other, 'bans', 1);
    assert.equal(said(await ask(other, '/no/x')), '429 banned');
  });

  test('a broker that takes nothing for a while, which is logged now and then', async () => {
    const own = await Redis.start();
    const both = cluster(own);
    const [one, other] = [await joins(both), await joins(both)];
    await own.asks('CONFIG', 'SET', 'maxmemory', '1');
    for (let i = 0; i < 5; i++) await ask(one, `/no/${i}`);
    await one.logged(/broker\.error .*OOM/);
    await own.asks('CONFIG', 'SET', 'maxmemory', '0');
    await heard(other, 'bans', 5);
    assert.ok(one.lines(/broker\.error/).length <= 3);
  });
});

describe('rates', () => {
  test('what a client had at one server is counted at the others', async () => {
    const both = cluster();
    const rate = ['--rate-client', '60,20'];
    const [one, other] = [await joins(both, rate), await joins(both, rate)];
    await until(async () => (await redis.asks('PUBSUB', 'NUMSUB', `${both.name}:policy`))[1] === 2);
    await Promise.all(Array.from({ length: 20 }, () => tryHandshake(one, '/nothing')));
    await heard(other, 'rates', 1);
    const answers = [];
    for (let i = 0; i < 12; i++) answers.push((await tryHandshake(other, '/nothing')).status);
    assert.ok(answers.includes(429), `${answers}`);
  });

  test('a flood of keys costs the broker no more than some messages a second', async () => {
    const both = cluster();
    const [one] = [await joins(both), await joins(both)];
    const before = await count(one, 'policy_told_total{what="rates"}');
    for (let i = 0; i < 300; i++) await ask(one, `/no/${i}`, { origin: `https://o${i}.example` });
    assert.ok((await count(one, 'policy_told_total{what="rates"}')) - before < 20);
  });
});

test('it needs no right that the user of examples/cluster/redis.conf lacks', async () => {
  const conf = fs.readFileSync(path.join(REPO, 'examples/cluster/redis.conf'), 'utf8');
  const rights = /^user httpsocket on >PASSWORD (.*)$/m.exec(conf)[1].split(' ');
  const own = await Redis.start();
  await own.asks('ACL', 'SETUSER', 'httpsocket', 'on', '>secret', ...rights);
  const url = `redis://httpsocket:secret@127.0.0.1:${own.port}`;
  const both = { args: ['--broker', url, '--cluster-name', 'a-example', '--rate-client', '60,20'] };
  const [one, other] = [await joins(both), await joins(both)];
  await ask(one, '/no/x');
  await heard(other, 'bans', 1);
  for (const server of [one, other]) (await ask(server, '/feed', { name: 'c.test' })).drop();
  await Promise.all(Array.from({ length: 20 }, () => ask(one, '/nothing')));
  await heard(other, 'rates', 1);
  const door = `http://127.0.0.1:${one.adminPort}`;
  assert.equal((await (await fetch(`${door}/cluster`)).json()).servers.length, 2);
  const { answers } = await (await fetch(`${door}/cluster?sessions`)).json();
  assert.deepEqual(
    answers.map(({ sessions }) => Array.isArray(sessions)),
    [true, true],
  );
  const lifted = await (await fetch(`${door}/lift-bans`, { method: 'POST' })).json();
  assert.deepEqual(lifted, { lifted: 'everywhere' });
  await other.logged(/bans\.lifted by=cluster/);
  assert.deepEqual(await own.asks('ACL', 'LOG'), []);
});

describe('the DNS', () => {
  test('is asked once by all, and for a name that has no record, too', async () => {
    const both = cluster();
    const all = [await joins(both), await joins(both), await joins(both)];
    zones.relay.take();
    const answers = await Promise.all(
      [...all, ...all].map((server) => tryHandshake(server, '/feed', { name: 'c.test' })),
    );
    assert.deepEqual(
      answers.map(({ status }) => status),
      [101, 101, 101, 101, 101, 101],
    );
    for (const { drop } of answers) drop();
    assert.deepEqual(zones.relay.take(), { 'TXT _script-access.c.test': 1 });
  });

  test('a record that is withdrawn ends the connections of all servers together, with one question', async () => {
    const both = cluster();
    const [one, other] = [await joins(both), await joins(both)];
    const first = await tryHandshake(one, '/feed', { name: 'd.test' });
    assert.match(await first.text, /^\.welcome/);
    const second = await tryHandshake(other, '/feed', { name: 'd.test' });
    assert.match(await second.text, /^\.welcome/);
    zones.relay.take();
    zones.knot.replace('d.test', WITHDRAWN);
    const ends = await Promise.all(
      [first, second].map(async ({ close }) => ({ ...(await close), at: performance.now() })),
    );
    for (const { code, reason } of ends) {
      assert.equal(code, 4403);
      assert.equal(reason, 'revoked retry=60');
    }
    assert.ok(Math.abs(ends[0].at - ends[1].at) < 2000, `${ends[0].at} ${ends[1].at}`);
    assert.deepEqual(zones.relay.take(), { 'TXT _script-access.d.test': 1 });
    await heard(other, 'doubts', 1);
    assert.equal(
      said(await tryHandshake(other, '/feed', { name: 'd.test' })),
      '403 origin-not-allowed',
    );
  });

  test('is asked by each server itself while the broker stands still', async () => {
    const own = await Redis.start();
    const both = cluster(own);
    const [one, other] = [await joins(both), await joins(both)];
    own.pauses();
    try {
      for (const server of [one, other]) {
        const answer = await tryHandshake(server, '/feed', { name: 'c.test' });
        assert.equal(answer.status, 101);
        answer.drop();
      }
    } finally {
      own.goesOn();
    }
  });
});
