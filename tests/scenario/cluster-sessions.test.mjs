// SPDX-License-Identifier: MIT
// cluster-sessions.test.mjs - a session lives at one of several servers, and its client's
// connections come to any of them.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { Cluster } from '../lib/cluster.mjs';
import { endDaemons, ownFolder } from '../lib/daemon.mjs';
import { Redis } from '../lib/redis.mjs';
import { program, stopAll } from '../lib/server.mjs';
import { newKey, Page, SessionClient } from '../lib/session-client.mjs';
import { StatefulPage } from '../lib/stateful-page.mjs';
import { after, before, describe, test } from '../lib/test.mjs';
import { until } from '../lib/until.mjs';

/** What the balancer in front of all servers is called. */
const SITE = 'http://site.example';
const SECURE = 'https://site.example';
const HOST = { host: 'site.example' };
const TIMES = '--goodbye-timeout 500ms --attach-timeout 20s --detach-timeout 30s --eof-grace 5s';
const files = {
  'talk.py': program('talk.py'),
  'lines.sh': program('lines.sh'),
  'ledger.py': program('ledger.py'),
};
const ARRIVALS = 60;
const CHAOS_MS = 6000;

let redis;
before(async () => (redis = await Redis.start()));
after(async () => {
  SessionClient.dropAll();
  await stopAll();
  await endDaemons();
});

const start = async ({ args = [], origin = SITE, certain = false, ...more } = {}) => {
  const cluster = await Cluster.start({
    count: 2,
    broker: redis.url,
    files,
    threads: 2,
    ...more,
    args: [...TIMES.split(' '), '--origin', origin, ...args],
  });
  await Promise.all(
    cluster.servers.map((server) => knows(server, cluster.servers.length, certain)),
  );
  return cluster;
};

const options = { origin: SITE, headers: HOST };

