// SPDX-License-Identifier: MIT
// topics.test.mjs - programs of one server share topics: over real sockets and several workers, in one order, with who is there, a past, and bounds.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import path from 'node:path';
import { after, afterEach, before, describe, test as testOf } from 'node:test';
import WebSocket from 'ws';
import { metrics } from '../lib/access.mjs';
import { adminOf, REPO, startServer } from '../lib/server.mjs';
import { openPage, SessionClient } from '../lib/session-client.mjs';
import { until } from '../lib/until.mjs';

const test = (name, run) => testOf(name, { timeout: 60000 }, run);
const ARGUMENTS = [
  '--admin',
  '127.0.0.1:0',
  '--goodbye-timeout',
  '300ms',
  '--detach-timeout',
  '20s',
  '--presence-grace',
  '4s',
  '--topics-max',
  '12',
  '--subscriptions-max',
  '4',
  '--topic-history',
  '5',
  '--topic-linger',
  '500ms',
  '--topic-message-max',
  '2000',
  '--topic-backlog',
  '64K',
  '--presence-max',
  '3',
  '--presence-data-max',
  '100',
  '--buffer-max',
  '16K',
];

const ROOT = path.join(REPO, 'tests/scenario/programs');

let server;
let count;

const threads = 3;
const start = async () => {
  server = await startServer({ root: ROOT, args: ARGUMENTS, threads });
  const admin = new URL(await adminOf(server)).port;
  count = async (name) => (await metrics(admin))[`httpsocket_${name}`];
};

/** A page whose program (board.py) writes what it is told, and tells what it hears. */
class Program {
  static async open({ at = server, acknowledge = true } = {}) {
    const { client } = await openPage(`${at.url}/board`);
    client.acknowledge = acknowledge;
    await client.connect();
    return new Program(client, JSON.parse((await client.next(/^started/)).slice(8)).pid);
  }

  constructor(client, pid) {
    Object.assign(this, { client, pid });
  }

  write(...lines) {
    this.client.send(`write ${JSON.stringify(lines.map((line) => `${line}\n`).join(''))}`);
  }

  say(command, fields) {
    this.write(`.${command} ${JSON.stringify(fields)}`);
  }

  /** The next line of this name that it hears: its fields. */
  async hears(name) {
    for (;;) {
      const [heard, fields] = JSON.parse((await this.client.next(/^heard /)).slice(6));
      if (heard === name) return fields;
    }
  }

  /** Resolves with the fields of `.subscribed`. */
  subscribe(topic, options = {}) {
    this.say('subscribe', { topic, ...options });
    return this.hears('subscribed');
  }

  publish(topic, event, data, more = {}) {
    this.say('publish', { topic, event, data, ...more });
  }

  /** The next `n` lines of `.topic`. */
  async events(n) {
    const events = [];
    while (events.length < n) events.push(await this.hears('topic'));
    return events;
  }

  async end() {
    this.client.send('.close {"reason":"over"}');
    await this.client.closed;
  }
}

const open = (n, options) => Promise.all(Array.from({ length: n }, () => Program.open(options)));
const endAll = (programs) => Promise.all(programs.map((program) => program.end()));
let topics = 0;
const newTopic = () => `test/${++topics}`;

before(start);
after(async () => {
  const end = await server.stop();
  assert.deepEqual(end, { code: 0, signal: null }, server.log.slice(-40).join('\n'));
});
afterEach(async () => {
  SessionClient.dropAll();
});

/** What a test left open would count in the next. */
const nobodyIsLeft = () =>
  until(async () => (await count('topic_subscriptions')) === 0 && (await count('topics')) === 0);

