// SPDX-License-Identifier: MIT
// cluster-topics.test.mjs - topics of several servers: one order, past and presence, whatever
// becomes of the broker (docs/cluster.md).
import assert from 'node:assert/strict';
import { Cluster } from '../lib/cluster.mjs';
import { endDaemons } from '../lib/daemon.mjs';
import { Redis, WatchedPair } from '../lib/redis.mjs';
import { request } from '../lib/request.mjs';
import { adminOf, makeRoot, PROGRAMS, stopAll } from '../lib/server.mjs';
import { SessionClient } from '../lib/session-client.mjs';
import { Subscriber } from '../lib/subscriber.mjs';
import { after, test } from '../lib/test.mjs';
import { until } from '../lib/until.mjs';
import { startUpgradable } from '../lib/upgrades.mjs';

const TOKEN = 'of-a-length-that-nobody-guesses-1234';

after(async () => {
  SessionClient.dropAll();
  await stopAll();
  await endDaemons();
});

const start = (broker, options = {}) =>
  Cluster.start({ broker, root: PROGRAMS, threads: 2, ...options });

/** One subscriber at each server. */
const one = (cluster) => Promise.all(cluster.servers.map((server) => Subscriber.opens(server)));

/** Each publishes `n` events of its own, all at once; all hear all of them in one order. */
async function converse(people, topic, n) {
  for (let i = 0; i < n; i++) people.forEach((who, k) => who.publishes(topic, 'n', [k, i]));
  const heard = await Promise.all(people.map((who) => who.events(n * people.length)));
  const orders = heard.map((events) => events.map(({ seq, data }) => [seq, ...data]));
  for (const order of orders) assert.deepEqual(order, orders[0]);
  orders[0].forEach(([seq], i) => assert.equal(seq, orders[0][0][0] + i));
  people.forEach((who, k) => {
    const own = orders[0].filter(([, from]) => from === k).map(([, , i]) => i);
    assert.deepEqual(
      own,
      Array.from({ length: n }, (_, i) => i),
    );
  });
}

