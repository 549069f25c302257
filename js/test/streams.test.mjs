// SPDX-License-Identifier: MIT
/**
 * Byte streams over a connection that is cut at random: every byte arrives once and in order, ends
 * and resets are told, credit is kept, and turns are fair. SEED=… repeats a run.
 */
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Channels } from '../src/streams/channels.mjs';
import { FakeClock } from './fakes.mjs';
import { generator } from './fake-server.mjs';
import { FakeStreams, frameOf } from './fake-streams.mjs';

/**
 * A client and a server with a connection between them, which carries messages when the test asks
 * for it.
 */
class World {
  clock = new FakeClock();
  channels = new Channels(this.clock);
  wire = null;
  down = [];
  /** What waits in the client's socket. */
  up = [];

  constructor(options) {
    this.server = new FakeStreams(options);
  }

  connect(welcome = this.server.welcome) {
    const world = this;
    this.up = [];
    this.down = [];
    this.wire = {
      send: (bytes) => world.up.push(Buffer.from(bytes)),
      get buffered() {
        return world.up.reduce((sum, bytes) => sum + bytes.length, 0);
      },
    };
    this.server.attach((bytes) => world.down.push(bytes));
    this.channels.attach(this.wire, welcome);
  }

  cut() {
    this.wire = null;
    this.server.detach();
    this.channels.detach();
  }

  /** Carries at most that many messages in each direction. */
  carry(up = Infinity, down = Infinity) {
    for (; this.wire && up > 0 && this.up.length; up--) this.server.receive(this.up.shift());
    for (; this.wire && down > 0 && this.down.length; down--)
      this.channels.receive(Uint8Array.from(this.down.shift()));
  }

  /** Carries messages until nothing moves any more. */
  settle() {
    do {
      this.carry();
      this.clock.advance(10);
    } while (this.up.length || this.down.length);
  }

  /** A stream, and what its owner was told. */
  open({ window = 5000, request = { kind: 'tcp', host: 'b.example', port: 7 } } = {}) {
    const told = { opened: null, delivered: false, over: undefined, got: [], bytes: 0 };
    const channel = this.channels.open(request, window, {
      opened: (data) => (told.opened = data),
      arrived: () => told.onarrived?.(),
      delivered: () => (told.delivered = true),
      over: (failure) => (told.over = failure),
    });
    const read = (most) => {
      const bytes = channel.take(most);
      if (bytes) told.got.push(Buffer.from(bytes));
      told.bytes += bytes?.length ?? 0;
      return bytes?.length ?? 0;
    };
    return {
      channel,
      told,
      read,
      all: () => Buffer.concat(told.got),
      readAll: () => {
        while (read(Infinity));
      },
    };
  }
}

const randomBytes = (random, length) => Buffer.from(Array.from({ length }, () => random() * 256));
const nothing = () => {};
const CUTS = 300;

/** One stream of the random run. Both sides write, read and end at random. */
function actor(world, random) {
  const stream = world.open({ window: 500 + Math.floor(random() * 6000) });
  const up = randomBytes(random, random() * 200_000);
  const down = randomBytes(random, random() * 200_000);
  const index = world.opened++;
  const at = { up: 0, down: 0 };
  let ending = false;
  let serverEnding = false;
  const page = () => {
    const n = Math.floor(random() * 3000);
    if (at.up < up.length) {
      const piece = up.subarray(at.up, (at.up += n));
      if (piece.length) stream.channel.write(piece, nothing);
    } else if (!ending) {
      ending = true;
      stream.channel.end();
    }
    if (random() < 0.7) stream.read(1 + Math.floor(random() * 4000));
  };
  const target = () => {
    const there = world.server.all.find(({ request }) => request.port === index + 1);
    if (!there) return;
    if (there.taken !== Infinity && random() < 0.5)
      there.take(Math.min(there.taken, there.got.length) + Math.floor(random() * 4000));
    if (at.down < down.length)
      there.write(down.subarray(at.down, (at.down += Math.floor(random() * 3000))));
    else if (!serverEnding) {
      serverEnding = true;
      there.end();
    }
  };
  const there = () => world.server.all.find(({ request }) => request.port === index + 1);
  return { ...stream, up, down, step: () => (random() < 0.5 ? page() : target()), there };
}