describe('order', () => {
  test('all subscribers on all workers see one order, each publisher’s own is kept in it, and nothing is missing', async () => {
    const topic = newTopic();
    const at = await startServer({ root: ROOT, threads }); // with a backlog that holds all of it
    const programs = await open(9, { at });
    await Promise.all(programs.map((program) => program.subscribe(topic)));
    const publishers = programs.slice(0, 4);
    const each = 150;
    for (const publisher of publishers)
      publisher.client.send(`flood ${JSON.stringify({ topic, count: each, size: 500 })}`);
    const heard = await Promise.all(
      programs.map((program) => program.events(each * publishers.length)),
    );
    const order = heard[0].map(({ seq, from, data }) => [seq, from, data[0]]);
    for (const events of heard)
      assert.deepEqual(
        events.map(({ seq, from, data }) => [seq, from, data[0]]),
        order,
      );
    assert.deepEqual(
      order.map(([seq]) => seq),
      Array.from({ length: order.length }, (_, i) => i + 1),
    );
    const authors = new Set(order.map(([, from]) => from));
    assert.equal(authors.size, publishers.length);
    for (const author of authors)
      assert.deepEqual(
        order.filter(([, from]) => from === author).map(([, , n]) => n),
        Array.from({ length: each }, (_, i) => i),
      );
    for (const [i, events] of heard.entries()) {
      const own = events.filter(({ self }) => self);
      assert.equal(own.length, i < publishers.length ? each : 0);
      assert.equal(new Set(own.map(({ from }) => from)).size, own.length ? 1 : 0);
    }
    await endAll(programs);
    assert.deepEqual(await at.stop(), { code: 0, signal: null });
  });

  test('a publisher hears its own in place, unless it asked not to; its id is the one it was told', async () => {
    const topic = newTopic();
    const [one, other] = await open(2);
    const { id, seq } = await one.subscribe(topic);
    assert.match(id, /^[\w-]{12}$/);
    assert.equal(seq, 0);
    await other.subscribe(topic, { self: false });
    const before = Date.now();
    one.publish(topic, 'a', 1);
    const heard = await one.events(1);
    other.publish(topic, 'b', { deep: [1, 2] });
    heard.push(...(await one.events(1)));
    one.publish(topic, 'c');
    heard.push(...(await one.events(1)));
    assert.deepEqual(
      heard.map(({ event, self, from }) => [event, self ?? false, from === id]),
      [
        ['a', true, true],
        ['b', false, false],
        ['c', true, true],
      ],
    );
    assert.equal(heard[2].data, null);
    assert.ok(Math.abs(heard[0].time - before) < 60000);
    assert.deepEqual(
      (await other.events(2)).map(({ event }) => event),
      ['a', 'c'],
    );
    await endAll([one, other]);
  });

  test('data reaches the others as it was written, to the last digit', async () => {
    const topic = newTopic();
    const program = await Program.open();
    await program.subscribe(topic);
    const raw = '{"big":123456789012345678901234567890,"frac":1.500,"text":"\\u00e9 \\/ \\"q\\""}';
    program.write(
      `.publish { "event" : "x" , "data" : ${raw} , "topic":"${topic.replace('/', '\\/')}" }`,
    );
    await program.hears('topic');
    const shown = program.client.messages.at(-1);
    assert.match(shown, /"big": 123456789012345678901234567890/);
    await program.end();
  });
});

describe('to the page', () => {
  test('an event goes straight to the page, and the program hears nothing of it', async () => {
    const topic = newTopic();
    const [one, other] = await open(2);
    await one.subscribe(topic, { to: 'page', self: false });
    other.publish(topic, 'moved', { x: 1 });
    assert.equal(await one.client.next(/^moved/), 'moved {"x":1}');
    one.publish(topic, 'mine', 1);
    other.publish(topic, 'done', null);
    assert.equal(await one.client.next(/^(moved|mine|done)/), 'done null');
    assert.ok(!one.client.messages.some((message) => message.startsWith('heard ["topic"')));
    await endAll([one, other]);
  });

  test('a page that takes no more misses events, and its program is told how many', async () => {
    const topic = newTopic();
    const [slow, other] = [await Program.open({ acknowledge: false }), await Program.open()];
    await slow.subscribe(topic, { to: 'page' });
    await other.subscribe(topic);
    const sent = 40; // of 1 KiB: more than buffer-max
    other.client.send(`flood ${JSON.stringify({ topic, count: sent, size: 1000 })}`);
    await other.events(sent);
    slow.client.acknowledge = true;
    slow.client.send(`.ack ${slow.client.received}`);
    const { lost } = await slow.hears('topic');
    const got = slow.client.messages.filter((message) => message.startsWith('n [')).length;
    assert.ok(lost > 0 && got > 0);
    assert.equal(got + lost, sent);
    await endAll([slow, other]);
  });
});

