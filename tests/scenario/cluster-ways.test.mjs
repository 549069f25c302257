// SPDX-License-Identifier: MIT
// cluster-ways.test.mjs - what servers of one cluster believe each other, and what nobody else gets
// from the place where they meet.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import tls from 'node:tls';
import { Cluster } from '../lib/cluster.mjs';
import { endDaemons, ownFolder } from '../lib/daemon.mjs';
import { Redis } from '../lib/redis.mjs';
import { program, stopAll } from '../lib/server.mjs';
import { newKey, Page, SessionClient } from '../lib/session-client.mjs';
import { after, before, describe, test } from '../lib/test.mjs';
import { until } from '../lib/until.mjs';

const SITE = 'http://site.example';
const HOST = { host: 'site.example' };
const CROWD = 300;
const files = { 'talk.py': program('talk.py'), 'lines.sh': program('lines.sh') };
const key = () => `${randomBytes(32).toString('base64')}\n`;

let redis;
before(async () => (redis = await Redis.start()));
after(async () => {
  SessionClient.dropAll();
  await stopAll();
  await endDaemons();
});

async function start({ args = [], ...more } = {}) {
  const cluster = await Cluster.start({
    count: 2,
    broker: redis.url,
    files,
    threads: 2,
    ...more,
    args: ['--origin', SITE, ...args],
  });
  await Promise.all(cluster.servers.map((server) => knows(server, cluster.servers.length)));
  return cluster;
}

const knows = (server, count) => server.logged(new RegExp(`cluster\\.servers .*count=${count} `));

/** A page that one place has made, and whose connection comes to the other. */
async function crosses(one, other, headers = {}) {
  const { session } = await Page.loads(one, 'talk', { headers: { ...HOST, ...headers } });
  const page = new SessionClient(other.at('talk'), {
    session,
    origin: SITE,
    headers: { ...HOST, ...headers },
  });
  page.welcome = await page.connect();
  return page;
}

async function isWell(page) {
  page.says('a 1');
  await page.hears('echo ["a", 1]');
  await page.closes();
}

