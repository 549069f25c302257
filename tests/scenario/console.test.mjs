// SPDX-License-Identifier: MIT
// console.test.mjs - the developer's console: what it is told of every session, the faults it
// causes, and who may not open it.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import readline from 'node:readline';
import { openPlain } from '../lib/plain-client.mjs';
import { startServer } from '../lib/server.mjs';
import { Page, SessionClient } from '../lib/session-client.mjs';
import { after, afterEach, before, describe, test } from '../lib/test.mjs';
import { until } from '../lib/until.mjs';
import { visitor } from '../lib/visitor.mjs';

let server;
let records;
let stream;

const at = (name) => server.at(`.httpsocket/${name}`);
const fault = (what, headers = { Origin: server.url }) =>
  visitor.asks(at('console/fault'), { method: 'POST', headers, body: JSON.stringify(what) });

/** Reads the stream of records from now on. */
async function look() {
  const { request: asked, response } = await visitor.begins(at('console/events'));
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

const open = (name) => Page.opens(server, name);

before(async () => {
  server = await startServer({ args: ['--dev', '--stdio', '/sh=/bin/sh'], threads: 3 });
  stream = await look();
  records = stream.heard;
});
after(async () => {
  await server.ends();
});
afterEach(() => SessionClient.dropAll());

describe('what it shows', () => {
  const long = (i) => `{"n":${i},"æ":"${'x'.repeat(300)}"}`;

  /** Records of this session that are like this. */
  const of =
    (session, { event, ...like }) =>
    (data, kind) =>
      data.session === session &&
      (!event || kind === event) &&
      Object.entries(like).every(([name, value]) => data[name] === value);

  /** What the page has said, that its program has answered, and that it is connected. */
  async function isShown(i) {
    const said = ({ from, head, data }) =>
      from === 'page' && head === 'hello' && data.startsWith(`{"n":${i}`);
    const { session, program, bytes, data } = await told(said);
    assert.match(session, /^[0-9a-f]{8}$/);
    assert.equal(program, '/talk.py');
    assert.equal(bytes, Buffer.byteLength(long(i)));
    assert.ok(data.length <= 160);
    await told(of(session, { from: 'program', head: 'echo' }));
    await told(of(session, { event: 'note', head: 'connected' }));
  }

  test('messages of either side, with size and data cut short, what the program complains of, and connections', async () => {
    const clients = await Promise.all([1, 2, 3].map(() => open('talk'))); // on several workers
    for (const [i, client] of clients.entries()) client.says(`hello ${long(i)}`);
    for (let i = 0; i < 3; i++) await isShown(i);
    clients[0].saysBytes('photo', [0, 255, 7]);
    await told(({ head, data }) => head === 'photo' && data === '(bytes)');
    clients[0].says(`complain ${JSON.stringify('it hurts\n')}`);
    const { session } = await told(({ data }, kind) => kind === 'stderr' && data === 'it hurts');
    assert.ok(!JSON.stringify(records).includes(clients[0].session), 'no session id is shown');
    await clients[0].cuts();
    await told(of(session, { event: 'note', head: 'disconnected' }));
  });

  test('who looks later hears what has just been', async () => {
    const client = await open('talk');
    client.says('mark 1');
    await told(({ head }) => head === 'mark');
    const late = await look();
    await until(() => late.heard.some(({ past, data }) => past && data.head === 'mark'));
    late.close();
  });

  test('a command outside of the folder that is served is named whole', async () => {
    (await openPlain(server.at('sh'))).send('exit');
    const whole = fs.realpathSync('/bin/sh');
    await told(({ program }) => program === whole);
  });

  test('programs can’t say the names of its topics', async () => {
    const client = await open('board');
    client.says(`write ${JSON.stringify('.subscribe {"topic":" console"}\n')}`);
    assert.equal((await client.closed).code, 4500);
  });
});

describe('faults', () => {
  /** The page's mark in the console. */
  const markOf = async (client, word) => {
    client.says(`${word} 1`);
    return (await told(({ head, from }) => head === word && from === 'page')).session;
  };

  /** How long it takes until a word is echoed. */
  const takes = async (client, word) => {
    const began = Date.now();
    client.says(`${word} 1`);
    await client.hears(new RegExp(`^echo \\["${word}"`));
    return Date.now() - began;
  };

  /** Resolves when each message of either side takes so long. */
  const slowTo = async (client, session, latency) => {
    assert.equal((await fault({ session, latency })).status, 202);
    await until(async () => (await takes(client, 'ping')) >= 2 * latency - 10);
  };

  test('latency delays both directions, in order, until it is taken away', async () => {
    const client = await open('talk');
    const session = await markOf(client, 'slow');
    await slowTo(client, session, 400);
    for (let i = 0; i < 5; i++) client.says(`n ${i}`);
    for (let i = 0; i < 5; i++) await client.hears(`echo ["n", ${i}]`);
    await client.cuts();
    await client.connect(); // it is of the page, not of the connection
    assert.ok((await takes(client, 'again')) >= 790);
    await fault({ session, latency: 0 });
    await until(async () => (await takes(client, 'pong')) < 300);
  });

  test('a cut loses nothing; for its time there is no other connection', async () => {
    const client = await open('talk');
    const session = await markOf(client, 'cutting');
    await client.hears(/^echo/);
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
    client.says('after 1');
    await client.hears(/^echo \["after"/);
  });

  test('what waits for its time when the connection is cut is lost with it, and sent again', async () => {
    const client = await open('talk');
    const session = await markOf(client, 'waiting');
    await client.hears(/^echo/);
    await slowTo(client, session, 500);
    client.says('once 1');
    await fault({ session, cut: 0 });
    await client.closed;
    await fault({ session, latency: 0 });
    await client.connect();
    client.says('once 1'); // as who has it not acknowledged sends it again
    assert.equal(await client.hears(/^echo \["once"/), 'echo ["once", 1]');
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
    assert.equal((await visitor.asks(at('console/fault'))).status, 405);
    for (const method of ['HEAD', 'PUT', 'OPTIONS'])
      assert.equal((await visitor.asks(at('console/events'), { method })).status, 405, method);
  });
});

describe('who may open it', () => {
  const status = async (name, headers, more) =>
    (await visitor.asks(at(name), { headers, ...more })).status;

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
    const closed = await startServer();
    for (const name of ['console', 'console.js', 'console/events', 'console/fault'])
      assert.equal((await visitor.asks(`${closed.url}/.httpsocket/${name}`)).status, 404);
    await closed.ends();
  });
});