describe('the past', () => {
  test('history gives the newest events first, marked, then what comes; the bound is topic-history', async () => {
    const topic = newTopic();
    const [one, late] = await open(2);
    await one.subscribe(topic);
    for (let i = 1; i <= 8; i++) one.publish(topic, 'n', i);
    await one.events(8);
    const { seq } = await late.subscribe(topic, { history: 100 });
    assert.equal(seq, 8);
    const past = await late.events(5);
    assert.deepEqual(
      past.map(({ data, past }) => [data, past]),
      [4, 5, 6, 7, 8].map((n) => [n, true]),
    );
    one.publish(topic, 'n', 9);
    const [next] = await late.events(1);
    assert.deepEqual([next.data, next.past, next.seq], [9, undefined, 9]);
    await late.subscribe(topic, { history: 2 });
    assert.deepEqual(
      (await late.events(2)).map(({ data }) => data),
      [8, 9],
    );
    await endAll([one, late]);
  });

  test('the kept event is the last value, once, before the history; `keep: false` forgets it', async () => {
    const topic = newTopic();
    const [one, late] = await open(2);
    await one.subscribe(topic);
    one.publish(topic, 'state', 'first', { keep: true });
    one.publish(topic, 'state', 'second', { keep: true });
    for (let i = 1; i <= 6; i++) one.publish(topic, 'n', i);
    await one.events(8);
    await late.subscribe(topic, { last: true });
    assert.deepEqual(
      (await late.events(1)).map(({ data, seq, past }) => [data, seq, past]),
      [['second', 2, true]],
    );
    await late.subscribe(topic, { last: true, history: 1 });
    assert.deepEqual(
      (await late.events(2)).map(({ data }) => data),
      ['second', 6],
    );
    one.publish(topic, 'state', 'third', { keep: true });
    await late.events(1);
    await late.subscribe(topic, { last: true, history: 1 });
    assert.deepEqual(
      (await late.events(1)).map(({ data }) => data),
      ['third'],
    );
    one.publish(topic, 'gone', 0, { keep: false });
    await late.events(1);
    await late.subscribe(topic, { last: true });
    one.publish(topic, 'now', 1);
    assert.deepEqual(
      (await late.events(1)).map(({ event }) => event),
      ['now'],
    );
    await endAll([one, late]);
  });

  test('a topic outlives its last subscriber by topic-linger; then its past is forgotten', async () => {
    const topic = newTopic();
    const one = await Program.open();
    await nobodyIsLeft();
    const forgotten = await count('topics_forgotten_total');
    await one.subscribe(topic);
    one.publish(topic, 'n', 1);
    await one.events(1);
    one.say('unsubscribe', { topic });
    assert.equal((await one.subscribe(topic, { history: 1 })).seq, 1);
    await one.events(1);
    one.say('unsubscribe', { topic });
    await until(async () => (await count('topics')) === 0);
    assert.equal(await count('topics_forgotten_total'), forgotten + 1);
    assert.equal((await one.subscribe(topic, { history: 1 })).seq, 0);
    await one.end();
    await nobodyIsLeft();
  });
});

