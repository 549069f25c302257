// SPDX-License-Identifier: MIT
// console.test.mjs - the developer's console: what it is told of every session, the faults it causes, and who may not open it.
import assert from 'node:assert/strict';
import path from 'node:path';
import readline from 'node:readline';
import { after, afterEach, before, describe, test as testOf } from 'node:test';
import { begin, request } from '../lib/request.mjs';
import { REPO, startServer } from '../lib/server.mjs';
import { openPage, SessionClient } from '../lib/session-client.mjs';
import { until } from '../lib/until.mjs';

const test = (name, run) => testOf(name, { timeout: 60000 }, run);
const ROOT = path.join(REPO, 'tests/scenario/programs');

let server;
let records;
let stream;

const at = (name) => `${server.url}/.httpsocket/${name}`;
const fault = (what, headers = { Origin: server.url }) =>
  request(at('console/fault'), { method: 'POST', headers, body: JSON.stringify(what) });

/** Reads the stream of records from now on. */
async function look() {
  const { request: asked, response } = await begin(at('console/events'));
  assert.equal(response.statusCode, 200);
  assert.equal(response.headers['content-type'], 'text/event-stream');
  const heard = [];
  const lines = readline.createInterface({ input: response }).on('line', (line) => {
    if (line.startsWith('data: ')) heard.push(JSON.parse(line.slice(6)));
  });
  for (const one of [asked, response, lines]) one.on('error', () => {}); // it is we who go
  return { heard, close: () => asked.destroy() };
}

const told = (match) =>
  until(
    () => records.find(({ event, data }) => match(data, event))?.data,
    () => JSON.stringify(records.slice(-8)),
  );

async function open(name) {
  const { client } = await openPage(`${server.url}/${name}`);
  await client.connect();
  return client;
}

before(async () => {
  server = await startServer({ root: ROOT, args: ['--dev'], threads: 3 });
  stream = await look();
  records = stream.heard;
});
after(async () => {
  assert.deepEqual(
    await server.stop(),
    { code: 0, signal: null },
    server.log.slice(-40).join('\n'),
  );
});
afterEach(() => SessionClient.dropAll());

describe('what it shows', () => {
  test('messages of either side, with size and data cut short, what the program complains of, and connections', async () => {
    const clients = await Promise.all([1, 2, 3].map(() => open('talk'))); // on several workers
    for (const [i, client] of clients.entries())
      client.send(`hello {"n":${i},"æ":"${'x'.repeat(300)}"}`);
    for (let i = 0; i < 3; i++) {
      const { session, program, bytes, data } = await told(
        ({ from, head, data: text }) =>
          from === 'page' && head === 'hello' && text.startsWith(`{"n":${i}`),
      );
      assert.match(session, /^[0-9a-f]{8}$/);
      assert.equal(program, '/talk.py');
      assert.equal(bytes, Buffer.byteLength(`{"n":${i},"æ":"${'x'.repeat(300)}"}`));
      assert.ok(data.length <= 160);
      await told(
        (other) => other.session === session && other.from === 'program' && other.head === 'echo',
      );
      await told(
        (other, kind) => other.session === session && kind === 'note' && other.head === 'connected',
      );
    }
    clients[0].sendBytes('photo', Buffer.from([0, 255, 7]));
    await told(({ head, data }) => head === 'photo' && data === '(bytes)');
    clients[0].send(`complain ${JSON.stringify('it hurts\n')}`);
    const { session } = await told(({ data }, kind) => kind === 'stderr' && data === 'it hurts');
    assert.ok(!JSON.stringify(records).includes(clients[0].session), 'no session id is shown');
    await clients[0].cut();
    await told(
      (other, kind) =>
        other.session === session && kind === 'note' && other.head === 'disconnected',
    );
  });

  test('who looks later hears what has just been', async () => {
    const client = await open('talk');
    client.send('mark 1');
    await told(({ head }) => head === 'mark');
    const late = await look();
    await until(() => late.heard.some(({ past, data }) => past && data.head === 'mark'));
    late.close();
  });

  test('programs can’t say the names of its topics', async () => {
    const client = await open('board');
    client.send(`write ${JSON.stringify('.subscribe {"topic":" console"}\n')}`);
    assert.equal((await client.closed).code, 4500);
  });
});