describe('two servers with one key', () => {
  let cluster, one, other;
  before(async () => {
    cluster = await start({ args: ['--policy', 'config'] });
    [one, other] = cluster.places;
  });
  after(() => cluster.ends());

  test('the owner hears of the client what the other server saw', async () => {
    const page = await crosses(one, other, { 'x-forwarded-for': '192.0.2.77' });
    const [, told] = await page.hearsOf('told');
    assert.deepEqual([told.origin, told.address], [SITE, '192.0.2.77']);
    await page.closes();
  });

  test('an access by another origin is judged by the owner', async () => {
    const { session } = await Page.loads(one, 'talk', { headers: HOST });
    const stranger = new SessionClient(other.at('talk'), {
      session,
      origin: 'http://evil.example',
      headers: HOST,
    });
    await stranger.isRefused(({ status }) => status === 403);
  });

  test('the broker is told no key of a client', async () => {
    const secret = newKey();
    const client = new SessionClient(one.at('lines'), {
      key: secret,
      origin: SITE,
      headers: HOST,
    });
    await client.connect();
    const keys = await redis.asks('KEYS', `${cluster.name}:k:*`);
    assert.ok(keys.length > 0);
    for (const name of keys) {
      assert.ok(!name.includes(secret));
      assert.match(name, /:k:[0-9a-f]{32}$/);
      const left = await redis.asks('PTTL', name);
      assert.ok(left > 0 && left <= 60_000, `${left}`);
    }
    await client.closes();
  });

  test('strangers get nothing, and keep nobody out', async () => {
    const crowd = Array.from({ length: CROWD }, () => net.connect(one.clusterPort, '127.0.0.1'));
    for (const socket of crowd) socket.on('error', () => {});
    crowd.forEach((socket, i) => {
      const noises = ['', '\x16\x03\x01\x02\x00', 'GET / HTTP/1.1\r\n\r\n', randomBytes(600)];
      socket.write(noises[i % noises.length]);
    });
    await isWell(await crosses(one, other));
    const heard = crowd.map((socket) => socket.bytesRead);
    assert.ok(
      heard.every((bytes) => bytes <= 7),
      'an alert at most',
    );
    for (const socket of crowd) socket.destroy();
    await until(async () => (await one.server.metric('ways_refused_total')) >= CROWD);
  });

  test('who says nothing, or half of a hello, is let go', async () => {
    const [silent, slow] = [1, 2].map(() => net.connect(one.clusterPort, '127.0.0.1'));
    slow.write('\x16\x03\x01\x02\x00\x01');
    await Promise.all([silent, slow].map((socket) => once(socket.resume(), 'close')));
    assert.equal(silent.bytesRead, 0);
  });

  test('who speaks TLS without the key is refused', async () => {
    const options = { port: one.clusterPort, host: '127.0.0.1', rejectUnauthorized: false };
    for (const more of [
      {},
      { maxVersion: 'TLSv1.2' },
      {
        maxVersion: 'TLSv1.2',
        ciphers: 'PSK',
        pskCallback: () => ({ psk: randomBytes(32), identity: 'x' }),
      },
    ]) {
      const socket = tls.connect({ ...options, ...more });
      const [error] = await once(socket, 'error');
      assert.match(error.message, /alert|disconnected|reset/i);
    }
    assert.ok(one.server.lines(/way\.refused/).length > 0);
  });

  test('a server that is drained leaves the registry at once', async () => {
    await other.stop();
    assert.equal(await redis.asks('HLEN', `${cluster.name}:servers`), 1);
    await other.comesBack();
    await knows(other.server, 2);
  });

  test('the broker begins afresh: nobody is taken for gone', async () => {
    const page = await crosses(one, other);
    await page.cuts();
    await redis.restarts('SIGKILL');
    await page.connect();
    await isWell(page);
    await until(async () => (await redis.asks('HLEN', `${cluster.name}:servers`)) === 2);
    assert.equal(other.server.lines(/cluster\.servers .*count=1 certain=1/).length, 0);
  });

  test('the broker stands still for longer than a server lives: nobody is gone after it', async () => {
    const page = await crosses(one, other);
    await page.cuts();
    redis.pauses();
    await new Promise((resolve) => setTimeout(resolve, 6000));
    redis.goesOn();
    await page.connect();
    await isWell(page);
    await until(async () => (await redis.asks('HLEN', `${cluster.name}:servers`)) === 2);
    assert.equal(other.server.lines(/cluster\.servers .*count=1 certain=1/).length, 0);
  });

  test('another server has taken the tag: it is drawn anew, and sessions go on', async () => {
    const page = await crosses(one, other);
    const [tag] = (await redis.asks('HKEYS', `${cluster.name}:servers`)).filter(Boolean);
    await redis.asks('HSET', `${cluster.name}:servers`, tag, `${'x'.repeat(32)}\t\t1\t-\t0\tevil`);
    await until(
      () => cluster.servers.some((server) => server.lines(/cluster\.tag_taken/).length > 0),
      () => 'a tag that is drawn anew',
    );
    page.says('a 1');
    await page.hears('echo ["a", 1]');
    await page.closes();
    await isWell(await crosses(one, other));
    await isWell(await crosses(other, one));
  });
});

test('a server with another key is not reached, and reaches nobody', async () => {
  const file = path.join(ownFolder('key'), 'key');
  fs.writeFileSync(file, key(), { mode: 0o600 });
  const cluster = await start({ argsOf: (i) => (i === 1 ? ['--cluster-key', file] : []) });
  const [one, other] = cluster.places;
  await assert.rejects(crosses(one, other), { code: 1013 });
  await one.server.logged(/way\.refused/);
  await other.server.logged(/way\.failed .*reason=no-key/);
  await cluster.ends();
});

test('keys are changed while the servers run', async () => {
  const cluster = await start();
  const [one, other] = cluster.places;
  const old = fs.readFileSync(cluster.key, 'utf8');
  const young = key();
  const page = await crosses(one, other);
  for (const text of [old + young, young + old, young]) {
    fs.writeFileSync(cluster.key, text);
    for (const { server } of cluster.places) {
      const before = server.lines(/config\.reloaded/).length;
      process.kill(server.child.pid, 'SIGHUP');
      await until(() => server.lines(/config\.reloaded/).length > before);
    }
  }
  await isWell(page);
  await one.kill();
  await one.comesBack(); // it has only the new one
  await knows(one.server, 2);
  await isWell(await crosses(one, other));
  await cluster.ends();
});
