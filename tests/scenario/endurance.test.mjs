// SPDX-License-Identifier: MIT
// endurance.test.mjs - sessions over a network that fails, with sides that do not read, and many at
// once: nothing is lost, doubled or disordered, the process stays the same, and the server's memory
// is bounded. The client is that of pages, in Node.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import path from 'node:path';
import WebSocket from 'ws';
import { ServerConnection } from '../../js/src/index.mjs';
import { Proxy, random } from '../lib/proxy.mjs';
import { request } from '../lib/request.mjs';
import { adminOf, REPO, resources, startServer } from '../lib/server.mjs';
import { Page, SessionClient } from '../lib/session-client.mjs';
import { after, describe, test as story } from '../lib/test.mjs';
import { until } from '../lib/until.mjs';

const PROGRAMS = path.join(REPO, 'tests/scenario/programs');
const COUNTER = path.join(REPO, 'tests/browser/site');
const CUTS = 500;
const PAGES = 8;
const MANY = 1000;
const MIB = 1 << 20;
/**
 * What the server may grow by where its limits allow two MiB: the rest is what an allocator keeps.
 */
const ROOM = 10 * MIB;
// The sanitizer keeps what is freed, which is not what is measured here.
const LEAN = {
  ASAN_OPTIONS: `${process.env.ASAN_OPTIONS ?? ''}:quarantine_size_mb=1:thread_local_quarantine_size_kb=64`,
};

const test = (name, run) => story(name, run, 120);

after(() => SessionClient.dropAll());

/** The client of pages, for the program at `url`; `seen` are its lifecycle events. */
function connect(url, { session } = {}) {
  const c = new ServerConnection(url, {
    session,
    WebSocket,
    webSocketOptions: { origin: new URL(url).origin },
  });
  c.seen = [];
  for (const type of ['open', 'suspend', 'resume', 'close', 'error'])
    c.addEventListener(type, (event) =>
      c.seen.push({ type, code: event.code, reason: event.reason }),
    );
  return c;
}

const happens = (target, type) =>
  new Promise((resolve) => target.addEventListener(type, resolve, { once: true }));

async function close(connection) {
  if (connection.readyState === ServerConnection.CLOSED) return;
  const closed = happens(connection, 'close');
  connection.close();
  await closed;
}