/** An event from outside, by the door of this server. */
async function posts(server, event) {
  const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${TOKEN}` };
  const url = `${await adminOf(server)}/publish`;
  const answer = await request(url, { method: 'POST', headers, body: JSON.stringify(event) });
  return { status: answer.status, body: JSON.parse(answer.body) };
}

test('all servers hear one order, one past and who is there', async () => {
  const redis = await Redis.start();
  const cluster = await start(redis.url);
  const people = await one(cluster);
  const [a, b, c] = people;
  const { id } = await a.subscribes('t', { presence: { name: 'a' } });
  await a.sees('t', { here: [] });
  await a.sees('t', { joined: [{ id, data: { name: 'a' } }] });
  await b.subscribes('t');
  const { seq } = await c.subscribes('t', { watch: true });
  assert.equal(seq, 0);
  await c.sees('t', { here: [{ id, data: { name: 'a' } }] });
  await converse(people, 't', 50);
  const late = await Subscriber.opens(cluster.servers[1]);
  assert.equal((await late.subscribes('t', { history: 10 })).seq, 150);
  assert.deepEqual(
    (await late.events(10)).map((event) => [event.seq, event.past]),
    Array.from({ length: 10 }, (_, i) => [141 + i, true]),
  );
  await a.closes();
  await c.sees('t', { left: [id] });
  await cluster.ends();
});

test('topics are spread over several brokers', async () => {
  const brokers = await Promise.all([Redis.start(), Redis.start(), Redis.start()]);
  const cluster = await start(brokers.map(({ url }) => url));
  const people = await one(cluster);
  const topics = Array.from({ length: 20 }, (_, i) => `room/${i}`);
  for (const topic of topics) {
    for (const who of people) await who.subscribes(topic);
    await converse(people, topic, 2);
  }
  const keys = await Promise.all(brokers.map((b) => b.asks('KEYS', `${cluster.name}:s:*`)));
  assert.deepEqual(keys.flat().sort(), topics.map((t) => `${cluster.name}:s:${t}`).sort());
  for (const some of keys) assert.ok(some.length > 0, 'each has a part of them');
  await cluster.ends();
});

test('while the broker is away a page goes on, its program waits with topics, and nothing is lost', async () => {
  const redis = await Redis.start();
  const cluster = await start(redis.url);
  const people = await one(cluster);
  const [a] = people;
  const late = await Subscriber.opens(cluster.servers[1]);
  for (const who of people) await who.subscribes('t');
  await redis.stop('SIGKILL');
  a.publishes('t', 'n', 1);
  late.gives('subscribe', { topic: 'u' });
  a.says('own 1');
  late.says('own 2');
  await a.page.hears('own 1');
  await late.page.hears('own 2');
  await redis.starts();
  assert.equal((await late.isTold('subscribed')).topic, 'u');
  for (const who of people) assert.deepEqual(await who.data(1), [1]);
  await converse(people, 't', 10);
  await cluster.ends();
});

test('links that are cut all the time lose and double nothing', async () => {
  const redis = await Redis.start();
  const cluster = await start(redis.url);
  const people = await one(cluster);
  for (const who of people) await who.subscribes('t');
  for (let i = 0; i < 8; i++) {
    const talk = converse(people, 't', 30);
    await redis.asks('CLIENT', 'KILL', 'TYPE', i % 2 ? 'pubsub' : 'normal', 'SKIPME', 'yes');
    await talk;
  }
  await cluster.ends();
});

test('a broker that has lost its memory goes on with the numbers that servers know', async () => {
  const redis = await Redis.start();
  const cluster = await start(redis.url);
  const people = await one(cluster);
  for (const who of people) await who.subscribes('t', { presence: {} });
  await converse(people, 't', 5);
  await redis.restarts('SIGKILL');
  await converse(people, 't', 5);
  const late = await Subscriber.opens(cluster.servers[0]);
  assert.equal((await late.subscribes('t', { history: 100, watch: true })).seq, 30);
  assert.equal((await late.isTold('presence')).here.length, 3);
  assert.equal((await late.events(30)).length, 30);
  await cluster.ends();
});

test('a failover by Sentinel loses and doubles nothing that a server has heard', async () => {
  const pair = await WatchedPair.start();
  const cluster = await start(pair.url);
  const people = await one(cluster);
  for (const who of people) await who.subscribes('t');
  await converse(people, 't', 10);
  const failover = pair.losesMaster();
  await converse(people, 't', 10);
  await failover;
  await converse(people, 't', 10);
  await cluster.ends();
});

test('a broker that is paused makes publishers wait, and nobody is taken for dead', async () => {
  const redis = await Redis.start();
  const cluster = await start(redis.url, { args: ['--broker-timeout', '1s'] });
  const people = await one(cluster);
  for (const who of people) await who.subscribes('t', { presence: {} });
  const watcher = await Subscriber.opens(cluster.servers[0]);
  await watcher.subscribes('t', { watch: true });
  assert.equal((await watcher.isTold('presence')).here.length, 3);
  redis.pauses();
  people[0].publishes('t', 'n', 'paused');
  await Promise.all(cluster.servers.map((server) => server.logged(/broker\.down/)));
  await new Promise((done) => setTimeout(done, 6000)); // longer than a sign of life counts
  redis.goesOn();
  for (const who of people) assert.deepEqual(await who.data(1), ['paused']);
  assert.deepEqual(await watcher.data(1), ['paused']);
  const there = await Subscriber.opens(cluster.servers[1]);
  await there.subscribes('t', { presence: { last: true } });
  assert.deepEqual((await watcher.isTold('presence')).joined?.length, 1);
  await cluster.ends();
});

test('who was at a server that is killed has left within seconds', async () => {
  const redis = await Redis.start();
  const cluster = await start(redis.url);
  const [a, , c] = await one(cluster);
  const { id } = await a.subscribes('t', { presence: { name: 'a' } });
  await c.subscribes('t', { watch: true });
  assert.equal((await c.isTold('presence')).here.length, 1);
  await cluster.places[0].kill();
  await c.sees('t', { left: [id] });
  await cluster.ends();
});

test('a take-over loses and doubles nothing, and what waits for the broker goes over', async () => {
  const redis = await Redis.start();
  const name = ['--broker', redis.url, '--cluster-name', 'upgrade'];
  const server = await startUpgradable({ args: name });
  const other = await startUpgradable({ args: name });
  const people = await Promise.all([server, other].map((at) => Subscriber.opens(at)));
  for (const who of people) await who.subscribes('t', { presence: {} });
  await converse(people, 't', 5);
  for (let i = 0; i < 3; i++) {
    people[1].publishes('t', 'n', `before ${i}`);
    const upgrade = server.upgrades();
    people[1].publishes('t', 'n', `while ${i}`);
    await upgrade;
    for (const who of people) assert.deepEqual(await who.data(2), [`before ${i}`, `while ${i}`]);
    await converse(people, 't', 5);
  }
  await redis.stop('SIGKILL');
  people[0].publishes('t', 'n', 'away');
  await server.logged(/broker\.down/);
  await server.upgrades();
  await redis.starts();
  for (const who of people) assert.deepEqual(await who.data(1), ['away']);
  await Promise.all([server.ends(), other.ends()]);
});

test('`broker-wait`: an event counts when a replica has it', async () => {
  const pair = await WatchedPair.start();
  const master = await pair.master();
  const cluster = await start(master.url, { args: ['--broker-wait', '1'] });
  const people = await one(cluster);
  for (const who of people) await who.subscribes('t');
  await converse(people, 't', 20);
  await (await pair.replica()).stop('SIGKILL');
  const flood = 200;
  people[0].floods('t', flood, 4000);
  const [server] = cluster.servers;
  await until(async () => (await server.metric('broker_publications')) > 0);
  assert.equal(await server.metric('broker_publications_total'), 20);
  await Promise.all(cluster.places.map((place) => place.kill()));
});

test('events from outside come in by any server, and are refused while the broker is away', async () => {
  const redis = await Redis.start();
  const tokens = makeRoot({ tokens: `${TOKEN}\n` });
  const cluster = await start(redis.url, { args: ['--publish-token', `${tokens.root}/tokens`] });
  const people = await one(cluster);
  for (const who of people) await who.subscribes('t');
  for (const [i, server] of cluster.servers.entries()) {
    const answer = await posts(server, { topic: 't', event: 'n', data: i });
    assert.deepEqual([answer.status, answer.body.seq], [200, i + 1]);
    for (const who of people) assert.deepEqual(await who.data(1), [i]);
  }
  await redis.stop('SIGKILL');
  await cluster.servers[0].logged(/broker\.down/);
  await until(async () => (await cluster.servers[0].metric('broker_links')) === 0);
  const refused = await posts(cluster.servers[0], { topic: 't', event: 'n' });
  assert.deepEqual([refused.status, refused.body.reason], [503, 'broker-away']);
  await redis.starts();
  await cluster.ends();
  tokens.remove();
});