function certify(cert, secret) {
  const words = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=x`;
  execFileSync('openssl', [...words.split(' '), '-keyout', secret, '-out', cert], {
    stdio: 'ignore',
  });
}

/** A page that `place` has made; it is not connected. */
async function loads(place, where, Kind = Page) {
  const { answer, session } = await Page.loads(place, where, options);
  return Object.assign(new Kind(place.at(where), { session, ...options }), { answer });
}

/** It has heard of so many; `certain`: and knows that there are no others. */
const knows = (server, count, certain = true) =>
  server.logged(new RegExp(`cluster\\.servers .*count=${count} certain=${certain ? 1 : ''}`));

/** How many servers the broker knows of. */
const inTouch = ({ name }) => redis.asks('HLEN', `${name}:servers`);

/** Its next connection goes to this place. */
const turnsTo = (client, place) =>
  Object.assign(client, { url: place.url + new URL(client.url).pathname, server: place });

const pick = (list) => list[Math.floor(Math.random() * list.length)];

/** A client that sends again what the server has not received, as each has to. */
class Stubborn extends SessionClient {
  said = [];

  async arrives(place) {
    turnsTo(this, place);
    this.welcome = await this.connect();
    for (const line of this.said.slice(this.welcome.received)) this.send(line);
  }

  /** Comes again until it is let in, wherever that is. */
  async staysUp(places) {
    while (this.ws?.readyState !== 1) {
      const code = await this.arrives(pick(places)).catch(({ code }) => code);
      assert.ok(!(code >= 4000), `${code}`);
      if (code) await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  says(line) {
    this.said.push(line);
    if (this.ws?.readyState === 1) this.send(line);
  }
}

describe('two servers', () => {
  let cluster, one, other;
  before(async () => {
    cluster = await start({ certain: true });
    [one, other] = cluster.places;
  });
  after(() => cluster.ends());

  test('a page that was made at one connects by way of the other', async () => {
    const page = await loads(one, 'talk');
    turnsTo(page, other);
    page.welcome = await page.connect();
    assert.equal(page.welcome.resumed, false);
    page.says('a 1');
    await page.hears('echo ["a", 1]');
    await page.cuts();
    turnsTo(page, one);
    await page.comesBack();
    page.says('b 2');
    await page.hears('echo ["b", 2]');
    turnsTo(page, other);
    await page.comesBack(); // and takes over from the connection that is still there
    page.says('c 3');
    await page.hears('echo ["c", 3]');
    await page.closes();
  });

  test('the program hears when a client that came by the other one has gone', async () => {
    const page = await loads(one, 'talk');
    turnsTo(page, other);
    await page.connect();
    await page.cuts();
    await page.comesBack();
    await page.hears(/told \["\.attach".*/, /told \["\.detach".*/, /told \["\.attach".*/);
    await page.closes();
  });

  test('a client that has heard no id finds its session at any server, by its key', async () => {
    const key = newKey();
    const client = new SessionClient(one.at('lines'), { key, acknowledge: false, ...options });
    const { session } = await client.connect();
    await client.hears(/^pid /);
    for (const place of [other, one, other]) {
      await client.cuts();
      turnsTo(client, place);
      client.session = undefined;
      assert.equal((await client.connect()).session, session);
      await client.hears(/^pid /); // again, since nobody has said that it was received
    }
    client.says('n 1');
    await client.hears('n 1');
    await client.closes();
  });

  test('a client that changes the server before it is answered starts one program', async () => {
    const key = newKey();
    const clients = [one, other, one, other].map(
      (place) => new SessionClient(place.at('lines'), { key, ...options }),
    );
    const ends = await Promise.all(
      clients.map((client) => client.connect().catch(({ code }) => code)),
    );
    const ids = new Set(ends.map((end) => end.session).filter(Boolean));
    assert.equal(ids.size, 1);
    const last = clients.find((client) => client.ws.readyState === 1);
    assert.ok(last);
    await last.closes();
  });

  test('large messages come whole in both directions', async () => {
    const page = await loads(one, 'talk');
    turnsTo(page, other);
    await page.connect();
    const text = 'x'.repeat(3_000_000);
    page.says(`big ${JSON.stringify(text)}`);
    assert.equal((await page.hearsOf('echo'))[1], text);
    await page.closes();
  });

  test('an id that no server knows is refused, whoever made it', async () => {
    const page = await loads(one, 'talk');
    for (const place of [one, other])
      for (const [at, letter] of [
        [0, 'A'],
        [19, 'B'],
      ]) {
        const id = page.session.slice(0, at) + letter + page.session.slice(at + 1);
        const stranger = new SessionClient(place.at('talk'), { session: id, ...options });
        await stranger.isRefused({ code: 4410, reason: 'session-gone' });
      }
  });

  test('a client with another key is refused by the owner', async () => {
    const page = await loads(one, 'talk');
    await page.connect();
    const thief = new SessionClient(other.at('talk'), { session: page.session, ...options });
    await thief.isRefused({ code: 4409, reason: 'session-taken' });
    await page.closes();
  });

  test('connections that come anywhere and are cut lose, double and reorder nothing', async () => {
    const client = new Stubborn(one.at('lines'), { key: newKey(), ...options });
    let said = 0;
    for (let i = 0; i < ARRIVALS; i++) {
      await client.arrives(pick(cluster.places));
      for (let n = 0; n < 10; n++) client.says(`n ${said++}`);
      // A part of the answers has come, or none, or all.
      await until(() => client.heard('n').length >= said - pick([0, 4, 10, 14]));
      if (i + 1 < ARRIVALS) await client.cuts();
    }
    await until(() => client.heard('n').length >= said);
    assert.deepEqual(
      client.heard('n'),
      Array.from({ length: said }, (_, i) => `n ${i}`),
    );
    await client.closes();
  });
});

test('a server that can not be reached is not taken for gone', async () => {
  const cluster = await start({
    argsOf: (i) => (i === 0 ? ['--cluster-address', '127.0.0.1:1'] : []),
  });
  const [one, other] = cluster.places;
  const page = await loads(one, 'talk');
  turnsTo(page, other);
  await page.isRefused({ code: 1013, reason: 'server-away retry=1' });
  turnsTo(page, one);
  await page.connect();
  await page.closes();
  await cluster.ends();
});

test('servers with certificates pass on what they have decrypted', async () => {
  const folder = ownFolder('certificate');
  const [cert, secret] = ['cert.pem', 'key.pem'].map((name) => path.join(folder, name));
  certify(cert, secret);
  const cluster = await start({ args: ['--tls-cert', cert, '--tls-key', secret], origin: SECURE });
  const [one, other] = cluster.places;
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
  try {
    const url = ({ port }) => `https://127.0.0.1:${port}/talk`;
    const page = new SessionClient(url(one), { origin: SECURE, headers: HOST });
    await page.connect();
    await page.cuts();
    page.url = url(other);
    await page.comesBack();
    const text = 'x'.repeat(1_000_000);
    page.says(`big ${JSON.stringify(text)}`);
    assert.equal((await page.hearsOf('echo'))[1], text);
    await page.closes();
  } finally {
    delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
  }
  await cluster.ends();
});

