// SPDX-License-Identifier: MIT
// publish.test.mjs - POST /publish at the admin listener: events from outside reach the programs of
// all workers, and bad input gets a clear answer.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { adminOf, BUILD, makeRoot, startServer, stopAll } from '../lib/server.mjs';
import { SessionClient } from '../lib/session-client.mjs';
import { Subscriber } from '../lib/subscriber.mjs';
import { after, afterEach, before, describe, test } from '../lib/test.mjs';
import { visitor } from '../lib/visitor.mjs';

const TOKEN = 'first-token-0123456789';
const OTHER = 'other/token+0123456789==';
const ADMIN = ['--admin', '127.0.0.1:0'];
const LIMITS =
  '--publish-max 8K --topic-message-max 1000 --topics-max 3 --topic-linger 0 --topic-history 2 ' +
  '--rate-publish 60,100';

let files;
let server;
let admin;
let token;

before(async () => {
  files = makeRoot({ tokens: `# who may publish\n${TOKEN}\n\n  ${OTHER}  \r\n`, 'site/x': '' });
  token = path.join(files.root, 'tokens');
  const args = [...ADMIN, '--publish-token', token, ...LIMITS.split(' ')];
  server = await startServer({ args, threads: 3 });
  admin = await adminOf(server);
});
after(async () => (await server.ends(), files.remove(), stopAll()));
afterEach(() => SessionClient.dropAll());

const json = { 'Content-Type': 'application/json' };
const bearer = (value) => ({ Authorization: `Bearer ${value}` });
const post = (body, { headers = { ...json, ...bearer(TOKEN) }, method = 'POST' } = {}) =>
  visitor.asks(`${admin}/publish`, {
    method,
    headers,
    ...(method === 'POST' && { body: asBody(body) }),
  });

function asBody(body) {
  const isBody = typeof body === 'string' || typeof body === 'function' || Buffer.isBuffer(body);
  return isBody ? body : JSON.stringify(body);
}

async function subscriber(topic, more = {}) {
  const one = await Subscriber.opens(server);
  await one.subscribes(topic, more);
  return one;
}

describe('what is published', () => {
  test('reaches the programs of all workers; the answer has its number and how many there were', async () => {
    const all = await Promise.all([1, 2, 3, 4, 5].map(() => subscriber('news')));
    const answer = await post({ topic: 'news', event: 'flash', data: { text: 'æ', n: 1 } });
    assert.equal(answer.status, 200);
    assert.match(answer.headers['content-type'], /^application\/json/);
    assert.deepEqual(JSON.parse(answer.body), { topic: 'news', seq: 1, subscribers: 5 });
    const flash = { topic: 'news', seq: 1, event: 'flash', data: { text: 'æ', n: 1 } };
    for (const one of all) {
      const [{ time, ...event }] = await one.events(1);
      assert.deepEqual(event, flash); // from nobody
      await one.closes();
    }
  });

  test('an array is published in its order; the answer is an array in the same order', async () => {
    const one = await subscriber('list');
    const answer = await post([1, 2, 3].map((n) => ({ topic: 'list', event: 'n', data: n })));
    assert.deepEqual(
      JSON.parse(answer.body),
      [1, 2, 3].map((seq) => ({ topic: 'list', seq, subscribers: 1 })),
    );
    assert.deepEqual(await one.data(3), [1, 2, 3]);
    assert.deepEqual(JSON.parse((await post([])).body), []);
    await one.closes();
  });

  test('JSON on several lines, and a second token', async () => {
    const one = await subscriber('lines');
    const body =
      '{\r\n  "topic": "lines",\n\t"event": "e",\n "data": {\n "a": "b \\" \\n c" }\n}\n';
    const headers = {
      'Content-Type': 'Application/JSON; charset=utf-8',
      Authorization: `bearer ${OTHER}`,
    };
    assert.equal((await post(body, { headers })).status, 200);
    assert.deepEqual(await one.data(1), [{ a: 'b " \n c' }]);
    await one.closes();
  });

  test('a kept event waits for who comes later', async () => {
    const one = await subscriber('kept'); // else the topic would be forgotten at once
    await post({ topic: 'kept', event: 'state', data: 'on', keep: true });
    const late = await subscriber('kept', { last: true });
    const [{ data, past }] = await late.events(1);
    assert.deepEqual([data, past], ['on', true]);
    for (const each of [one, late]) await each.closes();
  });
});