for (const round of [1, 2, 3, 4]) {
  const seed = Number(process.env.SEED ?? (Date.now() * round) % 1e9);
  test(`streams over hundreds of cuts lose, double and disorder no byte (round ${round})`, () => {
    console.log(`# SEED=${seed}`);
    const random = generator(seed);
    const world = new World({
      window: 4000,
      streams: 6,
      piece: () => 1 + Math.floor(random() * 1500),
    });
    world.opened = 0;
    world.server.onopen = (stream) => {
      stream.taken = random() < 0.5 ? 0 : Infinity;
      if (random() < 0.5) stream.accept();
      else late.push(stream); // answered when it likes
    };
    const late = [];
    const actors = Array.from({ length: 6 }, (_, i) => {
      const open = world.open.bind(world);
      world.open = (options) =>
        open({ ...options, request: { kind: 'tcp', host: 'b.example', port: i + 1 } });
      const made = actor(world, random);
      world.open = open;
      return made;
    });
    let cuts = 0;
    const done = () =>
      actors.every(({ told, down }) => told.over === null && told.bytes === down.length);
    for (let steps = 0; !done(); steps++) {
      assert.ok(steps < 2_000_000, 'it goes on for ever');
      actors[Math.floor(random() * actors.length)].step();
      if (late.length && random() < 0.01) late.shift().accept();
      if (!world.wire) world.connect();
      else if (random() < 0.05 && cuts < CUTS) {
        world.carry(random() * 5, random() * 5);
        world.cut();
        cuts++;
      }
      world.carry(random() * 4, random() * 4);
      if (random() < 0.2) world.clock.advance(5);
      for (const { told } of actors) assert.ok(!told.over, JSON.stringify(told.over));
    }
    for (const { all, down, up, there, told } of actors) {
      assert.ok(all().equals(down), 'the page has what the target sent');
      assert.ok(there().got.equals(up), 'the target has what the page sent');
      assert.ok(there().gotEnd && told.delivered && told.opened);
    }
    world.settle();
    if (!world.wire) world.connect();
    world.settle();
    assert.equal(world.server.live, 0, 'nothing stays behind at the server');
    assert.ok(cuts > CUTS / 3, `${cuts} cuts`);
    console.log(`# ${cuts} cuts`);
  });
}

test('nothing is sent before a connection; then OPEN with credit, and bytes once the other side has granted', () => {
  const world = new World();
  const { channel, told } = world.open({ window: 1234 });
  channel.write(Buffer.from('hello'), nothing);
  world.server.onopen = nothing;
  world.connect();
  const open = frameOf.open(1, { kind: 'tcp', host: 'b.example', port: 7 });
  assert.deepEqual(world.up, [open, frameOf.state(1, 0, 1234)]);
  world.carry();
  assert.equal(told.opened, null);
  world.server.all[0].accept({ remoteAddress: '192.0.2.9' });
  world.settle();
  assert.deepEqual(told.opened, { remoteAddress: '192.0.2.9' });
  assert.equal(String(world.server.all[0].got), 'hello');
});

test('credit is what the reader takes: a reader that stalls stops the sender, and only him', () => {
  const world = new World();
  const stalled = world.open({ window: 3000 });
  const busy = world.open({ window: 3000 });
  world.connect();
  world.settle();
  const [one, two] = world.server.all;
  one.write(Buffer.alloc(100_000, 1));
  two.write(Buffer.alloc(100_000, 2));
  for (let i = 0; i < 100; i++) {
    world.settle();
    busy.readAll();
  }
  assert.equal(busy.all().length, 100_000);
  assert.equal(one.delivered, 3000, 'exactly what was granted');
  stalled.read(1000);
  world.settle();
  assert.equal(one.delivered, 4000, 'as much more as was taken');
});

test('what has come is told at 64 KiB at the latest, so that who keeps little need not wait', () => {
  const world = new World();
  world.open({ window: 1_000_000 });
  world.connect();
  world.settle();
  const [stream] = world.server.all;
  stream.write(Buffer.alloc(65_536));
  world.carry();
  world.carry();
  assert.equal(stream.delivered, 65_536);
});

test('a reader that waits is given credit at once, however little it took', () => {
  const world = new World({ piece: () => 5 });
  const { read, all } = world.open({ window: 20 });
  world.connect();
  world.settle();
  world.server.all[0].write(Buffer.alloc(21));
  world.settle();
  assert.equal(world.server.all[0].delivered, 20);
  for (let i = 0; i < 4; i++) read(1);
  world.settle();
  assert.equal(
    world.server.all[0].delivered,
    20,
    'less than a quarter, and it has not asked for more',
  );
  assert.equal(read(16), 1, 'the rest of a piece');
  while (read(5));
  world.settle();
  read(5);
  assert.equal(all().length, 21);
});

