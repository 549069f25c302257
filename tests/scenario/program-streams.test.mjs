// SPDX-License-Identifier: MIT
// program-streams.test.mjs - byte streams between a page and its program: lines on descriptor 3, bounded and resumed.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, afterEach, before, test as testOf } from 'node:test';
import { resources, REPO, startServer } from '../lib/server.mjs';
import { openPage, SessionClient } from '../lib/session-client.mjs';
import { Streams } from '../lib/streams.mjs';
import { until } from '../lib/until.mjs';

const PROGRAMS = path.join(REPO, 'tests/scenario/programs');
const WINDOW = 65536;
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const test = (name, run) => testOf(name, { timeout: 60000 }, run);

let server;
before(
  async () =>
    (server = await startServer({
      root: PROGRAMS,
      args: ['--stream-window', String(WINDOW), '--answer-timeout', '3s', '--eof-grace', '300ms'],
    })),
);
afterEach(() => SessionClient.dropAll());
after(() => server.stop());

async function connected(options) {
  const { client } = await openPage(`${server.url}/streams`);
  const streams = new Streams(client, options);
  await client.connect();
  return { client, streams };
}

/** Everything that comes on a stream. */
async function all(stream, atATime = WINDOW) {
  const parts = [];
  for (let part; (part = await stream.read(atATime)).length;) parts.push(part);
  return Buffer.concat(parts);
}

async function write(stream, bytes) {
  for (let at = 0; at < bytes.length; at += 40000)
    await stream.write(bytes.subarray(at, at + 40000));
  stream.finish();
}

test('a stream is announced with its name and data, accepted with data, and goes both ways to its good end', async () => {
  const { streams } = await connected();
  const data = { name: 'ü.jpg', size: 3, list: [1, null, 'x\n'] };
  const stream = streams.open({ kind: 'stream', name: 'echo', data });
  assert.deepEqual(await stream.opened, { data: { for: data } });
  const bytes = randomBytes(300000);
  const [, back] = await Promise.all([write(stream, bytes), all(stream)]);
  assert.equal(sha256(back), sha256(bytes));
  assert.deepEqual(await stream.closed, {});
});

test('bytes survive cuts of the connection, exactly once', async () => {
  const { client, streams } = await connected();
  const stream = streams.open({ kind: 'stream', name: 'echo' });
  await stream.opened;
  const bytes = randomBytes(2 << 20);
  const done = Promise.all([write(stream, bytes), all(stream)]);
  for (let i = 0; i < 10; i++) {
    await once(stream, 'data');
    await client.cut();
    await client.connect();
  }
  const [, back] = await done;
  assert.equal(sha256(back), sha256(bytes));
});

test('a program that does not read makes the page wait: no more than the window is kept for it', async () => {
  const { streams } = await connected();
  const gate = path.join(os.tmpdir(), `httpsocket-gate-${process.pid}`);
  const stream = streams.open({ kind: 'stream', name: 'wait', data: { until: gate } });
  const bytes = randomBytes(8 << 20);
  await stream.opened;
  const written = write(stream, bytes);
  await until(
    () => stream.out.sent === stream.out.limit,
    () => `${stream.out.sent} of ${stream.out.limit}`,
  );
  assert.ok(stream.out.limit < bytes.length);
  fs.writeFileSync(gate, '');
  try {
    await written;
    assert.deepEqual(await stream.closed, {});
  } finally {
    fs.unlinkSync(gate);
  }
});

test('what the program writes beyond the window is held, and its next lines wait until the page takes it', async () => {
  const { client, streams } = await connected({ window: 1000 });
  const size = 300000;
  const stream = streams.open({ kind: 'stream', name: 'give', data: { size } });
  await stream.opened;
  await until(() => stream.in.held >= 1000);
  assert.equal(client.messages.length, 0, 'gave');
  const back = await all(stream, 500);
  assert.equal(back.length, size);
  assert.equal(new Set(back).size, 1);
  await client.next(/^gave$/);
});

test('several streams and events at a time, each for itself', async () => {
  const { client, streams } = await connected();
  const each = Array.from({ length: 8 }, (_, i) => ({
    stream: streams.open({ kind: 'stream', name: i % 2 ? 'echo' : 'hash' }),
    bytes: randomBytes(100000 + i),
  }));
  const done = Promise.all(
    each.map(async ({ stream, bytes }) => {
      const [, back] = await Promise.all([write(stream, bytes), all(stream)]);
      return back.length === 0 || sha256(back) === sha256(bytes);
    }),
  );
  client.send('ping');
  await client.next(/^pong$/);
  assert.deepEqual(
    await done,
    each.map(() => true),
  );
  const hashed = client.messages
    .filter((m) => m.startsWith?.('hashed'))
    .map((m) => JSON.parse(m.slice(7)).sha256);
  while (hashed.length < 4)
    hashed.push(JSON.parse((await client.next(/^hashed /)).slice(7)).sha256);
  assert.deepEqual(
    new Set(hashed),
    new Set(each.filter((_, i) => i % 2 === 0).map(({ bytes }) => sha256(bytes))),
  );
});

