// SPDX-License-Identifier: MIT
// program-streams.test.mjs - byte streams between a page and its program: lines on descriptor 3,
// bounded and resumed.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { makeRoot, resources, startServer } from '../lib/server.mjs';
import { Page, SessionClient } from '../lib/session-client.mjs';
import { Streams } from '../lib/streams.mjs';
import { after, afterEach, before, test } from '../lib/test.mjs';
import { until } from '../lib/until.mjs';

const WINDOW = 65536;
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
let server;
const ARGUMENTS = `--stream-window ${WINDOW} --answer-timeout 3s --eof-grace 300ms`;
before(async () => (server = await startServer({ args: ARGUMENTS.split(' ') })));
afterEach(() => SessionClient.dropAll());
after(() => server.stop());

async function connected(options) {
  const client = await Page.loads(server, 'streams');
  const streams = new Streams(client, options);
  await client.connect();
  return { client, streams };
}

test('a stream is announced with its name and data, accepted with data, and goes both ways to its good end', async () => {
  const { streams } = await connected();
  const data = { name: 'ü.jpg', size: 3, list: [1, null, 'x\n'] };
  const stream = streams.open({ kind: 'stream', name: 'echo', data });
  assert.deepEqual(await stream.opened, { data: { for: data } });
  const bytes = randomBytes(300000);
  const [, back] = await Promise.all([stream.writeAll(bytes), stream.readAll()]);
  assert.equal(sha256(back), sha256(bytes));
  assert.deepEqual(await stream.closed, {});
});

test('bytes survive cuts of the connection, exactly once', async () => {
  const { client, streams } = await connected();
  const stream = streams.open({ kind: 'stream', name: 'echo' });
  await stream.opened;
  const bytes = randomBytes(2 << 20);
  const done = Promise.all([stream.writeAll(bytes), stream.readAll()]);
  for (let i = 0; i < 10; i++) {
    await once(stream, 'data');
    await client.cuts();
    await client.connect();
  }
  const [, back] = await done;
  assert.equal(sha256(back), sha256(bytes));
});

test('a program that does not read makes the page wait: no more than the window is kept for it', async () => {
  const { streams } = await connected();
  const folder = makeRoot({});
  const gate = path.join(folder.root, 'gate');
  const stream = streams.open({ kind: 'stream', name: 'wait', data: { until: gate } });
  const bytes = randomBytes(8 << 20);
  await stream.opened;
  const written = stream.writeAll(bytes);
  const { out } = stream;
  await until(
    () => out.sent === out.limit,
    () => `${out.sent} of ${out.limit}`,
  );
  assert.ok(out.limit < bytes.length);
  fs.writeFileSync(gate, '');
  await written;
  assert.deepEqual(await stream.closed, {});
  folder.remove();
});

test('what the program writes beyond the window is held, and its next lines wait until the page takes it', async () => {
  const { client, streams } = await connected({ window: 1000 });
  const size = 300000;
  const stream = streams.open({ kind: 'stream', name: 'give', data: { size } });
  await stream.opened;
  await until(() => stream.in.held >= 1000);
  assert.equal(client.messages.length, 0, 'gave');
  const back = await stream.readAll(500);
  assert.equal(back.length, size);
  assert.equal(new Set(back).size, 1);
  await client.hears(/^gave$/);
});

test('several streams and events at a time, each for itself', async () => {
  const { client, streams } = await connected();
  const each = Array.from({ length: 8 }, (_, i) => ({
    stream: streams.open({ kind: 'stream', name: i % 2 ? 'echo' : 'hash' }),
    bytes: randomBytes(100000 + i),
  }));
  const talks = async ({ stream, bytes }) => {
    const [, back] = await Promise.all([stream.writeAll(bytes), stream.readAll()]);
    return back.length === 0 || sha256(back) === sha256(bytes);
  };
  const done = Promise.all(each.map(talks));
  client.says('ping');
  await client.hears(/^pong$/);
  assert.deepEqual(await done, Array(8).fill(true));
  while (client.heard('hashed').length < 4) await once(client, 'message');
  const hashed = client.heard('hashed').map((message) => JSON.parse(message.slice(7)).sha256);
  const sent = each.filter((_, i) => i % 2 === 0).map(({ bytes }) => sha256(bytes));
  assert.deepEqual(new Set(hashed), new Set(sent));
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
  client.says('ping');
  await client.hears(/^pong$/);
});

test('the page breaks one off: the program is told the reason', async () => {
  const { client, streams } = await connected();
  const stream = streams.open({ kind: 'stream', name: 'echo' });
  await stream.opened;
  stream.reset('cancelled');
  assert.deepEqual(await client.hearsOf('was_reset'), { id: 1, reason: 'cancelled' });
});

test('it is over with the session', async () => {
  const { client, streams } = await connected();
  const stream = streams.open({ kind: 'stream', name: 'echo' });
  await stream.opened;
  client.says(`say ${JSON.stringify('.close {"reason":"game-over"}\n')}`);
  await client.isClosed(1000, 'game-over');
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
    client.says(`say ${JSON.stringify(text)}`);
    await client.isClosed(4500, 'program-failed reason=protocol');
  });

test('what a program says of a stream that has just gone is passed over', async () => {
  const { client, streams } = await connected();
  const stream = streams.open({ kind: 'stream', name: 'echo' });
  await stream.opened;
  stream.reset();
  await client.hears(/^was_reset /);
  client.says(`say ${JSON.stringify('.stream/1 @1\nx\n.end {"id":1}\n.reset {"id":1}\n')}`);
  client.says('ping');
  await client.hears(/^pong$/);
});

test('nothing is left of all this', async () => {
  SessionClient.dropAll();
  await server.stop();
  assert.match(server.log.join('\n'), /program\.protocol_error/);
  assert.doesNotMatch(server.log.join('\n'), /Sanitizer/);
  assert.equal(resources(process.pid).children.filter((pid) => pid === server.child.pid).length, 0);
});
