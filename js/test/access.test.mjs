// SPDX-License-Identifier: MIT
/**
 * Bans: what they cover, the store that tabs share, asking a server of another origin why it
 * refused, and what a connection does with all that. Storage, fetch, clock and sockets are fakes.
 */
import '../src/part-access.mjs';
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Bans, banKeyOf, policyPathCounts } from '../src/access/bans.mjs';
import { ServerConnection } from '../src/connection.mjs';
import { ExpiringStore } from '../src/access/expiring-store.mjs';
import { parseRefusal } from '../src/access/refusal.mjs';
import { CLOSE, verdict } from '../src/proto/close-codes.mjs';
import { fakeConnection, fakeScope, SESSION } from './fakes.mjs';

const settled = () => new Promise((resolve) => setImmediate(resolve));
const KEY = Object.freeze({
  origin: 'https://a.example',
  target: 'https://b.example',
  path: '/feed',
});
const DENIED = Object.freeze({ code: 4401, reason: 'script-denied', retryAfter: 60 });

/** A localStorage that holds `room` characters. */
class FakeStorage {
  items = new Map();
  room = Infinity;
  get length() {
    return this.items.size;
  }
  key(i) {
    return [...this.items.keys()][i] ?? null;
  }
  getItem(key) {
    return this.items.get(key) ?? null;
  }
  setItem(key, value) {
    if (this.items.size * 50 >= this.room) throw new DOMException('full', 'QuotaExceededError');
    this.items.set(key, String(value));
  }
  removeItem(key) {
    this.items.delete(key);
  }
}

/** Bans with a clock of their own. Tabs share `storage`. */
function bansOn(storage = new FakeStorage(), clock = { time: 1e12 }) {
  const store = new ExpiringStore(() => storage);
  return { bans: new Bans(store, () => clock.time), store, clock, storage };
}

// Bans and their reach

for (const row of JSON.parse(
  readFileSync(new URL('../../tests/vectors/bans.json', import.meta.url), 'utf8'),
))
  test(`vector: ${row.why}: ${row.refused} by ${row.policy || 'nothing'}`, () => {
    assert.equal(policyPathCounts(row.policy, row.refused), row.counts);
    const { bans } = bansOn();
    bans.add({ ...KEY, path: row.refused }, DENIED, row.policy);
    for (const path of row.banned) assert.equal(bans.check({ ...KEY, path })?.retryAfter, 60, path);
    for (const path of row.free) assert.equal(bans.check({ ...KEY, path }), null, path);
  });

test('a ban is for one page origin, one target, one path, and ends when its time is over', () => {
  const { bans, clock } = bansOn();
  bans.add(KEY, DENIED);
  assert.deepEqual(bans.check(KEY), { ...DENIED, refused: true });
  for (const other of [
    { origin: 'https://c.example' },
    { target: 'http://b.example' },
    { path: '/other' },
  ])
    assert.equal(bans.check({ ...KEY, ...other }), null);
  clock.time += 58_500;
  assert.equal(bans.check(KEY).retryAfter, 2, 'rounded up');
  clock.time += 1_500;
  assert.equal(bans.check(KEY), null);
});

test('of a wide and a narrow ban the longer one is told', () => {
  const { bans } = bansOn();
  bans.add({ ...KEY, path: '/chat/room' }, { ...DENIED, retryAfter: 300 }, '/chat');
  bans.add({ ...KEY, path: '/chat/hall' }, { ...DENIED, retryAfter: 10 });
  assert.equal(bans.check({ ...KEY, path: '/chat/hall' }).retryAfter, 300);
});

test('a ban lasts a day at most, and 0 seconds ban nothing', () => {
  const { bans } = bansOn();
  bans.add(KEY, { ...DENIED, retryAfter: 999_999_999 });
  assert.equal(bans.check(KEY).retryAfter, 86_400);
  const other = { ...KEY, path: '/0' };
  bans.add(other, { ...DENIED, retryAfter: 0 });
  assert.equal(bans.check(other), null);
});

