// SPDX-License-Identifier: MIT
/** Byte streams to the program, and uploads of files, with a fake server. */
import '../src/part-streams.mjs';
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { File } from 'node:buffer';
import { ServerConnection } from '../src/connection.mjs';
import { Uploads } from '../src/streams/uploads.mjs';
import { FakeStreams } from './fake-streams.mjs';
import { openConnection } from './fakes.mjs';

const turn = () => new Promise((resolve) => setImmediate(resolve));

/**
 * A session whose server has streams, and accepts them with `answer` unless that is undefined.
 * `settle()` carries frames until nothing moves.
 */
function makeWorld(answer = () => null) {
  const streams = new FakeStreams();
  streams.onopen = (stream) => {
    const data = answer(stream.request);
    if (data !== undefined) stream.accept({ data });
  };
  const { c, clock, last } = openConnection(ServerConnection, {}, streams.welcome);
  const socket = last();
  streams.attach((bytes) => socket.receive(Uint8Array.from(bytes)));
  const carry = () => {
    const messages = socket.take().filter((message) => typeof message !== 'string');
    for (const message of messages) streams.receive(message);
    return messages.length > 0;
  };
  const settle = async () => {
    for (let quiet = 0; quiet < 5; quiet++) {
      await turn();
      if (carry()) quiet = 0;
      clock.advance(4);
    }
  };
  return { c, streams, settle, stream: (i = 0) => streams.all[i] };
}

const failure = (promise) =>
  promise.then(
    () => assert.fail('fulfilled'),
    (error) => error,
  );

test('a stream is requested by name with data, and opened with data of the program', async () => {
  const { c, settle, stream } = makeWorld(() => ({ room: 7 }));
  const s = c.openStream('log', { data: { from: [1] } });
  await settle();
  assert.deepEqual(stream().request, { kind: 'stream', name: 'log', data: { from: [1] } });
  assert.deepEqual(await s.opened, { room: 7 });
  const writer = s.writable.getWriter();
  writer.write(new Uint8Array([1, 2, 3]));
  writer.close();
  stream().write(Buffer.from('back'));
  stream().end();
  const [back] = await Promise.all([new Response(s.readable).text(), settle()]);
  assert.equal(back, 'back');
  assert.deepEqual([...stream().got], [1, 2, 3]);
  await s.closed;
});

test('what has no sense throws at once, and nothing is opened', async () => {
  const { c, settle, streams } = makeWorld();
  assert.throws(() => c.openStream('no name'), { code: 'bad-name' });
  assert.throws(() => c.openStream('x', { data: 1n }), { code: 'unsendable' });
  c.close();
  assert.throws(() => c.openStream('x'), { code: 'closed' });
  assert.equal((await failure(c.upload('x', new Blob([])))).code, 'closed');
  await settle();
  assert.equal(streams.all.length, 0);
});

test('a file arrives whole, with its description and progress that never falls', async () => {
  const { c, settle, stream } = makeWorld(() => 'thanks');
  const bytes = Buffer.alloc(700_000, 'abc');
  const steps = [];
  const sent = c.upload(
    'picture',
    new File([bytes], 'a.jpg', { type: 'image/jpeg', lastModified: 5 }),
    { progress: (...step) => steps.push(step) },
  );
  await settle();
  stream().end();
  await settle();
  assert.equal(await sent, 'thanks');
  assert.deepEqual(stream().request.data, {
    name: 'a.jpg',
    size: 700_000,
    type: 'image/jpeg',
    lastModified: 5,
  });
  assert.ok(stream().got.equals(bytes));
  assert.deepEqual(steps.at(-1), [700_000, 700_000]);
  assert.ok(steps.every(([now], i) => now >= (steps[i - 1]?.[0] ?? 0)));
});

test('a refusal, a signal, and a file that can not be read each have their error', async () => {
  const { c, settle, stream } = makeWorld(({ name }) => (name === 'no' ? undefined : null));
  const refused = failure(c.upload('no', new Blob(['x'])));
  await settle();
  stream().reset({ reason: 'no-room', message: 'full' });
  await settle();
  const { code, data, message } = await refused;
  assert.deepEqual([code, data.reason, message], ['stream-failed', 'no-room', 'no: full']);

  const giveUp = new AbortController();
  const aborted = failure(c.upload('x', new Blob(['x']), { signal: giveUp.signal }));
  giveUp.abort('enough');
  await settle();
  assert.deepEqual([(await aborted).code, (await aborted).cause], ['aborted', 'enough']);

  const broken = new Blob(['x']);
  broken.stream = () =>
    new ReadableStream({
      start: (controller) => controller.error(new Error('gone from the disk')),
    });
  const unread = failure(c.upload('x', broken));
  await settle();
  assert.match((await unread).message, /gone from the disk/);
  assert.deepEqual(
    [(await unread).code, (await unread).data.reason],
    ['stream-failed', 'file-unreadable'],
  );
});

test('a file that was cut, has grown, or was written to while it was read fails at both ends', async () => {
  const pieces = (...all) =>
    new ReadableStream({
      start: (controller) => {
        for (const size of all) controller.enqueue(new Uint8Array(size));
        controller.close();
      },
    });
  const written = () =>
    Promise.reject(Object.assign(new Error('the time differs'), { name: 'NotReadableError' }));
  const cases = [
    [pieces(500, 200), /only 700 of 1000 bytes/],
    [pieces(), /only 0 of 1000 bytes/],
    [pieces(900, 200), /more than its 1000 bytes/],
    [pieces(1000), /written to meanwhile/, { arrayBuffer: written }],
  ];
  for (const [read, message, tail] of cases) {
    const { c, settle, stream } = makeWorld();
    const file = new File([new Uint8Array(1000)], 'a.bin');
    file.stream = () => read;
    if (tail) file.slice = () => tail;
    const steps = [];
    const failed = failure(c.upload('x', file, { progress: (sent) => steps.push(sent) }));
    await settle();
    const { code, data } = await failed;
    assert.deepEqual([code, data.reason], ['stream-failed', 'file-changed']);
    assert.match(data.message, message);
    assert.deepEqual([stream().gotEnd, stream().resetBy], [false, data]);
    assert.ok(!steps.includes(1000) || tail, `${steps}`);
  }
});

test('a file that was deleted after it was read to its end has come whole', async () => {
  const { c, settle, stream } = makeWorld();
  const file = new File(['abc'], 'a.txt');
  const gone = Object.assign(new Error('not found'), { name: 'NotFoundError' });
  file.slice = () => ({ arrayBuffer: () => Promise.reject(gone) });
  const sent = c.upload('x', file);
  await settle();
  stream().end();
  await settle();
  await sent;
  assert.equal(String(stream().got), 'abc');
});

test('files of a listener go one after the other, whatever becomes of each, and none after the end', async () => {
  const running = [];
  const settled = [];
  const failed = [];
  const uploads = new Uploads((name, file, data) => {
    running.push([name, data.name, data.upload]);
    return new Promise((resolve, reject) => settled.push({ resolve, reject }));
  });
  const numbers = ['a', 'b', 'c', 'd'].map((name) =>
    uploads.add('as', new File(['x'], name), (error) => failed.push(error.message)),
  );
  assert.deepEqual(numbers, [1, 2, 3, 4]);
  await turn();
  assert.deepEqual(running, [['as', 'a', 1]]);
  settled[0].resolve();
  await turn();
  settled[1].reject(new Error('no'));
  await turn();
  assert.deepEqual([running.length, failed], [3, ['no']]);
  uploads.close();
  settled[2].resolve();
  await turn();
  assert.equal(running.length, 3);
});
