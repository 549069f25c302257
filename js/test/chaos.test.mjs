// SPDX-License-Identifier: MIT
/**
 * Exactly once and in order: a page and a program send numbered events, bytes and calls to each
 * other, while the network is cut hundreds of times at any byte. SEED=… repeats a run.
 */
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { ServerConnection } from '../src/connection.mjs';
import { BadNetwork, fastClock, FakeServer, generator } from './fake-server.mjs';

const CUTS = 200;
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A page and a program, with a network between them. */
async function world(t, seed, limits) {
  const random = generator(seed);
  const server = new FakeServer(limits);
  const network = new BadNetwork(await server.start(), random);
  const port = await network.start();
  const begun = new Promise((resolve) => (server.onsession = resolve));
  const page = new ServerConnection(`ws://127.0.0.1:${port}/page`, {
    WebSocket,
    clock: fastClock(200, random),
    buffer: 200_000,
    closeTimeout: Infinity,
  });
  t.after(async () => {
    network.heal();
    page.close();
    if (page.readyState !== ServerConnection.CLOSED) await once(page, 'close');
    await network.stop();
    await server.stop();
  });
  return { random, server, network, page, begun };
}

/** Checks that 0, 1, 2 … arrive, and tells when all have arrived. */
function counter(what) {
  let next = 0;
  let finish;
  const done = new Promise((resolve) => (finish = resolve));
  return {
    done,
    take(n, last) {
      assert.equal(n, next, `${what}: ${n} came where ${next} was expected`);
      next++;
      if (last) finish(next);
    },
  };
}

for (const round of [1, 2]) {
  const seed = Number(process.env.SEED ?? (Date.now() * round) % 1e9);
  test(
    `${CUTS} cuts at any byte lose, double and disorder nothing in either direction (round ${round})`,
    { timeout: 240_000 },
    async (t) => {
      console.log(`# SEED=${seed}`);
      const { random, server, network, page, begun } = await world(t, seed, { window: 30_000 });
      const padding = () => 'ø'.repeat(random() < 0.1 ? random() * 10_000 : random() * 50);
      const enough = () => network.cuts >= CUTS;
      const toProgram = counter('to the program');
      const toPage = counter('to the page');
      const failures = [];
      page.addEventListener('close', (event) =>
        failures.push(new Error(`closed: ${event.code} ${event.reason}`)),
      );

      page.onevent = ({ n, last }) => toPage.take(n, last);
      page.onbytes = (data) => toPage.take(new DataView(data).getUint32(0), false);
      page.handle('triple', async (n) => n * 3);

      const pageSends = async () => {
        for (let n = 0; ; n++) {
          while (page.bufferedAmount > 100_000) await turn();
          const last = enough();
          if (n % 5 === 3 && !last) page.send('bytes', bytesOf(n, random() * 9_000));
          else page.send('event', { n, last, padding: padding() });
          if (last) return n + 1;
          if (random() < 0.3) await turn();
        }
      };
      const pageCalls = async () => {
        let n = 0;
        for (; !enough(); n++) assert.equal(await page.call('double', n), n * 2);
        return n;
      };

      const session = await begun;
      const answers = new Map();
      session.onmessage = (text, bytes) => {
        if (bytes) return toProgram.take(bytes.readUInt32BE(bytes.indexOf(10) + 1), false);
        const [, name, call, json] = /^(\w*)(?:[?=](\d+))?(?: (.*))?$/s.exec(text);
        if (name === 'event') toProgram.take(JSON.parse(json).n, JSON.parse(json).last);
        else if (name === 'double') session.send(`=${call} ${json * 2}`);
        else answers.get(Number(call))(Number(json));
      };
      const programSends = async () => {
        for (let n = 0; ; n++) {
          const last = enough();
          if (n % 5 === 1 && !last)
            await session.send(
              Buffer.concat([Buffer.from('bytes\n'), bytesOf(n, random() * 9_000)]),
            );
          else await session.send(`event ${JSON.stringify({ n, last, padding: padding() })}`);
          if (last) return n + 1;
          if (random() < 0.3) await turn();
        }
      };
      const programCalls = async () => {
        let n = 0;
        for (; !enough(); n++) {
          const answer = new Promise((resolve) => answers.set(n, resolve));
          session.send(`triple?${n} ${n}`);
          assert.equal(await answer, n * 3);
        }
        return n;
      };

      const sent = Promise.all([pageSends(), programSends(), pageCalls(), programCalls()]);
      const healed = (async () => {
        while (!enough()) await Promise.race([turn(), sent]);
        network.heal();
      })();
      const [fromPage, fromProgram, calls, calledBack] = await sent;
      await healed;
      assert.equal(await toProgram.done, fromPage);
      assert.equal(await toPage.done, fromProgram);
      assert.deepEqual(failures, []);
      assert.equal(server.sessions.length, 1, 'one program all the time');
      console.log(
        `# ${network.cuts} cuts, ${session.connections} connections, ${fromPage} events to the program, ` +
          `${fromProgram} to the page, ${calls} and ${calledBack} calls`,
      );
    },
  );
}

/** Random bytes that begin with a number. */
function bytesOf(n, length) {
  const bytes = Buffer.alloc(4 + Math.floor(length), n & 255);
  bytes.writeUInt32BE(n);
  return bytes;
}

test(
  'close over a bad network delivers all that was queued, and tells the program',
  { timeout: 60_000 },
  async (t) => {
    const seed = Number(process.env.SEED ?? Date.now() % 1e9);
    console.log(`# SEED=${seed}`);
    for (let round = 0; round < 10; round++) {
      const { network, page, begun } = await world(t, seed + round, { window: 5_000 });
      for (let n = 0; n < 100; n++) page.send('event', { n, padding: 'x'.repeat(500) });
      page.close('all said');
      const session = await begun;
      const heard = [];
      session.onmessage = (text) => heard.push(JSON.parse(text.slice(6)).n);
      const told = new Promise((resolve) => (session.onend = resolve));
      const [event] = await once(page, 'close');
      assert.equal(await told, 'all said');
      assert.deepEqual([event.code, event.reason, event.undelivered], [1000, 'all said', 0]);
      assert.deepEqual(
        heard,
        Array.from({ length: 100 }, (_, n) => n),
      );
      network.heal();
    }
  },
);

test(
  'another page with the same id is refused by its key, and the first one goes on',
  { timeout: 20_000 },
  async (t) => {
    const server = new FakeServer();
    const port = await server.start();
    t.after(() => server.stop());
    const url = `ws://127.0.0.1:${port}/page`;
    const first = new ServerConnection(url, { WebSocket });
    await once(first, 'open');
    const second = new ServerConnection(url, { WebSocket, session: first.sessionId });
    const [refused] = await once(second, 'close');
    assert.deepEqual([refused.code, refused.reason], [4409, 'session-taken']);
    server.sessions[0].send('hello 1');
    const [hello] = await once(first, 'hello');
    assert.equal(hello.data, 1);
    first.close();
    await once(first, 'close');
  },
);