test('what is no refusal, or says no time, keeps nobody away', () => {
  const { bans } = bansOn();
  for (const code of [1000, 1006, 1012, 4404, 4410, 4421, 4500]) bans.add(KEY, { ...DENIED, code });
  bans.add(KEY, { code: 4502, reason: 'program-answer', retryAfter: null });
  assert.equal(bans.check(KEY), null);
});

test('the place of a URL is without its query, and decoded', () => {
  assert.deepEqual(banKeyOf('wss://b.example/ch%61t/r%C3%B8m?x=1', KEY.origin), {
    ...KEY,
    path: '/chat/røm',
  });
  const other = { origin: '', target: 'http://b.example:8080', path: '/%ff' };
  assert.deepEqual(banKeyOf('ws://b.example:8080/%ff', ''), other);
});

// The store

test('another tab, and this one after a reload, know the ban', () => {
  const { bans, storage, clock } = bansOn();
  bans.add(KEY, DENIED);
  assert.deepEqual(bansOn(storage, clock).bans.check(KEY), { ...DENIED, refused: true });
});

test('where there is no storage, where it throws and where it is full, the ban holds for this page', () => {
  const full = new FakeStorage();
  full.room = 0;
  const forbidden = () => {
    throw new DOMException('no', 'SecurityError');
  };
  for (const storage of [() => null, () => undefined, forbidden, () => full]) {
    const bans = new Bans(new ExpiringStore(storage), () => 1e12);
    bans.add(KEY, DENIED);
    assert.equal(bans.check(KEY)?.code, 4401);
  }
});

test('rubbish in the storage is removed, and what others keep there stays', () => {
  const { bans, storage } = bansOn();
  bans.add(KEY, DENIED);
  const [key] = storage.items.keys();
  const rubbish = [
    '',
    'x',
    'null',
    '5',
    '{}',
    '{"until":"x","ms":5}',
    '{"until":null,"ms":9}',
    '[]',
  ];
  for (const text of rubbish) {
    storage.items.set(key, text);
    assert.equal(bans.check(KEY), null, text);
    assert.equal(storage.items.has(key), false, text);
  }
  const entry = (value) => JSON.stringify({ until: 1e12 + 5000, ms: 5000, value });
  for (const value of [undefined, null, 7, {}, { code: 1000 }, { code: '4401' }]) {
    storage.items.set(key, entry(value));
    assert.equal(bans.check(KEY), null, entry(value));
  }
  storage.items.set(key, entry({ code: 4403, reason: ['x'] }));
  assert.deepEqual(bans.check(KEY), { code: 4403, reason: 'x', retryAfter: 5, refused: true });
  storage.items.set('theirs', 'x');
  bans.add({ ...KEY, path: '/more' }, DENIED);
  assert.equal(storage.items.get('theirs'), 'x');
});

test('a note that claims to last a thousand years holds for a day at most', () => {
  const { bans, storage } = bansOn();
  bans.add(KEY, DENIED);
  const [key] = storage.items.keys();
  storage.items.set(
    key,
    JSON.stringify({ until: 1e15, ms: 1e15, value: { code: 4401, reason: 'x' } }),
  );
  assert.equal(bans.check(KEY).retryAfter, 86_400);
});

test('a clock that is set back makes no ban longer', () => {
  const { bans, clock } = bansOn();
  bans.add(KEY, DENIED);
  clock.time -= 3_600_000;
  assert.equal(bans.check(KEY).retryAfter, 60);
});

test('no more than 64 entries are kept in either place, and the first to expire gives way', () => {
  for (const storage of [new FakeStorage(), null]) {
    const { bans } = bansOn(storage);
    const path = (i) => ({ ...KEY, path: `/${i}` });
    for (let i = 0; i < 500; i++)
      bans.add(path(i), { ...DENIED, retryAfter: i === 0 ? 9999 : 100 + i });
    const kept = Array.from({ length: 500 }, (_, i) => bans.check(path(i)) !== null);
    assert.equal(kept.filter(Boolean).length, 64);
    assert.ok(kept[0] && kept[499] && !kept[1]);
    if (storage) assert.equal(storage.items.size, 64);
  }
});

