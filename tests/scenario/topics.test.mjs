// SPDX-License-Identifier: MIT
// topics.test.mjs - programs of one server share topics: over real sockets and several workers, in
// one order, with who is there, a past, and bounds.
import assert from 'node:assert/strict';
import { openPlain } from '../lib/plain-client.mjs';
import { program, startServer, stopAll } from '../lib/server.mjs';
import { Page, SessionClient } from '../lib/session-client.mjs';
import { Subscriber } from '../lib/subscriber.mjs';
import { after, afterEach, before, describe, test } from '../lib/test.mjs';
import { until } from '../lib/until.mjs';

const ARGUMENTS =
  '--admin 127.0.0.1:0 --goodbye-timeout 300ms --detach-timeout 20s --presence-grace 4s ' +
  '--topics-max 12 --subscriptions-max 4 --topic-history 5 --topic-linger 500ms ' +
  '--topic-message-max 2000 --topic-backlog 64K --presence-max 3 --presence-data-max 100 ' +
  '--buffer-max 16K';
const threads = 3;

let server;

const open = (n, at = server) => Subscriber.opensMany(at, n);
const opens = (options) => Subscriber.opens(server, options);
const endAll = (all) => Promise.all(all.map((subscriber) => subscriber.closes()));
const numbers = (n, first = 0) => Array.from({ length: n }, (_, i) => first + i);
let topics = 0;
const newTopic = () => `test/${++topics}`;

before(async () => (server = await startServer({ args: ARGUMENTS.split(' '), threads })));
after(async () => (await server.ends(), stopAll()));
afterEach(() => SessionClient.dropAll());

/** What a test left open would count in the next. */
async function nobodyIsLeft() {
  await server.hasMetric('topic_subscriptions', 0);
  await server.hasMetric('topics', 0);
}

describe('order', () => {
  const EACH = 150;

  /** As all have heard it: [seq, from, number]. */
  function oneOrder(heard) {
    const [order, ...others] = heard.map((events) =>
      events.map(({ seq, from, data }) => [seq, from, data[0]]),
    );
    for (const other of others) assert.deepEqual(other, order);
    return order;
  }

  /** How many of them are its own, all by one name. */
  function ownOf(events) {
    const own = events.filter(({ self }) => self);
    assert.equal(new Set(own.map(({ from }) => from)).size, own.length ? 1 : 0);
    return own.length;
  }

  test('all subscribers on all workers see one order, each publisher’s own is kept in it, and nothing is missing', async () => {
    const topic = newTopic();
    const at = await startServer({ threads }); // with a backlog that holds all of it
    const all = await open(9, at);
    await Promise.all(all.map((one) => one.subscribes(topic)));
    for (const publisher of all.slice(0, 4)) publisher.floods(topic, EACH, 500);
    const heard = await Promise.all(all.map((one) => one.events(4 * EACH)));
    const order = oneOrder(heard);
    assert.deepEqual(
      order.map(([seq]) => seq),
      numbers(4 * EACH, 1),
    );
    const authors = [...new Set(order.map(([, from]) => from))];
    const of = (author) => order.filter(([, from]) => from === author).map(([, , n]) => n);
    assert.deepEqual(authors.map(of), Array(4).fill(numbers(EACH)));
    assert.deepEqual(heard.map(ownOf), [...Array(4).fill(EACH), ...Array(5).fill(0)]);
    await endAll(all);
    await at.ends();
  });

  test('a publisher hears its own in place, unless it asked not to; its id is the one it was told', async () => {
    const topic = newTopic();
    const [one, other] = await open(2);
    const { id, seq } = await one.subscribes(topic);
    assert.match(id, /^[\w-]{12}$/);
    assert.equal(seq, 0);
    await other.subscribes(topic, { self: false });
    const before = Date.now();
    const heard = [];
    for (const [who, event, data] of [
      [one, 'a', 1],
      [other, 'b', { deep: [1, 2] }],
      [one, 'c'],
    ]) {
      who.publishes(topic, event, data);
      heard.push(...(await one.events(1)));
    }
    const shown = heard.map(({ event, self, from }) => `${event} ${self ?? false} ${from === id}`);
    assert.deepEqual(shown, ['a true true', 'b false false', 'c true true']);
    assert.equal(heard[2].data, null);
    assert.ok(Math.abs(heard[0].time - before) < 60000);
    const [first, second] = await other.events(2);
    assert.deepEqual([first.event, second.event], ['a', 'c']);
    await endAll([one, other]);
  });

  test('data reaches the others as it was written, to the last digit', async () => {
    const topic = newTopic();
    const program = await opens();
    await program.subscribes(topic);
    const raw = '{"big":123456789012345678901234567890,"frac":1.500,"text":"\\u00e9 \\/ \\"q\\""}';
    program.says(
      `.publish { "event" : "x" , "data" : ${raw} , "topic":"${topic.replace('/', '\\/')}" }`,
    );
    await program.isTold('topic');
    const shown = program.page.messages.at(-1);
    assert.match(shown, /"big": 123456789012345678901234567890/);
    await program.closes();
  });
});