describe('a network that fails', () => {
  /** A page of the counter, counting in both directions. */
  async function countingPage(url) {
    const { headers } = await request(`${url}/counter.py`);
    const c = connect(`${url}/counter.py`, { session: headers['session-id'] });
    const state = { c, next: 0, sent: 0, faults: [] };
    c.onn = (n) => (n === state.next ? state.next++ : state.faults.push([n, state.next]));
    await happens(c, 'open');
    state.pid = (await c.call('report')).pid;
    c.send('count', 0.01);
    state.timer = setInterval(() => c.send('c', state.sent++), 10);
    return state;
  }

  test(`cuts ${CUTS} connections of ${PAGES} pages at random moments and bytes: every event arrives once and in order, at the same process`, async (t) => {
    const seed = Number(process.env.SEED ?? Date.now() % 2 ** 32);
    t.diagnostic(`SEED=${seed}`);
    const rand = random(seed);
    const server = await startServer({
      root: COUNTER,
      threads: 4,
      args: ['--ping-interval', '1s', '--rate-client', 'off'],
    });
    const proxy = await Proxy.start(server.port);
    const pages = await Promise.all(Array.from({ length: PAGES }, () => countingPage(proxy.url)));
    // A third of the new links dies by itself after some bytes: in the
    // handshake, the .welcome, the replay or later.
    proxy.plan(() =>
      rand() < 0.33 ? { [rand() < 0.5 ? 'downAfter' : 'upAfter']: Math.floor(rand() * 3000) } : {},
    );
    while (proxy.cuts < CUTS) {
      await new Promise((resolve) => setTimeout(resolve, rand() * 60));
      proxy.cut((link) => link.websocket && rand() < 0.4);
    }
    proxy.plan(() => ({}));
    let attaches = 0;
    for (const page of pages) {
      clearInterval(page.timer);
      page.c.send('stop');
      const program = await page.c.call('report'); // comes behind everything else, both ways
      assert.deepEqual(page.faults, []);
      assert.deepEqual(program.faults, []);
      assert.equal(page.next, program.sent);
      assert.equal(program.received, page.sent);
      assert.equal(program.pid, page.pid);
      assert.ok(page.sent > 50 && program.sent > 50, `${page.sent} and ${program.sent} events`);
      assert.deepEqual(
        page.c.seen.filter(({ type }) => type === 'close'),
        [],
      );
      attaches += program.attaches.length;
    }
    assert.ok(attaches > PAGES * 10, `${attaches} connections`);
    const events = pages.reduce((sum, page) => sum + page.sent + page.next, 0);
    t.diagnostic(`${proxy.cuts} cuts, ${attaches} connections, ${events} events`);
    await Promise.all(pages.map(({ c }) => close(c)));
    await proxy.stop();
    await server.ends();
  });

  test('dies without a word: the page notices within twice the ping, comes back by another connection, and nothing is lost', async () => {
    const server = await startServer({
      root: COUNTER,
      threads: 4,
      args: ['--ping-interval', '400ms'],
    });
    const proxy = await Proxy.start(server.port);
    const page = await countingPage(proxy.url);
    const suspended = happens(page.c, 'suspend');
    const resumed = happens(page.c, 'resume');
    proxy.freeze();
    await suspended;
    await resumed;
    clearInterval(page.timer);
    page.c.send('stop');
    const program = await page.c.call('report');
    assert.deepEqual([page.faults, program.faults], [[], []]);
    assert.equal(program.received, page.sent);
    assert.equal(program.pid, page.pid);
    await close(page.c);
    await proxy.stop();
    await server.stop();
  });

  test('stops the server for a while (SIGSTOP): pages suspend, and go on where they were', async () => {
    const server = await startServer({
      root: COUNTER,
      threads: 4,
      args: ['--ping-interval', '300ms'],
    });
    const pages = await Promise.all([1, 2, 3].map(() => countingPage(server.url)));
    const suspended = pages.map(({ c }) => happens(c, 'suspend'));
    process.kill(server.pid, 'SIGSTOP');
    await Promise.all(suspended);
    const resumed = pages.map(({ c }) => happens(c, 'resume'));
    process.kill(server.pid, 'SIGCONT');
    await Promise.all(resumed);
    for (const page of pages) {
      clearInterval(page.timer);
      page.c.send('stop');
      const program = await page.c.call('report');
      assert.deepEqual([page.faults, program.faults], [[], []]);
      assert.equal(page.next, program.sent);
      assert.equal(program.received, page.sent);
      assert.equal(program.pid, page.pid);
      await close(page.c);
    }
    await server.stop();
  });
});