test('a program may refuse one, with a reason of its own', async () => {
  const { streams } = await connected();
  assert.deepEqual(await streams.open({ kind: 'stream', name: 'refuse' }).closed, {
    reason: 'no-room',
    message: 'not today',
  });
});

test('a program that does not accept one is not waited for, and gets no bytes', async () => {
  const { client, streams } = await connected();
  const stream = streams.open({ kind: 'stream', name: 'silent' });
  assert.deepEqual(await stream.closed, { reason: 'program-timeout' });
  client.send('ping');
  await client.next(/^pong$/);
});

test('the page breaks one off: the program is told the reason', async () => {
  const { client, streams } = await connected();
  const stream = streams.open({ kind: 'stream', name: 'echo' });
  await stream.opened;
  stream.reset('cancelled');
  assert.deepEqual(JSON.parse((await client.next(/^was_reset /)).slice(10)), {
    id: 1,
    reason: 'cancelled',
  });
});

test('it is over with the session', async () => {
  const { client, streams } = await connected();
  const stream = streams.open({ kind: 'stream', name: 'echo' });
  await stream.opened;
  client.send(`say ${JSON.stringify('.close {"reason":"game-over"}\n')}`);
  assert.deepEqual(await client.closed, { code: 1000, reason: 'game-over' });
});

const malformed = {
  'no name': { kind: 'stream' },
  'a name with a space': { kind: 'stream', name: 'a b' },
  'a name that is a number': { kind: 'stream', name: 7 },
  'an empty name': { kind: 'stream', name: '' },
};
for (const [name, wish] of Object.entries(malformed))
  test(`a wish with ${name} is refused`, async () => {
    const { streams } = await connected();
    assert.deepEqual(await streams.open(wish).closed, { reason: 'stream-malformed' });
  });

test('a kind that nobody knows is refused', async () => {
  const { streams } = await connected();
  assert.deepEqual(await streams.open({ kind: 'udp' }).closed, { reason: 'stream-unsupported' });
});

const wrong = {
  'accepts what was not wished for': '.accept {"id":9}\n',
  'accepts twice': '.accept {"id":1}\n',
  'accepts with a reason': '.accept {"id":1,"reason":"x"}\n',
  'accepts nothing in particular': '.accept {}\n',
  'accepts a text': '.accept "1"\n',
  'writes to what is not there': '.stream/9 @1\nx\n',
  'writes JSON to a stream': '.stream/1 "x"\n',
  'writes to no number': '.stream/x @1\nx\n',
  'writes after its end': '.end {"id":1}\n.stream/1 @1\nx\n',
  'ends what is not there': '.end {"id":2}\n',
  'ends twice': '.end {"id":1}\n.end {"id":1}\n',
  'resets number 0': '.reset {"id":0}\n',
  'resets with more than it may': '.reset {"id":1,"code":7}\n',
};
for (const [name, text] of Object.entries(wrong))
  test(`a program that ${name} breaks the rules: its session fails, and says so`, async () => {
    const { client, streams } = await connected();
    await streams.open({ kind: 'stream', name: 'echo' }).opened;
    client.send(`say ${JSON.stringify(text)}`);
    assert.deepEqual(await client.closed, { code: 4500, reason: 'program-failed reason=protocol' });
  });

test('what a program says of a stream that has just gone is passed over', async () => {
  const { client, streams } = await connected();
  const stream = streams.open({ kind: 'stream', name: 'echo' });
  await stream.opened;
  stream.reset();
  await client.next(/^was_reset /);
  client.send(`say ${JSON.stringify('.stream/1 @1\nx\n.end {"id":1}\n.reset {"id":1}\n')}`);
  client.send('ping');
  await client.next(/^pong$/);
});

test('nothing is left of all this', async () => {
  SessionClient.dropAll();
  await server.stop();
  assert.match(server.log.join('\n'), /program\.protocol_error/);
  assert.doesNotMatch(server.log.join('\n'), /Sanitizer/);
  assert.equal(resources(process.pid).children.filter((pid) => pid === server.pid).length, 0);
});