describe('to the page', () => {
  test('an event goes straight to the page, and the program hears nothing of it', async () => {
    const topic = newTopic();
    const [one, other] = await open(2);
    await one.subscribes(topic, { to: 'page', self: false });
    other.publishes(topic, 'moved', { x: 1 });
    assert.equal(await one.page.hears(/^moved/), 'moved {"x":1}');
    one.publishes(topic, 'mine', 1);
    other.publishes(topic, 'done', null);
    assert.equal(await one.page.hears(/^(moved|mine|done)/), 'done null');
    assert.ok(!one.page.messages.some((message) => message.startsWith('heard ["topic"')));
    await endAll([one, other]);
  });

  test('a page that takes no more misses events, and its program is told how many', async () => {
    const topic = newTopic();
    const [slow, other] = [await opens({ acknowledge: false }), await opens()];
    await slow.subscribes(topic, { to: 'page' });
    await other.subscribes(topic);
    const sent = 40; // of 1 KiB: more than buffer-max
    other.floods(topic, sent, 1000);
    await other.events(sent);
    slow.page.acknowledge = true;
    slow.page.says(`.ack ${slow.page.received}`);
    const { lost } = await slow.isTold('topic');
    const got = slow.page.messages.filter((message) => message.startsWith('n [')).length;
    assert.ok(lost > 0 && got > 0);
    assert.equal(got + lost, sent);
    await endAll([slow, other]);
  });
});

describe('a plain client whose program has the past of a topic sent to it', () => {
  const says = (line) =>
    program(
      `#!/usr/bin/python3\nimport os, socket\nos.write(1, b"\\n")\n` +
        `fd = socket.socket(fileno=3)\n${line}\nwhile fd.recv(100): pass\n`,
    );

  test('loses its program by an event above message-max, and the server goes on', async () => {
    const files = {
      speaks: says(
        `for i in range(5): fd.sendall(b'.publish {"topic":"t","event":"message","data":"' + ` +
          `b'x' * 1500 + b'"}\\n')\nfd.sendall(b'message "published"\\n')`,
      ),
      hears: says(`fd.sendall(b'.subscribe {"topic":"t","to":"page","history":5}\\n')`),
    };
    const args = '--message-max 1024 --topic-message-max 4000 --topic-history 5'.split(' ');
    const own = await startServer({ files, args, threads: 1 });
    const speaker = await openPlain(own.at('speaks'));
    assert.equal((await speaker.next()).text, 'published');
    const hearer = await openPlain(own.at('hears'));
    await hearer.isClosed(4500, 'program-failed reason=protocol');
    await speaker.closes();
    await own.ends();
  });
});