test('expired entries give way to new ones', () => {
  const { bans, clock, storage } = bansOn();
  for (let i = 0; i < 60; i++) bans.add({ ...KEY, path: `/${i}` }, DENIED);
  clock.time += 61_000;
  bans.add(KEY, DENIED);
  assert.equal(storage.items.size, 1);
});

test('a path that is too long for the storage is banned in this page', () => {
  const { bans, storage } = bansOn();
  const long = { ...KEY, path: `/${'x'.repeat(5000)}` };
  bans.add(long, DENIED);
  assert.equal(storage.items.size, 0);
  assert.equal(bans.check(long).code, 4401);
});

// Answers

const headers = (fields) => new Headers(fields);

const refusal = (code, reason, retryAfter, policyPath = '') => ({
  code,
  reason,
  retryAfter,
  policyPath,
});
const denied = (retryAfter, policyPath) => refusal(4401, 'script-denied', retryAfter, policyPath);

for (const [status, reason, more, wanted] of [
  [401, 'script-denied', { 'Retry-After': '90' }, denied(90)],
  [401, 'script-denied', {}, denied(60)],
  [401, 'script-denied', { 'Retry-After': 'Fri, 31 Dec 1999 23:59:59 GMT' }, denied(60)],
  [401, 'script-denied', { 'Access-Control-Policy-Path': '/chat' }, denied(60, '/chat')],
  [403, 'no-record', {}, refusal(4403, 'no-record', 60)],
  [404, 'no-program', {}, refusal(4404, 'no-program', null)],
  [421, 'host-foreign', {}, refusal(4421, 'host-foreign', null)],
  [429, 'rate-limited', { 'Retry-After': '7' }, refusal(4429, 'rate-limited', 7)],
  [502, 'dns-fail', { 'Retry-After': '10' }, refusal(4502, 'dns-fail', 10)],
  [503, 'overload', { 'Retry-After': '5' }, refusal(1013, 'overload', 5)],
  [504, 'dns-timeout', { 'Retry-After': '10' }, refusal(4504, 'dns-timeout', 10)],
  [204, 'ok-record', {}, null],
  [200, 'ok-record', {}, null],
  [500, 'overload', {}, null],
  [403, '', {}, null],
  [403, '<b>Denied</b>', {}, null],
])
  test(`an answer ${status} '${reason}' ${JSON.stringify(more)} means ${wanted?.code ?? 'that the network failed'}`, () => {
    assert.deepEqual(
      parseRefusal(status, headers({ 'Script-Access-Reason': reason, ...more })),
      wanted,
    );
  });

const statuses = JSON.parse(
  readFileSync(new URL('../../tests/vectors/statuses.json', import.meta.url), 'utf8'),
);

test('every row of the vectors: a status ends no session unless the server says why', () => {
  for (const { status, reason, retryAfter, code, then, why } of statuses) {
    const refusal = parseRefusal(
      status,
      headers({
        ...(reason && { 'Script-Access-Reason': reason }),
        ...(retryAfter && { 'Retry-After': retryAfter }),
      }),
    );
    // Without a reason the page can't tell more than that the connection failed.
    const end = refusal ?? { code: CLOSE.ABNORMAL, retryAfter: null };
    assert.equal(verdict(end) === 'final', then === 'final', `${status}: ${why}`);
    if (reason && refusal) assert.deepEqual([end.code, verdict(end)], [code, then], why);
  }
});

test('an answer that does not say why is no answer', () => {
  assert.equal(parseRefusal(403, headers({ 'Retry-After': '5' })), null);
});

// A connection to another origin

/**
 * A connection from a page of https://a.example to a server of another origin. `answers` are the
 * server's answers to the question why.
 */