describe('who is there', () => {
  test('is told at first, then who joins, what they change and who leaves', async () => {
    const topic = newTopic();
    const [ann, bob, watcher] = await open(3);
    const { id: a } = await ann.subscribe(topic, { presence: { name: 'Ann' } });
    assert.deepEqual(await ann.hears('presence'), { topic, here: [] });
    assert.deepEqual(await ann.hears('presence'), {
      topic,
      joined: [{ id: a, data: { name: 'Ann' } }],
    });
    await watcher.subscribe(topic, { watch: true });
    assert.deepEqual(await watcher.hears('presence'), {
      topic,
      here: [{ id: a, data: { name: 'Ann' } }],
    });
    const { id: b } = await bob.subscribe(topic, { presence: { name: 'Bob' } });
    for (const program of [ann, watcher])
      assert.deepEqual(await program.hears('presence'), {
        topic,
        joined: [{ id: b, data: { name: 'Bob' } }],
      });
    await bob.subscribe(topic, { presence: { name: 'Bob', away: true } });
    assert.deepEqual(await watcher.hears('presence'), {
      topic,
      joined: [{ id: b, data: { name: 'Bob', away: true } }],
    });
    bob.say('unsubscribe', { topic });
    assert.deepEqual(await watcher.hears('presence'), { topic, left: [b] });
    await ann.end();
    assert.deepEqual(await watcher.hears('presence'), { topic, left: [a] });
    assert.notEqual(a, ann.client.session);
    await endAll([bob, watcher]);
  });

  test('a page that drops and is back within the grace has not left; one that stays away has, and joins again', async () => {
    const topic = newTopic();
    const [ann, watcher] = await open(2);
    const { id } = await ann.subscribe(topic, { presence: { name: 'Ann' } });
    await watcher.subscribe(topic, { watch: true });
    const { here = [], joined = [] } = await watcher.hears('presence');
    if (!here.length && !joined.length) await watcher.hears('presence');
    await ann.client.cut();
    await ann.client.connect();
    await ann.client.cut();
    const lost = Date.now();
    assert.deepEqual(await watcher.hears('presence'), { topic, left: [id] });
    assert.ok(Date.now() - lost > 3500, 'not before the grace');
    await ann.client.connect();
    assert.deepEqual(await watcher.hears('presence'), {
      topic,
      joined: [{ id, data: { name: 'Ann' } }],
    });
    await endAll([ann, watcher]);
  });

  test('a page that has not connected yet is not there', async () => {
    const topic = newTopic();
    const watcher = await Program.open();
    await watcher.subscribe(topic, { watch: true });
    assert.deepEqual(await watcher.hears('presence'), { topic, here: [] });
    const present = await count('topic_present');
    const { client } = await openPage(`${server.url}/board?subscribe=${topic}`);
    await until(async () => (await count('topic_subscriptions')) >= 2);
    assert.equal(await count('topic_present'), present);
    await client.connect();
    assert.equal((await watcher.hears('presence')).joined.length, 1);
    client.send('.close');
    await client.closed;
    await watcher.end();
  });
});

describe('limits are told', () => {
  const problem = async (program, reason) => {
    const told = await program.hears('problem');
    assert.equal(told.reason, reason);
    assert.ok(told.message.length > 10);
    return told;
  };

  test('subscriptions of one program', async () => {
    const program = await Program.open();
    for (let i = 0; i < 4; i++) await program.subscribe(`limit/${i}`);
    program.say('subscribe', { topic: 'limit/one-more' });
    assert.deepEqual(
      await problem(program, 'too-many-subscriptions').then(({ command, topic }) => [
        command,
        topic,
      ]),
      ['subscribe', 'limit/one-more'],
    );
    program.say('unsubscribe', { topic: 'limit/0' });
    await program.subscribe('limit/one-more');
    program.say('unsubscribe', { topic: 'limit/0' });
    await problem(program, 'not-subscribed');
    await program.end();
    await nobodyIsLeft();
  });

  test('topics in all: one that nobody is subscribed to gives way, one with subscribers does not', async () => {
    const programs = await open(4);
    for (const [i, program] of programs.entries())
      for (let j = 0; j < 3; j++) await program.subscribe(`full/${i}/${j}`);
    programs[0].say('subscribe', { topic: 'full/more' });
    await problem(programs[0], 'too-many-topics');
    programs[1].publish('full/other', 'n', 1);
    assert.equal((await problem(programs[1], 'too-many-topics')).command, 'publish');
    programs[2].publish('full/2/0', 'n', 1); // a past, so that the topic stays
    await programs[2].events(1);
    programs[2].say('unsubscribe', { topic: 'full/2/0' });
    assert.equal(await count('topics'), 12);
    assert.ok((await count('topic_refused_total{reason="too-many-topics"}')) >= 2);
    await endAll(programs);
    await nobodyIsLeft();
  });

  test('an event and its data', async () => {
    const topic = newTopic();
    const program = await Program.open();
    await program.subscribe(topic);
    program.publish(topic, 'n', 'x'.repeat(1997));
    await program.events(1);
    program.publish(topic, 'n', 'x'.repeat(1998));
    assert.equal((await problem(program, 'too-long')).command, 'publish');
    await program.end();
  });

  test('who can be seen, and what they show', async () => {
    const topic = newTopic();
    const programs = await open(4);
    programs[0].say('subscribe', { topic, presence: { name: 'x'.repeat(100) } });
    await problem(programs[0], 'presence-too-long');
    for (const program of programs.slice(0, 3)) await program.subscribe(topic, { presence: {} });
    await programs[3].subscribe(topic, { presence: {} });
    await problem(programs[3], 'too-many-present');
    programs[3].publish(topic, 'here', 1);
    assert.equal((await programs[3].events(1))[0].self, true, 'it is subscribed all the same');
    await endAll(programs);
    await nobodyIsLeft();
  });
});