describe('the past', () => {
  test('history gives the newest events first, marked, then what comes; the bound is topic-history', async () => {
    const topic = newTopic();
    const [one, late] = await open(2);
    await one.subscribes(topic);
    for (let i = 1; i <= 8; i++) one.publishes(topic, 'n', i);
    await one.events(8);
    const { seq } = await late.subscribes(topic, { history: 100 });
    assert.equal(seq, 8);
    const past = await late.events(5);
    assert.deepEqual(
      past.map(({ data }) => data),
      [4, 5, 6, 7, 8],
    );
    assert.ok(past.every((event) => event.past === true));
    one.publishes(topic, 'n', 9);
    const [next] = await late.events(1);
    assert.deepEqual([next.data, next.past, next.seq], [9, undefined, 9]);
    await late.subscribes(topic, { history: 2 });
    assert.deepEqual(await late.data(2), [8, 9]);
    await endAll([one, late]);
  });

  test('the kept event is the last value, once, before the history; `keep: false` forgets it', async () => {
    const topic = newTopic();
    const [one, late] = await open(2);
    await one.subscribes(topic);
    for (const state of ['first', 'second']) one.publishes(topic, 'state', state, { keep: true });
    for (let i = 1; i <= 6; i++) one.publishes(topic, 'n', i);
    await one.events(8);
    await late.subscribes(topic, { last: true });
    const [{ data, seq, past }] = await late.events(1);
    assert.deepEqual([data, seq, past], ['second', 2, true]);
    await late.subscribes(topic, { last: true, history: 1 });
    assert.deepEqual(await late.data(2), ['second', 6]);
    one.publishes(topic, 'state', 'third', { keep: true });
    await late.events(1);
    await late.subscribes(topic, { last: true, history: 1 });
    assert.deepEqual(await late.data(1), ['third']);
    one.publishes(topic, 'gone', 0, { keep: false });
    await late.events(1);
    await late.subscribes(topic, { last: true });
    one.publishes(topic, 'now', 1);
    assert.equal((await late.events(1))[0].event, 'now');
    await endAll([one, late]);
  });

  test('a topic outlives its last subscriber by topic-linger; then its past is forgotten', async () => {
    const topic = newTopic();
    const one = await opens();
    await nobodyIsLeft();
    const forgotten = await server.metric('topics_forgotten_total');
    await one.subscribes(topic);
    one.publishes(topic, 'n', 1);
    await one.events(1);
    one.unsubscribes(topic);
    assert.equal((await one.subscribes(topic, { history: 1 })).seq, 1);
    await one.events(1);
    one.unsubscribes(topic);
    await server.hasMetric('topics', 0);
    assert.equal(await server.metric('topics_forgotten_total'), forgotten + 1);
    assert.equal((await one.subscribes(topic, { history: 1 })).seq, 0);
    await one.closes();
    await nobodyIsLeft();
  });
});

describe('who is there', () => {
  test('is told at first, then who joins, what they change and who leaves', async () => {
    const topic = newTopic();
    const [ann, bob, watcher] = await open(3);
    const { id: a } = await ann.subscribes(topic, {
      presence: { name: 'Ann' },
    });
    await ann.sees(topic, { here: [] });
    await ann.sees(topic, { joined: [{ id: a, data: { name: 'Ann' } }] });
    await watcher.subscribes(topic, { watch: true });
    await watcher.sees(topic, { here: [{ id: a, data: { name: 'Ann' } }] });
    const { id: b } = await bob.subscribes(topic, {
      presence: { name: 'Bob' },
    });
    for (const one of [ann, watcher])
      await one.sees(topic, { joined: [{ id: b, data: { name: 'Bob' } }] });
    await bob.subscribes(topic, { presence: { name: 'Bob', away: true } });
    await watcher.sees(topic, {
      joined: [{ id: b, data: { name: 'Bob', away: true } }],
    });
    bob.unsubscribes(topic);
    await watcher.sees(topic, { left: [b] });
    await ann.closes();
    await watcher.sees(topic, { left: [a] });
    assert.notEqual(a, ann.page.session);
    await endAll([bob, watcher]);
  });

  test('a page that drops and is back within the grace has not left; one that stays away has, and joins again', async () => {
    const topic = newTopic();
    const [ann, watcher] = await open(2);
    const { id } = await ann.subscribes(topic, { presence: { name: 'Ann' } });
    await watcher.subscribes(topic, { watch: true });
    const { here = [], joined = [] } = await watcher.isTold('presence');
    if (!here.length && !joined.length) await watcher.isTold('presence');
    await ann.page.cuts();
    await ann.page.comesBack();
    await ann.page.cuts();
    const lost = Date.now();
    await watcher.sees(topic, { left: [id] });
    assert.ok(Date.now() - lost > 3500, 'not before the grace');
    await ann.page.comesBack();
    await watcher.sees(topic, { joined: [{ id, data: { name: 'Ann' } }] });
    await endAll([ann, watcher]);
  });

  test('a page that has not connected yet is not there', async () => {
    const topic = newTopic();
    const watcher = await opens();
    await watcher.subscribes(topic, { watch: true });
    await watcher.sees(topic, { here: [] });
    const present = await server.metric('topic_present');
    const page = await Page.loads(server, `board?subscribe=${topic}`);
    await until(async () => (await server.metric('topic_subscriptions')) >= 2);
    assert.equal(await server.metric('topic_present'), present);
    await page.connect();
    assert.equal((await watcher.isTold('presence')).joined.length, 1);
    await page.closes();
    await watcher.closes();
  });
});