describe('a side that does not read makes the other wait, and costs the server no more than its limits', () => {
  const describeSession = async (server) =>
    JSON.parse((await request(`${await adminOf(server)}/sessions`)).body)[0];
  const start = () =>
    startServer({ root: PROGRAMS, threads: 1, args: ['--admin', '127.0.0.1:0'], env: LEAN });

  test('a program that is stopped: 12 MiB of the page wait in the page, and arrive whole in the end', async () => {
    const server = await start();
    const c = connect(server.at('tally'));
    const { pid } = await c.call('report');
    const before = server.resident;
    process.kill(pid, 'SIGSTOP');
    const piece = 'x'.repeat(64 * 1024);
    const COUNT = 190;
    const digest = createHash('sha256');
    for (let i = 0; i < COUNT; i++) {
      c.send('put', `${i} ${piece}`);
      digest.update(JSON.stringify(`${i} ${piece}`));
    }
    await until(
      async () => (await describeSession(server)).received * piece.length >= MIB - 2 * piece.length,
      undefined,
      60000,
    );
    assert.ok(
      c.bufferedAmount > COUNT * piece.length - 3 * MIB,
      `${c.bufferedAmount} bytes wait in the page`,
    );
    assert.ok(
      server.resident - before < ROOM,
      `the server has grown by ${server.resident - before} bytes`,
    );
    process.kill(pid, 'SIGCONT');
    assert.deepEqual(await c.call('report'), { count: COUNT, sha256: digest.digest('hex'), pid });
    await until(() => c.bufferedAmount === 0);
    await close(c);
    await server.stop();
  });

  const PARTS = 600;
  const SIZE = 64 * 1024;
  const inOrder = (client) =>
    client.messages.filter((m) => m.startsWith('part ')).map((m) => JSON.parse(m.slice(5)).i);

  /**
   * Until nothing more comes of the program: it may go on only when half of
   * the buffer has been acknowledged.
   */
  async function programWaits(server) {
    let sent;
    await until(
      async () => {
        const before = sent;
        let unacknowledgedBytes;
        ({ sent, unacknowledgedBytes } = await describeSession(server));
        return unacknowledgedBytes > MIB / 2 && sent === before;
      },
      undefined,
      60000,
    );
    assert.ok(sent < PARTS, `all of ${sent} messages were taken of the program`);
  }

  test('a page that acknowledges nothing gets what the buffer holds, and the rest when it does', async () => {
    const server = await start();
    const client = await SessionClient.connects(server, 'tally', { acknowledge: false });
    const before = server.resident;
    client.says(`flood {"count":${PARTS},"size":${SIZE}}`);
    await until(
      async () => (await describeSession(server)).unacknowledgedBytes >= MIB,
      undefined,
      60000,
    );
    await until(() => client.messages.length >= MIB / (SIZE + 32));
    for (let i = 0; i < 3; i++) {
      client.says('.ping'); // whatever the server still had to say has come before its answer
      await once(client, 'control');
    }
    assert.ok(client.messages.length * SIZE < 2 * MIB, `${client.messages.length} parts`);
    assert.ok(
      server.resident - before < ROOM,
      `the server has grown by ${server.resident - before} bytes`,
    );
    client.acknowledge = true;
    client.says(`.ack ${client.received}`);
    await client.hears(/^flooded$/);
    assert.deepEqual(
      inOrder(client),
      Array.from({ length: PARTS }, (_, i) => i),
    );
    await client.closes();
    await server.stop();
  });

  test('a page that is away, then one whose socket is not read: the program waits, and all of it comes', async () => {
    const server = await start();
    const client = await Page.opens(server, 'tally');
    const before = server.resident;
    client.says(`flood {"count":${PARTS},"size":${SIZE}}`);
    await client.hears(/^part/);
    await client.cuts();
    await programWaits(server);
    assert.ok(
      server.resident - before < ROOM,
      `the server has grown by ${server.resident - before} bytes while the page was away`,
    );
    await client.connect();
    client.ws.pause();
    await programWaits(server);
    assert.ok(
      server.resident - before < ROOM,
      `the server has grown by ${server.resident - before} bytes while the page did not read`,
    );
    client.ws.resume();
    await client.hears(/^flooded$/);
    assert.deepEqual(
      inOrder(client),
      Array.from({ length: PARTS }, (_, i) => i),
    );
    await client.closes();
    await server.stop();
  });
});

test(`${MANY} sessions at once, each with its own process; they all come back after a cut, and nothing of them stays behind`, async (t) => {
  const server = await startServer({
    root: PROGRAMS,
    threads: 4,
    args: [
      '--programs-per-client',
      String(MANY),
      '--rate-programs',
      'off',
      '--rate-client',
      'off',
      '--rate-origin',
      'off',
      '--eof-grace',
      '5s',
    ],
  });
  await request(server.at('environment'));
  await server.hasChildren(0);
  const atRest = resources(server.pid).descriptors;
  const clients = Array.from({ length: MANY }, () => new SessionClient(server.at('lines')));
  const inWaves = async (work) => {
    const left = [...clients.entries()];
    await Promise.all(
      Array.from({ length: 32 }, async () => {
        for (let one; (one = left.pop());) await work(one[1], one[0]);
      }),
    );
  };
  await inWaves(async (client, i) => {
    await client.connect();
    client.pid = await client.hears(/^pid /);
    client.says(`n ${i}`);
    assert.equal(await client.hears(/^n/), `n ${i}`);
  });
  assert.equal(new Set(clients.map(({ pid }) => pid)).size, MANY);
  const { children, descriptors } = resources(server.pid);
  t.diagnostic(`${children.length} programs, ${descriptors} descriptors`);
  assert.equal(children.length, MANY);
  await inWaves(async (client, i) => {
    await client.cuts();
    assert.equal((await client.connect()).resumed, true);
    client.says(`again ${i}`);
    assert.equal(await client.hears(/^again/), `again ${i}`);
  });
  await inWaves(async (client) => {
    await client.closes();
  });
  let now;
  await until(
    () => (now = resources(server.pid)).children.length === 0 && now.descriptors <= atRest,
    () => JSON.stringify(now),
    60000,
  );
  await server.ends();
});