describe('faults', () => {
  /** The page's mark in the console. */
  const markOf = async (client, word) => {
    client.send(`${word} 1`);
    return (await told(({ head, from }) => head === word && from === 'page')).session;
  };

  /** Resolves when each message of either side takes so long. */
  const slowTo = async (client, session, latency) => {
    assert.equal((await fault({ session, latency })).status, 202);
    await until(async () => {
      const began = Date.now();
      client.send('ping 1');
      await client.next(/^echo \["ping"/);
      return Date.now() - began >= 2 * latency - 10;
    });
  };

  test('latency delays both directions, in order, until it is taken away', async () => {
    const client = await open('talk');
    const session = await markOf(client, 'slow');
    await slowTo(client, session, 400);
    for (let i = 0; i < 5; i++) client.send(`n ${i}`);
    for (let i = 0; i < 5; i++) assert.equal(await client.next(/^echo \["n"/), `echo ["n", ${i}]`);
    await client.cut();
    await client.connect(); // it is of the page, not of the connection
    const began = Date.now();
    client.send('again 1');
    await client.next(/^echo \["again"/);
    assert.ok(Date.now() - began >= 790);
    await fault({ session, latency: 0 });
    await until(async () => {
      const quick = Date.now();
      client.send('pong 1');
      await client.next(/^echo \["pong"/);
      return Date.now() - quick < 300;
    });
  });

  test('a cut loses nothing; for its time there is no other connection', async () => {
    const client = await open('talk');
    const session = await markOf(client, 'cutting');
    await client.next(/^echo/);
    await fault({ session, cut: 1500 });
    const began = Date.now();
    assert.equal((await client.closed).code, 1006);
    await until(() =>
      client.connect().then(
        () => true,
        () => false,
      ),
    );
    assert.ok(Date.now() - began >= 1300, 'not before');
    client.send('after 1');
    await client.next(/^echo \["after"/);
  });

  test('what waits for its time when the connection is cut is lost with it, and sent again', async () => {
    const client = await open('talk');
    const session = await markOf(client, 'waiting');
    await client.next(/^echo/);
    await slowTo(client, session, 500);
    client.send('once 1');
    await fault({ session, cut: 0 });
    await client.closed;
    await fault({ session, latency: 0 });
    await client.connect();
    client.send('once 1'); // as who has it not acknowledged sends it again
    assert.equal(await client.next(/^echo \["once"/), 'echo ["once", 1]');
    await told(({ head }) => head === 'once');
    assert.equal(
      records.filter(({ data }) => data.session === session && data.head === 'once').length,
      1,
    );
  });

  test('what is no fault is refused; a session that is not there is nobody’s', async () => {
    for (const wrong of [
      {},
      { session: 'x' },
      { session: 'x', latency: -1 },
      { session: 'x', latency: 60001 },
      { session: 'x', cut: 1, latency: 1 },
      { latency: 5 },
      { session: 'x', cut: 1, more: 1 },
      [],
      'x'.repeat(2000),
    ])
      assert.equal((await fault(wrong)).status, 400, JSON.stringify(wrong));
    assert.equal((await fault({ session: '00000000', cut: 0 })).status, 202);
    assert.equal((await request(at('console/fault'))).status, 405);
  });
});

describe('who may open it', () => {
  const status = async (name, headers, more) =>
    (await request(at(name), { headers, ...more })).status;

  test('a browser on this machine, and no page of another origin', async () => {
    for (const name of ['console', 'console.js'])
      assert.equal(await status(name, { 'Sec-Fetch-Site': 'none' }), 200);
    for (const name of ['console', 'console.js', 'console/events'])
      for (const headers of [
        { Origin: 'http://evil.example' },
        { Origin: 'null' },
        { 'Sec-Fetch-Site': 'cross-site' },
        { 'Sec-Fetch-Site': 'same-site' },
      ])
        assert.equal(await status(name, headers), 403, JSON.stringify([name, headers]));
    for (const headers of [{}, { Origin: 'http://evil.example' }, { Origin: 'null' }])
      assert.equal((await fault({ session: 'x', cut: 0 }, headers)).status, 403);
    assert.equal(await status('console/else', {}), 404);
  });

  test('nobody, of a server that is not in dev mode', async () => {
    const closed = await startServer({ root: ROOT });
    for (const name of ['console', 'console.js', 'console/events', 'console/fault'])
      assert.equal((await request(`${closed.url}/.httpsocket/${name}`)).status, 404);
    assert.deepEqual(await closed.stop(), { code: 0, signal: null });
  });
});