describe('limits are told', () => {
  const problem = async (program, reason) => {
    const told = await program.isTold('problem');
    assert.equal(told.reason, reason);
    assert.ok(told.message.length > 10);
    return told;
  };

  test('subscriptions of one program', async () => {
    const program = await opens();
    for (let i = 0; i < 4; i++) await program.subscribes(`limit/${i}`);
    program.gives('subscribe', { topic: 'limit/one-more' });
    const { command, topic } = await problem(program, 'too-many-subscriptions');
    assert.deepEqual([command, topic], ['subscribe', 'limit/one-more']);
    program.unsubscribes('limit/0');
    await program.subscribes('limit/one-more');
    program.unsubscribes('limit/0');
    await problem(program, 'not-subscribed');
    await program.closes();
    await nobodyIsLeft();
  });

  test('topics in all: one that nobody is subscribed to gives way, one with subscribers does not', async () => {
    const programs = await open(4);
    for (const [i, program] of programs.entries())
      for (let j = 0; j < 3; j++) await program.subscribes(`full/${i}/${j}`);
    programs[0].gives('subscribe', { topic: 'full/more' });
    await problem(programs[0], 'too-many-topics');
    programs[1].publishes('full/other', 'n', 1);
    assert.equal((await problem(programs[1], 'too-many-topics')).command, 'publish');
    programs[2].publishes('full/2/0', 'n', 1); // a past, so that the topic stays
    await programs[2].events(1);
    programs[2].unsubscribes('full/2/0');
    assert.equal(await server.metric('topics'), 12);
    assert.ok((await server.metric('topic_refused_total{reason="too-many-topics"}')) >= 2);
    await endAll(programs);
    await nobodyIsLeft();
  });

  test('an event and its data', async () => {
    const topic = newTopic();
    const program = await opens();
    await program.subscribes(topic);
    program.publishes(topic, 'n', 'x'.repeat(1997));
    await program.events(1);
    program.publishes(topic, 'n', 'x'.repeat(1998));
    assert.equal((await problem(program, 'too-long')).command, 'publish');
    await program.closes();
  });

  test('who can be seen, and what they show', async () => {
    const topic = newTopic();
    const programs = await open(4);
    programs[0].gives('subscribe', {
      topic,
      presence: { name: 'x'.repeat(100) },
    });
    await problem(programs[0], 'presence-too-long');
    for (const program of programs.slice(0, 3)) await program.subscribes(topic, { presence: {} });
    await programs[3].subscribes(topic, { presence: {} });
    await problem(programs[3], 'too-many-present');
    programs[3].publishes(topic, 'here', 1);
    assert.equal((await programs[3].events(1))[0].self, true, 'it is subscribed all the same');
    await endAll(programs);
    await nobodyIsLeft();
  });
});