test('streams take turns: a small one waits for no large one', () => {
  const world = new World({ window: 10_000_000 });
  const large = Array.from({ length: 4 }, () => world.open());
  world.connect();
  world.settle();
  for (const { channel } of large) channel.write(Buffer.alloc(2_000_000), nothing);
  const small = world.open();
  world.carry(2, 2);
  small.channel.write(Buffer.alloc(10), nothing);
  let frames = 0;
  while (!world.server.all[4]?.got.length) {
    world.carry(1, Infinity);
    world.clock.advance(5);
    frames++;
  }
  assert.ok(frames < 40, `${frames} frames before it`);
  const got = world.server.all.slice(0, 4).map((stream) => stream.got.length);
  const [least, most] = [Math.min(...got), Math.max(...got)];
  assert.ok(most - least <= 131_072, `${least} to ${most} bytes`);
});

test('the socket is kept shallow, and gets more once it is found empty', () => {
  const world = new World({ window: 10_000_000 });
  const { channel } = world.open();
  world.connect();
  world.settle();
  channel.write(Buffer.alloc(9_000_000), nothing);
  assert.ok(world.wire.buffered <= 200_000, `${world.wire.buffered} bytes at first`);
  let most = 0;
  for (let i = 0; i < 8; i++) {
    world.carry();
    world.clock.advance(5);
    most = Math.max(most, world.wire.buffered);
  }
  assert.ok(most >= 250_000, 'a fast network is used');
  for (let i = 0; i < 400; i++) {
    world.carry(1, Infinity); // 64 KiB in 60 ms: about 1 MB a second
    world.clock.advance(60);
  }
  assert.ok(world.wire.buffered <= 200_000, `${world.wire.buffered} bytes on a slow one`);
  assert.equal(world.clock.pending, world.wire.buffered ? 1 : 0);
});

test('half-close, either way: the other direction goes on', () => {
  const world = new World();
  const { channel, told, readAll, all } = world.open();
  world.connect();
  world.settle();
  const [there] = world.server.all;
  channel.write(Buffer.from('question'), nothing);
  channel.end();
  world.settle();
  assert.ok(there.gotEnd && told.delivered);
  assert.equal(told.over, undefined);
  there.write('answer');
  world.settle();
  there.end();
  world.settle();
  assert.equal(told.over, null);
  readAll();
  assert.equal(String(all()), 'answer', 'what came before the end can still be read');
  assert.ok(channel.drained);
});

test('a reset of the server fails the stream with its reason, and is answered', () => {
  const world = new World();
  const { told, channel } = world.open();
  world.connect();
  world.settle();
  channel.write(Buffer.from('lost'), nothing);
  world.server.all[0].reset({
    reason: 'connection-reset',
    message: 'by the target',
    retryAfter: 5,
  });
  world.settle();
  assert.deepEqual(told.over, {
    reason: 'connection-reset',
    message: 'by the target',
    retryAfter: 5,
  });
  assert.equal(world.server.live, 0);
});

test('our reset is repeated until it is answered, and what was on its way is passed over', () => {
  const world = new World();
  const { told, channel } = world.open();
  world.connect();
  world.settle();
  world.server.all[0].write('on its way');
  channel.reset({ reason: 'aborted' });
  world.cut();
  world.connect();
  world.settle();
  assert.deepEqual(world.server.all[0].resetBy, { reason: 'aborted' });
  assert.equal(told.over, undefined, 'who resets is not told');
  assert.equal(world.server.live, 0);
  world.cut();
  world.connect();
  assert.deepEqual(world.up, [], 'and then forgotten');
});

test('what was given up before any connection is never asked for', () => {
  const world = new World();
  const { channel } = world.open();
  channel.reset({ reason: 'aborted' });
  world.connect();
  assert.deepEqual(world.up, []);
});

test('the server forgets a stream that was complete: a good end; and one that was not: stream-gone', () => {
  const world = new World();
  const good = world.open();
  const bad = world.open();
  world.connect();
  world.settle();
  const [there] = world.server.all;
  good.channel.end();
  world.settle();
  there.end();
  world.carry(0, Infinity); // its end has come
  assert.equal(good.told.over, null);
  world.channels.receive(Uint8Array.from(frameOf.gone(2)));
  assert.deepEqual(bad.told.over, { reason: 'stream-gone' });
});