describe('what is refused', () => {
  const event = { topic: 'a', event: 'e' };
  const refused = async (status, why, body, options) => {
    const answer = await post(body, options);
    assert.equal(answer.status, status, answer.body);
    assert.match(answer.body, why);
    return answer;
  };

  test('401: no token, a wrong one, one that is only the beginning, another scheme, two headers', async () => {
    const wrong = [
      {},
      bearer('wrong-token-0123456789'),
      bearer(TOKEN.slice(0, -1)),
      bearer(`${TOKEN}x`),
      bearer(TOKEN + TOKEN),
      bearer(''),
      { Authorization: TOKEN },
      { Authorization: `Basic ${TOKEN}` },
      { Authorization: [`Bearer ${TOKEN}`, `Bearer ${TOKEN}`] },
    ];
    for (const each of wrong) {
      const headers = { ...json, ...each };
      const { headers: told } = await refused(401, /Bearer/, event, { headers });
      assert.match(told['www-authenticate'], /^Bearer/);
    }
  });

  test('405 and 415', async () => {
    const { headers } = await refused(405, /POST/, null, { method: 'GET' });
    assert.equal(headers.allow, 'POST');
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonx', ''])
      await refused(415, /application\/json/, event, {
        headers: { ...bearer(TOKEN), 'Content-Type': type },
      });
  });

  test('400: what is no JSON, or no event', async () => {
    const wrong = [
      ['', /JSON/],
      ['{', /JSON/],
      ['{"topic":"a","event":"e"} x', /JSON/],
      ['"a"', /object/],
      ['{}', /topic/],
      ['[{}]', /event 1: .*topic/],
      ['[{"topic":"a","event":"e"},7]', /event 2: expected an object/],
      [{ topic: 'a b', event: 'e' }, /topic/],
      [{ topic: 'a' }, /event/],
      [{ topic: 'a', event: '.close' }, /event/],
      [{ topic: 'a', event: 'e', date: 1 }, /not known/],
      [{ topic: 'a', event: 'e', keep: 'yes' }, /keep/],
      ['{"topic":"a","event":"e","data":"a\nb"}', /JSON/],
      ['{"topic":"a","topic":"b","event":"e"}', /twice/],
      [`${'['.repeat(600)}${']'.repeat(600)}`, /JSON/],
    ];
    for (const [body, why] of wrong) await refused(400, why, body);
    const latin = Buffer.from('{"topic":"a","event":"e","data":"\xe9"}', 'latin1');
    await refused(400, /./, latin);
  });

  test('413: a body above publish-max, also one that comes in chunks; an event above topic-message-max, with its place', async () => {
    await refused(413, /too large/, { ...event, data: 'x'.repeat(9000) });
    const headers = { ...json, ...bearer(TOKEN), 'Transfer-Encoding': 'chunked' };
    const inChunks = (stream) => stream.end(JSON.stringify({ ...event, data: 'x'.repeat(9000) }));
    await refused(413, /./, inChunks, { headers });
    await refused(413, /event 2: .*topic-message-max/, [
      event,
      { ...event, data: 'x'.repeat(1000) },
    ]);
  });

  test('503: topics-max, when every topic has a subscriber; in an array the others are published', async () => {
    const all = await Promise.all(['one', 'two', 'three'].map((topic) => subscriber(topic)));
    const answer = await refused(503, /too-many-topics/, { topic: 'four', event: 'e' });
    assert.deepEqual(JSON.parse(answer.body).topic, 'four');
    const events = ['one', 'four'].map((topic) => ({ topic, event: 'e' }));
    const [one, four] = JSON.parse((await post(events)).body);
    assert.deepEqual([one.seq, four.seq ?? four.reason], [1, 'too-many-topics']);
    for (const each of all) await each.closes();
  });

  test('a client that goes away in the middle harms nothing', async () => {
    const half = http.request(`${admin}/publish`, {
      method: 'POST',
      agent: false,
      headers: { ...json, ...bearer(TOKEN), 'Content-Length': 100 },
    });
    half.on('error', () => {});
    await new Promise((resolve) => half.write('{"topic":', resolve));
    half.destroy();
    assert.equal((await post(event)).status, 200);
  });

  test('429: above rate-publish, with Retry-After; nothing of the body is published', async () => {
    const one = await subscriber('often');
    let answer;
    let published = 0;
    do {
      answer = await post(Array.from({ length: 20 }, () => ({ topic: 'often', event: 'n' })));
      published += answer.status === 200 ? 20 : 0;
    } while (answer.status === 200 && published < 200);
    assert.equal(answer.status, 429);
    assert.ok(Number(answer.headers['retry-after']) >= 1);
    for (const [i, { seq }] of (await one.events(published)).entries()) assert.equal(seq, i + 1);
    const counted = (status) => server.metric(`publish_requests_total{status="${status}"}`);
    assert.equal(await counted(429), 1);
    for (const status of [200, 400, 401, 405, 413, 415, 503])
      assert.ok((await counted(status)) > 0, String(status));
    await one.closes();
  });
});

describe('the tokens', () => {
  test('are read again on SIGHUP: the old one is no longer valid, a bad file changes nothing', async () => {
    const fresh = 'fresh-token-0123456789';
    fs.writeFileSync(token, `${fresh}\n`);
    server.child.kill('SIGHUP');
    await server.logged(/config\.reloaded/);
    assert.equal((await post([], { headers: { ...json, ...bearer(TOKEN) } })).status, 401);
    assert.equal((await post([], { headers: { ...json, ...bearer(fresh) } })).status, 200);
    fs.writeFileSync(token, 'short\n');
    server.child.kill('SIGHUP');
    assert.match(await server.logged(/config\.refused/), /tokens:1: expected a token/);
    assert.equal((await post([], { headers: { ...json, ...bearer(fresh) } })).status, 200);
    assert.deepEqual(server.lines(/-token-0/), [], 'none is logged');
  });

  const check = (...args) =>
    spawnSync(path.join(BUILD, 'httpsocketd'), ['--check-config', ...args, files.root], {
      encoding: 'utf8',
    });

  test('a file without any, one that is not there, and one without an admin listener are refused at the start', () => {
    const none = path.join(files.root, 'none');
    fs.writeFileSync(none, '# nothing\n');
    for (const [args, why] of [
      [[...ADMIN, '--publish-token', none], /no token/],
      [[...ADMIN, '--publish-token', `${none}-at-all`], /No such file/],
      [['--publish-token', none], /needs admin/],
      [[...ADMIN, '--rate-publish', 'often'], /rate-publish: expected a rate/],
    ]) {
      const { status, stderr } = check(...args);
      assert.equal(status, 2);
      assert.match(stderr, why);
    }
  });

  test('without publish-token publishing is off', async () => {
    const closed = await startServer({ args: ADMIN });
    const how = { method: 'POST', headers: { ...json, ...bearer(TOKEN) }, body: '{}' };
    const answer = await visitor.asks(`${await adminOf(closed)}/publish`, how);
    assert.equal(answer.status, 404);
    assert.match(answer.body, /publish-token/);
    await closed.ends();
  });
});