describe('a slow subscriber', () => {
  const SENT = 1500; // of 1 KiB: more than the socket and the backlog hold

  /** Hears all that was sent, but for gaps where it was told of them; how many it has lost. */
  async function catchesUp(slow) {
    let lost = 0;
    for (let at = 0; at < SENT;) {
      const told = await slow.isTold('topic');
      at += told.lost ?? 1;
      lost += told.lost ?? 0;
      if (!told.lost) assert.equal(told.seq, at, 'the gap is where it was told');
    }
    return lost;
  }

  test('misses what does not fit into topic-backlog, is told how many in their place, and costs the others nothing', async () => {
    const topic = newTopic();
    const [slow, other] = await open(2);
    for (const one of [slow, other]) await one.subscribes(topic);
    await slow.stops();
    for (let i = 0; i < SENT; i += 30) {
      other.floods(topic, 30, 1000);
      assert.deepEqual(
        (await other.events(30)).map(({ seq }) => seq),
        numbers(30, i + 1),
      );
    }
    await server.logged(new RegExp(`topic\\.lost.*topic=${topic}`));
    slow.goesOn();
    const lost = await catchesUp(slow);
    assert.ok(lost > 0);
    assert.ok((await server.metric('topic_lost_total')) >= lost);
    other.publishes(topic, 'again', 1);
    assert.equal((await slow.events(1))[0].event, 'again');
    await endAll([slow, other]);
  });

  test('hears anew who is there, if it has missed a change', async () => {
    const topic = newTopic();
    const [slow, other] = await open(2);
    await slow.subscribes(topic, { watch: true });
    await slow.isTold('presence');
    await slow.stops();
    other.floods(topic, 1000, 1000);
    await other.page.hears(/^flooded/);
    const { id } = await other.subscribes(topic, { presence: { name: 'Bob' } });
    await other.isTold('presence');
    await other.isTold('presence');
    slow.goesOn();
    await slow.sees(topic, { here: [{ id, data: { name: 'Bob' } }] });
    await endAll([slow, other]);
  });
});

describe('what is wrong', () => {
  const wrong = [
    '.subscribe',
    '.subscribe {}',
    '.subscribe []',
    '.subscribe {"topic":""}',
    '.subscribe {"topic":"a b"}',
    '.subscribe {"topic":7}',
    '.subscribe {"topic":"a","topic":"b"}',
    '.subscribe {"topic":"a","patern":1}',
    '.subscribe {"topic":"a","history":-1}',
    '.subscribe {"topic":"a","history":"3"}',
    '.subscribe {"topic":"a","last":1}',
    '.subscribe {"topic":"a","presence":"Ann"}',
    '.subscribe {"topic":"a","to":"else"}',
    '.subscribe {"topic":"a","self":null}',
    `.subscribe {"topic":"${'a'.repeat(256)}"}`,
    '.unsubscribe',
    '.unsubscribe {"topic":"a","to":"page"}',
    '.publish {"topic":"a"}',
    '.publish {"topic":"a","event":".close"}',
    '.publish {"topic":"a","event":"a b"}',
    '.publish {"topic":"a","event":"e","keep":1}',
    '.publish {"event":"e"}',
  ];
  for (const line of wrong)
    test(`${line.slice(0, 60)} ends the session as failed`, async () => {
      const program = await opens();
      program.says(line);
      await program.page.isClosed(4500, 'program-failed reason=protocol');
    });

  test('the longest name is taken', async () => {
    const program = await opens();
    assert.equal((await program.subscribes('a'.repeat(255))).topic.length, 255);
    await program.closes();
    await nobodyIsLeft();
  });
});

describe('other programs', () => {
  test('a client without our subprotocol: its program shares topics too', async () => {
    const topic = newTopic();
    const program = await opens();
    await program.subscribes(topic);
    const client = await openPlain(server.at(`board-plain?${topic}`));
    await server.hasMetric('topic_subscriptions', 2);
    program.publishes(topic, 'message', 'for a plain client');
    assert.deepEqual(await client.next(), { text: 'for a plain client' });
    client.send('from a plain client');
    assert.equal((await program.data(2))[1], 'from a plain client');
    client.terminate();
    await server.hasMetric('topic_subscriptions', 1);
    await program.closes();
    await nobodyIsLeft();
  });

  test('the last word of a program that exits is published', async () => {
    const topic = newTopic();
    const [one, other] = await open(2);
    await other.subscribes(topic);
    one.says(`.publish {"topic":"${topic}","event":"bye"}`);
    one.page.says('exit 0');
    assert.equal((await other.events(1))[0].event, 'bye');
    await other.closes();
    await nobodyIsLeft();
  });
});