test('an end whose receipt was lost is settled by GONE', () => {
  const world = new World();
  const { told, channel } = world.open();
  world.connect();
  world.settle();
  channel.end();
  world.server.all[0].end();
  world.carry(Infinity, 0); // the server has our END, we have not heard of it
  world.cut();
  world.server.all[0].over || world.server.forget(world.server.all[0]);
  world.connect();
  world.settle();
  assert.deepEqual(told.over, { reason: 'stream-gone' }, 'their END had not come');
});

test('more streams than the server takes are refused at once, and there is room again when one is over', async () => {
  const world = new World({ streams: 2 });
  const early = [world.open(), world.open(), world.open()];
  world.connect();
  assert.deepEqual(
    early.map(({ told }) => told.over?.reason),
    [undefined, undefined, 'streams-full'],
  );
  const late = world.open();
  assert.equal(late.told.over, undefined, 'not before open() has returned');
  await null;
  assert.equal(late.told.over.reason, 'streams-full');
  early[0].channel.reset({ reason: 'aborted' });
  world.settle();
  const again = world.open();
  world.settle();
  assert.ok(again.told.opened);
});

test('a server without streams says so', () => {
  const world = new World();
  const { told } = world.open();
  world.connect({});
  assert.equal(told.over.reason, 'streams-unsupported');
});

test('the end of the session is the end of all its streams, and of those that come', async () => {
  const world = new World();
  const { told } = world.open();
  world.connect();
  world.settle();
  world.channels.end({ reason: 'program-exit' });
  assert.deepEqual(told.over, { reason: 'program-exit' });
  const late = world.open();
  await null;
  assert.deepEqual(late.told.over, { reason: 'program-exit' });
  assert.equal(world.clock.pending, 0);
});

test('what breaks the rules is refused', () => {
  const breaches = [
    [frameOf.data(1, 'x'.repeat(5001)), /beyond the limit/],
    [frameOf.state(1, 1, 100), /not sent/],
    [frameOf.state(1, 0, 1), /credit back/],
    [frameOf.data(2, 'x'), /never opened/],
    [frameOf.open(1, {}), /from the server/],
    [frameOf.open(9, {}), /never opened/],
  ];
  for (const [bytes, why] of breaches) {
    const world = new World();
    world.open();
    world.connect();
    world.settle();
    assert.throws(() => world.channels.receive(Uint8Array.from(bytes)), why);
  }
  const world = new World();
  world.open();
  world.server.onopen = nothing;
  world.connect();
  world.settle();
  assert.throws(
    () => world.channels.receive(Uint8Array.from(frameOf.data(1, 'x'))),
    /before OPENED/,
  );
});

test('bytes and a second END behind an END are refused', () => {
  for (const bytes of [frameOf.data(1, 'x'), frameOf.end(1)]) {
    const world = new World();
    world.open();
    world.connect();
    world.settle();
    world.channels.receive(Uint8Array.from(frameOf.end(1)));
    assert.throws(() => world.channels.receive(Uint8Array.from(bytes)), /behind END/);
  }
});

test('who is told that there is room may write at once, and keeps the order', () => {
  const world = new World({ window: 1_000_000 });
  const { channel } = world.open();
  world.connect();
  world.settle();
  let n = 0;
  const next = () => n < 200 && channel.write(Buffer.from([n++]), next);
  next();
  world.settle();
  assert.deepEqual(
    [...world.server.all[0].got],
    Array.from({ length: 200 }, (_, i) => i),
  );
});

test('what has come is acknowledged within a second, however little it is', () => {
  const world = new World({ window: 4000 });
  world.server.onopen = (stream) => stream.accept();
  world.connect();
  world.open();
  world.settle();
  const [there] = world.server.all;
  there.write(Buffer.from('few'));
  world.carry();
  assert.equal(there.acknowledged, 0);
  world.clock.advance(999);
  world.carry();
  assert.equal(there.acknowledged, 0);
  world.clock.advance(1);
  world.carry();
  assert.equal(there.acknowledged, 3);
  assert.equal(world.clock.pending, 0);
});

test('a server that keeps little is told often', () => {
  const world = new World({ window: 4000 });
  world.server.onopen = (stream) => stream.accept();
  world.connect({ ...world.server.welcome, streamWindow: 400 });
  world.open({ window: 5000 });
  world.settle();
  const [there] = world.server.all;
  there.write(Buffer.alloc(99));
  world.settle();
  assert.equal(there.acknowledged, 0);
  there.write(Buffer.alloc(1));
  world.settle();
  assert.equal(there.acknowledged, 100);
});
