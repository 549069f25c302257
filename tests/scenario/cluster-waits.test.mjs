// SPDX-License-Identifier: MIT
// cluster-waits.test.mjs - what programs ask of topics while the broker is away: it waits, is taken
// back or replaced, goes over in a take-over, and holds nothing of pages that have left.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { endDaemons, ownFolder, ownPort } from '../lib/daemon.mjs';
import { Redis } from '../lib/redis.mjs';
import { stopAll } from '../lib/server.mjs';
import { SessionClient } from '../lib/session-client.mjs';
import { Subscriber } from '../lib/subscriber.mjs';
import { after, afterEach, before, test } from '../lib/test.mjs';
import { startUpgradable } from '../lib/upgrades.mjs';

let redis;
let server;

before(async () => {
  const key = path.join(ownFolder('key'), 'key');
  fs.writeFileSync(key, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600 });
  redis = await Redis.start({ keeps: true });
  const settings = {
    '--broker': redis.url,
    '--cluster-key': key,
    '--cluster-listen': `127.0.0.1:${await ownPort()}`,
    '--admin': '127.0.0.1:0',
    '--rate-client': 'off',
    '--rate-programs': 'off',
  };
  server = await startUpgradable({ args: Object.entries(settings).flat(), threads: 2 });
});
after(async () => {
  await server.ends();
  await stopAll();
  await endDaemons();
});
afterEach(() => SessionClient.dropAll());

let topics = 0;
const newTopic = () => `waits/${++topics}`;

/** Its own page's events go on: it hears what the page says now. */
async function isAlive(who, n) {
  who.says(`own ${n}`);
  await who.page.hears(`own ${n}`);
}

/** The broker is gone before `what`, and back after it. */
async function whileAway(what) {
  await redis.stop('SIGKILL');
  await what();
  await redis.starts();
}

test('what waits may be taken back, or replaced; the newest is answered, once', async () => {
  const [one, other] = await Subscriber.opensMany(server, 2);
  const [first, second] = [newTopic(), newTopic()];
  await whileAway(async () => {
    for (const who of [one, other]) who.gives('subscribe', { topic: first });
    one.unsubscribes(first);
    for (let n = 0; n < 5; n++) one.gives('subscribe', { topic: second, watch: n % 2 === 0 });
    one.gives('subscribe', { topic: second, self: false });
    await isAlive(one, 1);
    await isAlive(other, 2);
  });
  assert.equal((await one.isTold('subscribed')).topic, second);
  assert.equal((await other.isTold('subscribed')).topic, first);
  one.publishes(second, 'n', 'own');
  one.publishes(first, 'n', 'for the other');
  assert.deepEqual(await other.data(1), ['for the other']);
  other.publishes(second, 'n', 'for one');
  assert.deepEqual(await one.data(1), ['for one']); // neither its own, nor who is there
  assert.equal((await one.subscribes(first)).seq, 1);
});

test('pages that come and go meanwhile leave nothing behind', async () => {
  const stays = await Subscriber.opens(server);
  const topic = newTopic();
  const subscribed = await server.metric('topic_subscriptions');
  await whileAway(async () => {
    for (let round = 0; round < 3; round++) {
      const all = await Subscriber.opensMany(server, 8);
      for (const who of all) {
        who.gives('subscribe', { topic, presence: {} });
        who.publishes(topic, 'n', round);
        await isAlive(who, round);
      }
      await Promise.all(all.map((who) => who.closes()));
    }
    stays.gives('subscribe', { topic, history: 100, watch: true });
    await isAlive(stays, 4);
    await server.hasMetric('topic_subscriptions', subscribed);
  });
  assert.equal((await stays.isTold('subscribed')).topic, topic);
  await stays.sees(topic, { here: [] });
  const rounds = (await stays.data(24)).sort(); // what they have published counts
  assert.deepEqual(
    rounds,
    [0, 1, 2].flatMap((round) => Array(8).fill(round)),
  );
  await server.hasMetric('topic_present', 0);
  await server.hasMetric('topic_subscriptions', subscribed + 1);
});

test('a take-over carries what waits, and what is known', async () => {
  const [one, other] = await Subscriber.opensMany(server, 2);
  const [known, waits] = [newTopic(), newTopic()];
  const { id } = await one.subscribes(known, { presence: { n: 1 } });
  await one.sees(known, { here: [] });
  await one.sees(known, { joined: [{ id, data: { n: 1 } }] });
  await whileAway(async () => {
    one.gives('subscribe', { topic: waits, presence: { n: 2 }, history: 5 });
    other.gives('subscribe', { topic: waits, watch: true });
    other.gives('subscribe', { topic: newTopic() });
    other.unsubscribes(`waits/${topics}`);
    for (const n of [1, 2, 3]) other.publishes(known, 'n', n);
    await isAlive(one, 1);
    await isAlive(other, 1);
    await server.upgrades();
    for (const n of [4, 5]) other.publishes(known, 'n', n);
    await isAlive(other, 2);
    await server.upgrades();
    await isAlive(one, 3);
  });
  const told = [];
  while (told.filter(([name]) => name === 'topic').length < 5 || told.length < 8) {
    const [name, fields] = await one.page.hearsOf('heard');
    told.push([name, fields]);
  }
  const events = told.filter(([name]) => name === 'topic').map(([, fields]) => fields);
  assert.deepEqual(
    events.map(({ topic, seq, data }) => [topic, seq, data]),
    [1, 2, 3, 4, 5].map((n) => [known, n, n]),
  );
  const [subscribed] = told.filter(([name]) => name === 'subscribed');
  assert.deepEqual(subscribed[1], { topic: waits, id, seq: 0 });
  assert.ok(!told.some(([, { topic, left }]) => topic === known && left), 'nobody has left');
  assert.equal((await other.isTold('subscribed')).topic, waits);
  const seen = await other.isTold('presence');
  const joined = seen.here.length ? seen.here : (await other.isTold('presence')).joined;
  assert.deepEqual(joined, [{ id, data: { n: 2 } }]);
  one.publishes(waits, 'n', 'at last');
  assert.deepEqual(await other.data(1), ['at last']);
});