function foreign({
  answers = [],
  storage,
  store = new ExpiringStore(() => storage),
  ...options
} = {}) {
  const questions = [];
  const fetch = (url, init) => {
    questions.push({ url, init });
    const answer = answers[Math.min(questions.length, answers.length) - 1];
    if (answer === 'never')
      return new Promise((_, reject) =>
        init.signal.addEventListener('abort', () => reject(init.signal.reason)),
      );
    if (!answer) return Promise.reject(new TypeError('Failed to fetch'));
    return Promise.resolve({ status: answer[0], headers: headers(answer[1]), body: null });
  };
  const all = fakeConnection(ServerConnection, {
    url: 'wss://b.example/feed?x=1',
    store,
    fetch,
    ...options,
  });
  return { ...all, questions, store };
}
const scopeOf = (origin, onLine = true) =>
  Object.assign(fakeScope(), { origin, navigator: { onLine } });
const fromA = (options = {}) => foreign({ scope: scopeOf(KEY.origin), ...options });
const REFUSED_403 = [403, { 'Script-Access-Reason': 'no-record', 'Retry-After': '60' }];
const NOTHING = [204, { 'Script-Access-Reason': 'ok-record' }];

test('a handshake that failed is asked about once, as the protocol has it, and the answer closes', async () => {
  const { last, made, questions, events, clock, c } = fromA({ answers: [REFUSED_403] });
  last().lose();
  await settled();
  assert.equal(questions.length, 1);
  const { url, init } = questions[0];
  assert.equal(url, 'https://b.example/feed?x=1');
  assert.equal(init.headers.Accept, 'application/httpsocket-refusal');
  assert.deepEqual(
    [init.credentials, init.cache, init.redirect, init.method],
    ['omit', 'no-store', 'error', undefined],
  );
  assert.deepEqual(
    events.map((event) => event.type),
    ['close'],
  );
  assert.deepEqual(events[0].data, {
    code: 4403,
    reason: 'no-record',
    retryAfter: 60,
    undelivered: 0,
  });
  assert.equal(c.readyState, ServerConnection.CLOSED);
  clock.advance(3_600_000);
  await settled();
  assert.equal(made.length, 1);
  assert.equal(questions.length, 1);
  assert.equal(clock.pending, 0);
});

test('in a ban a new connection fails at once, without a packet, with what remains', async () => {
  const first = fromA({
    answers: [[401, { 'Script-Access-Reason': 'script-denied' }]],
    storage: new FakeStorage(),
  });
  first.last().lose();
  await settled();
  first.clock.advance(20_000);
  const second = fromA({ store: first.store, clock: first.clock });
  assert.equal(second.c.readyState, ServerConnection.CLOSED);
  await settled();
  assert.equal(second.made.length + second.questions.length, 0);
  assert.deepEqual(
    second.events.map((event) => [event.type, event.data]),
    [['close', { code: 4401, reason: 'script-denied', retryAfter: 40, undelivered: 0 }]],
  );
  first.clock.advance(40_000);
  assert.equal(
    fromA({ store: first.store, clock: first.clock }).made.length,
    1,
    'a minute after a plain 401',
  );
});

test('a Policy-Path keeps other paths away too, and no other target', async () => {
  const { last, store, clock } = fromA({
    answers: [
      [401, { 'Script-Access-Reason': 'script-denied', 'Access-Control-Policy-Path': '/' }],
    ],
  });
  last().lose();
  await settled();
  assert.equal(fromA({ store, clock, url: 'wss://b.example/other' }).made.length, 0);
  assert.equal(fromA({ store, clock, url: 'wss://c.example/feed' }).made.length, 1);
});

test('our own server says why by its close code: nobody is asked, and the ban is kept all the same', async () => {
  const { last, questions, store, clock, made } = fromA({ url: 'wss://a.example/feed' });
  last().lose();
  await settled();
  assert.equal(questions.length, 0);
  clock.advance(1_000);
  assert.equal(made.length, 2, 'the network: tried again');
  last().accept();
  last().lose(4401, 'script-denied retry=30');
  const again = fromA({ url: 'wss://a.example/feed', store, clock });
  await settled();
  assert.equal(again.made.length, 0);
  assert.equal(again.events[0].retryAfter, 30);
});