describe('a slow subscriber', () => {
  test('misses what does not fit into topic-backlog, is told how many in their place, and costs the others nothing', async () => {
    const topic = newTopic();
    const [slow, other] = await open(2);
    await slow.subscribe(topic);
    await other.subscribe(topic);
    slow.client.send('stop');
    await slow.client.next(/^stopping/);
    const sent = 1500; // of 1 KiB: more than the socket and the backlog hold
    for (let i = 0; i < sent; i += 30) {
      other.client.send(`flood ${JSON.stringify({ topic, count: 30, size: 1000 })}`);
      assert.deepEqual(
        (await other.events(30)).map(({ seq }) => seq),
        Array.from({ length: 30 }, (_, n) => i + n + 1),
      );
    }
    await server.logged(new RegExp(`topic\\.lost.*topic=${topic}`));
    process.kill(slow.pid, 'SIGCONT');
    let lost = 0;
    let at = 0;
    while (at < sent) {
      const told = await slow.hears('topic');
      if (told.lost) lost += told.lost;
      at = told.lost ? at + told.lost : at + 1;
      if (!told.lost) assert.equal(told.seq, at, 'the gap is where it was told');
    }
    assert.ok(lost > 0);
    assert.ok((await count('topic_lost_total')) >= lost);
    other.publish(topic, 'again', 1);
    assert.equal((await slow.events(1))[0].event, 'again');
    await endAll([slow, other]);
  });

  test('hears anew who is there, if it has missed a change', async () => {
    const topic = newTopic();
    const [slow, other] = await open(2);
    await slow.subscribe(topic, { watch: true });
    await slow.hears('presence');
    slow.client.send('stop');
    await slow.client.next(/^stopping/);
    other.client.send(`flood ${JSON.stringify({ topic, count: 1000, size: 1000 })}`);
    await other.client.next(/^flooded/);
    const { id } = await other.subscribe(topic, { presence: { name: 'Bob' } });
    await other.hears('presence');
    await other.hears('presence');
    process.kill(slow.pid, 'SIGCONT');
    const told = await slow.hears('presence');
    assert.deepEqual(told, { topic, here: [{ id, data: { name: 'Bob' } }] });
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
      const program = await Program.open();
      program.write(line);
      assert.deepEqual(await program.client.closed, {
        code: 4500,
        reason: 'program-failed reason=protocol',
      });
    });

  test('the longest name is taken', async () => {
    const program = await Program.open();
    assert.equal((await program.subscribe('a'.repeat(255))).topic.length, 255);
    await program.end();
    await nobodyIsLeft();
  });
});

describe('other programs', () => {
  test('a client without our subprotocol: its program shares topics too', async () => {
    const topic = newTopic();
    const program = await Program.open();
    await program.subscribe(topic);
    const ws = new WebSocket(`${server.url.replace('http', 'ws')}/board-plain?${topic}`);
    const messages = [];
    ws.on('message', (data) => messages.push(data.toString()));
    await once(ws, 'open');
    await until(async () => (await count('topic_subscriptions')) === 2);
    program.publish(topic, 'message', 'for a plain client');
    await until(() => messages.length === 1);
    assert.deepEqual(messages, ['for a plain client']);
    ws.send('from a plain client');
    assert.equal((await program.events(2))[1].data, 'from a plain client');
    ws.terminate();
    await until(async () => (await count('topic_subscriptions')) === 1);
    await program.end();
    await nobodyIsLeft();
  });

  test('the last word of a program that exits is published', async () => {
    const topic = newTopic();
    const [one, other] = await open(2);
    await other.subscribe(topic);
    one.client.send(`write ${JSON.stringify(`.publish {"topic":"${topic}","event":"bye"}\n`)}`);
    one.client.send('exit 0');
    assert.equal((await other.events(1))[0].event, 'bye');
    await other.end();
    await nobodyIsLeft();
  });
});