describe('the server that has the session', () => {
  let cluster, one, other;
  before(async () => {
    cluster = await start({ count: 3, certain: true });
    [one, other] = cluster.places;
  });
  after(() => cluster.ends());

  /** A page of `one`, connected by way of `other`, with a state. */
  async function noted() {
    const page = await loads(one, 'ledger', StatefulPage);
    turnsTo(page, other);
    page.keepsOrigin = true;
    page.welcome = await page.connect();
    page.says('note 1');
    await page.isSaved();
    return page;
  }

  async function goesOnAt(page, place, why) {
    await page.goesOn(why, place);
    page.says('notes?7');
    assert.match(await page.next(/^=7 /), /1/);
    await page.closes();
  }

  test('stands still: after seconds its clients go on from their states elsewhere', async () => {
    const page = await noted();
    const { server } = one;
    process.kill(server.pid, 'SIGSTOP');
    try {
      await page.closed; // nothing came by the way for too long
      turnsTo(page, cluster.places[2]);
      await until(async () => (await page.connect().catch(({ code }) => code)) === 4410);
      await goesOnAt(page, other, 'deploy');
    } finally {
      process.kill(server.pid, 'SIGCONT');
    }
    await until(async () => (await inTouch(cluster)) === 3);
  });

  test('is killed: the client goes on from its state elsewhere within 5 s', async () => {
    const page = await noted();
    const began = Date.now();
    await one.kill();
    await page.closed;
    await page.isRefused({ code: 4410, reason: 'session-gone' });
    await goesOnAt(page, other, 'deploy');
    assert.ok(Date.now() - began < 5000, `${Date.now() - began} ms`);
    await one.comesBack();
  });

  test('is killed and comes back: its sessions are gone', async () => {
    const page = await noted();
    await one.kill();
    await one.comesBack();
    await page.closed;
    await page.isRefused({ code: 4410, reason: 'session-gone' });
    await goesOnAt(page, other, 'deploy');
  });

  test('crashes, and its supervisor starts it anew: its sessions are gone at once', async () => {
    const page = await noted();
    const { server } = one;
    server.mayCrash = true;
    process.kill(server.pid, 'SIGKILL');
    await page.closed;
    await until(async () => {
      const code = await page.connect().catch((end) => end.code);
      assert.ok(code === 4410 || code === 1013, `${code}`);
      return code === 4410;
    });
    await goesOnAt(page, other, 'deploy');
    await until(async () => (await inTouch(cluster)) === 3);
    const again = await loads(one, 'talk');
    turnsTo(again, other);
    await again.connect(); // there is a way to the one that came
    await again.closes();
    await one.stop(); // with the status of a server that has crashed
    await one.comesBack();
  });

  test('is replaced by a take-over: its sessions stay', async () => {
    const page = await loads(one, 'talk');
    turnsTo(page, other);
    await page.connect();
    page.says('a 1');
    await page.hears('echo ["a", 1]');
    process.kill(one.server.child.pid, 'SIGUSR2');
    await one.server.logged(/takeover\.done/);
    await page.closed;
    await page.comesBack();
    page.says('b 2');
    await page.hears('echo ["b", 2]');
    await page.closes();
  });

  test('stays, though the server is replaced that the client has reached', async () => {
    const page = await loads(one, 'talk');
    turnsTo(page, other);
    await page.connect();
    process.kill(other.server.child.pid, 'SIGUSR2');
    await other.server.logged(/takeover\.done/);
    await page.closed;
    await page.comesBack();
    page.says('a 1');
    await page.hears('echo ["a", 1]');
    await page.closes();
  });

  test('lasts while the broker is away: its sessions are reached', async () => {
    const page = await loads(one, 'talk');
    await page.connect();
    await page.cuts();
    redis.pauses();
    try {
      turnsTo(page, other);
      await page.comesBack();
      page.says('a 1');
      await page.hears('echo ["a", 1]');
    } finally {
      redis.goesOn();
    }
    await page.closes();
  });

  test('was claimed by a client, and is gone: the client begins elsewhere', async () => {
    const key = newKey();
    const client = new SessionClient(one.at('lines'), { key, ...options });
    const { session } = await client.connect();
    await one.kill();
    await client.closed;
    turnsTo(client, other);
    Object.assign(client, { session: undefined, received: 0 });
    assert.notEqual((await client.connect()).session, session);
    client.says('n 1');
    await client.hears('n 1');
    await client.closes();
    await one.comesBack();
  });

  test('is replaced, and so are the others, again and again: nothing is lost', async () => {
    const clients = Array.from(
      { length: 12 },
      () => new Stubborn(one.at('lines'), { key: newKey(), ...options }),
    );
    const end = Date.now() + CHAOS_MS;
    const lives = async (client) => {
      let said = 0;
      while (Date.now() < end) {
        await client.staysUp(cluster.places);
        client.says(`big ${JSON.stringify('x'.repeat(100_000))}`);
        for (let n = 0; n < 10; n++) client.says(`n ${said++}`);
        if (Math.random() < 0.2) client.ws._socket?.pause(); // it does not read
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 100));
        client.ws._socket?.resume();
        if (Math.random() < 0.5) client.ws.terminate();
      }
      await until(async () => {
        await client.staysUp(cluster.places);
        return client.heard('n').length >= said;
      });
      assert.deepEqual(
        client.heard('n'),
        Array.from({ length: said }, (_, i) => `n ${i}`),
      );
      await client.closes();
    };
    const replacing = (async () => {
      while (Date.now() < end - 1000) {
        const { server } = pick(cluster.places);
        const before = server.lines(/takeover\.done/).length;
        process.kill(server.child.pid, 'SIGUSR2');
        await until(() => server.lines(/takeover\.done/).length > before);
      }
    })();
    await Promise.all([replacing, ...clients.map(lives)]);
    for (const { server } of cluster.places) {
      await server.hasMetric('passed_on', 0);
      await server.hasMetric('passed_here', 0);
    }
  });

  test('has no room: the client is not held to it', async () => {
    const argsOf = (i) => (i === 0 ? ['--sessions-max', '2'] : []);
    const full = await start({ threads: 1, argsOf });
    const [small, large] = full.places;
    const filling = [1, 2].map(() => new SessionClient(small.at('lines'), options));
    for (const client of filling) await client.connect();
    const client = new SessionClient(small.at('lines'), options);
    await client.isRefused(({ code }) => code === 1013);
    await until(async () => (await redis.asks('KEYS', `${full.name}:k:*`)).length === 2);
    turnsTo(client, large);
    await client.connect();
    client.says('n 1');
    await client.hears('n 1');
    for (const each of [...filling, client]) await each.closes();
    await full.ends();
  });

  test('is not asked for while the broker is away: who has no session begins', async () => {
    redis.pauses();
    try {
      const client = new SessionClient(other.at('lines'), options);
      await client.connect();
      client.says('n 1');
      await client.hears('n 1');
      await client.closes();
    } finally {
      redis.goesOn();
    }
  });

  test('is drained: its pages go on at the others at once', async () => {
    const page = await noted();
    const stopped = one.stop();
    const { code, reason } = await page.closed;
    assert.equal(code, 1012);
    assert.match(reason, /^draining retry=[1-4]$/);
    await goesOnAt(page, other, 'deploy');
    await stopped;
    await one.comesBack();
  });

  test('is not the one that is drained: the client comes by another one', async () => {
    const page = await loads(one, 'talk');
    turnsTo(page, other);
    await page.connect();
    page.says('a 1');
    await page.hears('echo ["a", 1]');
    const stopped = other.stop();
    assert.ok((await page.closed).code < 1012);
    turnsTo(page, cluster.places[2]);
    await page.comesBack();
    page.says('b 2');
    await page.hears('echo ["b", 2]');
    await page.closes();
    await stopped;
  });
});