test('a refusal of an open connection, as for a withdrawn record, is a ban', async () => {
  const { last, store, clock, events } = fromA();
  last().welcome();
  last().lose(4403, 'revoked retry=60');
  await settled();
  assert.deepEqual([events.at(-1).code, events.at(-1).reason], [4403, 'revoked']);
  assert.equal(fromA({ store, clock }).made.length, 0);
});

for (const [what, answer] of [
  ['nothing is against it', NOTHING],
  ['the question fails too', null],
  ['the answer is not understood', [200, {}]],
])
  test(`where ${what}, the connection was lost: a new attempt, and no new question`, async () => {
    const { last, made, questions, clock, names } = fromA({ answers: [answer] });
    for (let i = 0; i < 3; i++) {
      last().lose();
      await settled();
      clock.advance(2_000);
    }
    assert.equal(made.length, 4);
    assert.equal(questions.length, 1);
    assert.deepEqual(names(), ['error', 'error', 'error']);
  });

test('in a long failure every fourth handshake at most is asked about', async () => {
  const { last, questions, clock, made } = fromA();
  while (made.length < 41) {
    last().lose();
    await settled();
    clock.advance(30_000);
  }
  assert.equal(questions.length, 11, 'the first, and every fourth of forty');
});

test('a session that was open asks only when four handshakes in a row have failed', async () => {
  const { last, questions, clock, made, events } = fromA({ answers: [REFUSED_403] });
  last().welcome();
  last().receive('x');
  last().lose();
  while (events.at(-1).type !== 'close') {
    assert.ok(made.length <= 5);
    last().lose();
    await settled();
    clock.advance(10_000);
  }
  assert.equal(made.length, 5);
  assert.equal(questions.length, 1);
  assert.equal(events.at(-1).code, 4403);
});

test('what was open and drops is no handshake that failed', async () => {
  const { last, questions, clock } = fromA();
  for (let i = 0; i < 10; i++) {
    last().accept();
    last().lose();
    clock.advance(30_000);
  }
  await settled();
  assert.equal(questions.length, 0);
});

test('offline nobody is asked; when the network is back, a failure is', async () => {
  const scope = scopeOf(KEY.origin, false);
  const { last, questions, clock } = foreign({ scope });
  for (let i = 0; i < 6; i++) {
    last().lose();
    await settled();
    clock.advance(30_000);
  }
  assert.equal(questions.length, 0);
  scope.navigator.onLine = true;
  last().lose();
  await settled();
  assert.equal(questions.length, 1);
});

test('one URL is asked about once in 10 s, by all tabs together', async () => {
  const storage = new FakeStorage();
  const first = fromA({ storage });
  first.last().lose();
  const second = fromA({ store: new ExpiringStore(() => storage), clock: first.clock });
  second.last().lose();
  await settled();
  assert.equal(first.questions.length + second.questions.length, 1);
  const elsewhere = fromA({
    store: new ExpiringStore(() => storage),
    clock: first.clock,
    url: 'wss://b.example/other',
  });
  elsewhere.last().lose();
  await settled();
  assert.equal(elsewhere.questions.length, 1);
  first.clock.advance(10_000);
  second.last().lose();
  await settled();
  assert.equal(second.questions.length, 1, 'its question was still due');
});

test('a tab that waits to try again hears of a ban that another tab has got, and makes no attempt', async () => {
  const storage = new FakeStorage();
  const waiting = fromA({ storage });
  waiting.last().lose();
  await settled();
  new Bans(new ExpiringStore(() => storage), waiting.clock.date).add(KEY, DENIED);
  waiting.clock.advance(10_000);
  await settled();
  assert.equal(waiting.made.length, 1);
  assert.equal(waiting.events.at(-1).type, 'close');
  assert.equal(waiting.events.at(-1).code, 4401);
});

test('a session that exists outlives a ban: it comes back when that is over', async () => {
  const storage = new FakeStorage();
  const { last, made, clock, scope, c } = fromA({ storage });
  last().welcome();
  last().receive('x');
  new Bans(new ExpiringStore(() => storage), clock.date).add(KEY, DENIED);
  last().lose();
  assert.equal(made.length, 1);
  scope.fire('online');
  clock.advance(59_000);
  assert.equal(made.length, 1);
  clock.advance(3_000);
  assert.equal(made.length, 2);
  last().welcome({ resumed: true });
  assert.equal(c.readyState, ServerConnection.OPEN);
});

test("a page's own session waits for the end of a ban rather than end by it", () => {
  const storage = new FakeStorage();
  const store = new ExpiringStore(() => storage);
  store.set(
    'at https://a.example https://a.example/page',
    { code: 4401, reason: 'script-denied' },
    30_000,
    1e12 + 1000,
  );
  const { made, clock, c } = fromA({ url: 'wss://a.example/page', store, session: SESSION });
  assert.equal(c.readyState, ServerConnection.CONNECTING);
  assert.equal(made.length, 0);
  clock.advance(31_000);
  assert.equal(made.length, 1);
});

for (const [status, code, reason, retry] of [
  [429, 4429, 'rate-limited', 20],
  [502, 4502, 'dns-fail', 10],
  [503, 1013, 'overload', 5],
  [504, 4504, 'dns-timeout', 10],
])
  test(`after ${status} an open page comes back by itself when the time is over`, async () => {
    const { last, made, clock, events } = fromA({
      answers: [[status, { 'Script-Access-Reason': reason, 'Retry-After': String(retry) }]],
    });
    last().lose();
    await settled();
    assert.equal(events.at(-1).type, 'error');
    assert.deepEqual(events.at(-1).data.data, { code, reason, retryAfter: retry, policyPath: '' });
    clock.advance(retry * 1000 - 1);
    assert.equal(made.length, 1);
    clock.advance(1_000);
    assert.equal(made.length, 2);
  });

test('a new connection waits for a server out of order, and fails at once in a ban', async () => {
  const { store, clock } = fromA();
  const bans = new Bans(store, clock.date);
  bans.add(KEY, { code: 4504, reason: 'dns-timeout', retryAfter: 10 });
  const waiting = fromA({ store, clock });
  await settled();
  assert.equal(waiting.made.length, 0);
  assert.deepEqual(waiting.names(), ['error']);
  clock.advance(11_000);
  assert.equal(waiting.made.length, 1);
  bans.add(KEY, { code: 4429, reason: 'banned', retryAfter: 10 });
  const refused = fromA({ store, clock });
  await settled();
  assert.equal(refused.events[0].code, 4429);
});

test('a question that nobody answers is given up after 10 s', async () => {
  const { last, made, clock, questions } = fromA({ answers: ['never'] });
  last().lose();
  await settled();
  clock.advance(10_000);
  await settled();
  assert.ok(questions[0].init.signal.aborted);
  clock.advance(1_000);
  assert.equal(made.length, 2);
});

test('close() while the question is open ends at once, without the answer', async () => {
  const { c, last, names, questions, clock } = fromA({ answers: ['never'] });
  last().lose();
  c.close();
  await settled();
  assert.deepEqual(names(), ['close']);
  assert.ok(questions[0].init.signal.aborted);
  assert.equal(clock.pending, 0);
});

test('a page that is put away while the question is open asks no more, and connects when it is shown', async () => {
  const { last, made, scope, questions, c } = fromA({ answers: ['never'] });
  last().lose();
  scope.fire('pagehide', { persisted: true });
  await settled();
  assert.ok(questions[0].init.signal.aborted);
  scope.fire('pageshow');
  assert.equal(made.length, 2);
  last().welcome();
  assert.equal(c.readyState, ServerConnection.OPEN);
});

test('in Node the origin comes from the WebSocket, and without one nobody is asked', async () => {
  const node = (webSocketOptions) =>
    foreign({ scope: null, webSocketOptions, answers: [REFUSED_403] });
  const known = node({ origin: KEY.origin });
  known.last().lose();
  await settled();
  assert.equal(known.questions[0].init.headers.Origin, KEY.origin);
  assert.equal(known.events[0].code, 4403);
  const unknown = node(undefined);
  unknown.last().lose();
  await settled();
  assert.equal(unknown.questions.length, 0);
});
