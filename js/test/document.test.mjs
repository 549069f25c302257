// SPDX-License-Identifier: MIT
/**
 * `document.serverConnection`: where the session is found, when it connects, and what happens to a
 * stale page. The page is a fake, and the script is the assembled client.all.js.
 */
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';
import { FakeObserver, fakeScope, fakeWebSockets, SESSION } from './fakes.mjs';

const js = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'httpsocket-js-'));
execFileSync(join(js, 'assemble'), ['js', join(js, 'src'), folder]);
const classic = readFileSync(join(folder, 'client.all.js'), 'utf8');
test.after(() => rmSync(folder, { recursive: true }));

const settled = () => new Promise((resolve) => setImmediate(resolve));
const other = (letter) => letter.repeat(24);

/** As much of a page as the client uses. `load()` runs client.js in it. */
function page({
  declared,
  onElement,
  meta,
  timing,
  navigation = {},
  storage = new Map(),
  state = 'loading',
} = {}) {
  const sockets = fakeWebSockets();
  const window = fakeScope();
  const elements = {
    'script[data-session]': onElement && { dataset: { session: onElement } },
    'script[data-sign]': { dataset: { sign: 'off' } },
    'meta[name="httpsocket-session"]': meta && { content: meta },
  };
  const reloads = [];
  const location = {
    href: 'https://a.example/chat/room?x=1#top',
    reload: () => reloads.push(location.href),
  };
  const document = Object.assign(window.document, {
    location,
    baseURI: location.href,
    readyState: state,
    currentScript: declared ? { dataset: { session: declared, sign: 'off' } } : null,
    documentElement: { dataset: {} },
    defaultView: Object.assign(window, { location }),
    querySelector: (selector) => elements[selector] ?? null,
    querySelectorAll: () => [],
  });
  const entry = {
    type: 'navigate',
    transferSize: 900,
    serverTiming: timing ? [{ name: 'db' }, { name: 'session', description: timing }] : [],
    ...navigation,
  };
  const sessionStorage = {
    getItem: (key) => storage.get(key) ?? null,
    setItem: (key, value) => storage.set(key, value),
    removeItem: (key) => storage.delete(key),
  };
  const context = vm.createContext({
    document,
    location,
    sessionStorage: storage === null ? undefined : sessionStorage,
    WebSocket: sockets.WebSocket,
    performance: { now: () => performance.now(), getEntriesByType: () => [entry] },
    addEventListener: window.addEventListener.bind(window),
    dispatchEvent: window.dispatchEvent.bind(window),
    setTimeout: (run, ms) => setTimeout(run, ms).unref(),
    clearTimeout,
    queueMicrotask,
    EventTarget,
    Event,
    URL,
    AbortController,
    MutationObserver: FakeObserver,
    crypto,
    btoa,
    console,
  });
  vm.runInContext(classic, context);
  const parsed = () => {
    document.readyState = 'interactive';
    document.dispatchEvent(new Event('DOMContentLoaded'));
  };
  const end = (code, reason) => sockets.last().lose(code, reason);
  return { ...sockets, window, document, context, reloads, storage, parsed, end };
}

const offered = (p) => p.last()?.protocols[1];

test('the session is found on the script, else in the meta element, else in Server-Timing', () => {
  const all = { declared: other('a'), onElement: other('b'), meta: other('c'), timing: other('d') };
  const cases = [
    [all, 'a'],
    [{ ...all, declared: undefined }, 'b'],
    [{ meta: all.meta, timing: all.timing }, 'c'],
    [{ timing: all.timing }, 'd'],
  ];
  for (const [places, letter] of cases) {
    const p = page(places);
    p.parsed();
    assert.equal(offered(p), `session.${other(letter)}`);
    p.end(1000);
  }
});

test('what is no session id is passed over', () => {
  const p = page({ declared: 'nonsense', meta: '{{session}}', timing: SESSION });
  p.parsed();
  assert.equal(offered(p), `session.${SESSION}`);
  p.end(1000);
});

test('the connection goes to the path that the page came from, whatever the script does to the address', () => {
  const p = page({ meta: SESSION });
  p.document.location.href = 'https://a.example/elsewhere';
  p.parsed();
  assert.equal(p.last().url, 'wss://a.example/chat/room?x=1');
  p.end(1000);
});

test('it connects when first touched, and not twice', () => {
  const p = page({ meta: SESSION });
  assert.equal(p.made.length, 0);
  const c = p.document.serverConnection;
  assert.equal(p.made.length, 1);
  assert.equal(p.document.serverConnection, c);
  p.parsed();
  assert.equal(p.made.length, 1);
  p.end(1000);
});

test('untouched, it connects when the document has been parsed', () => {
  const p = page({ meta: SESSION });
  p.parsed();
  assert.equal(p.made.length, 1);
  p.end(1000);
});

test('a script that comes after the parsing connects at once', () => {
  const p = page({ meta: SESSION, state: 'complete' });
  assert.equal(p.made.length, 1);
  p.end(1000);
});

test('a page without a session makes no attempt, and learns why when it asks', async () => {
  const p = page();
  p.parsed();
  const c = p.document.serverConnection;
  const ends = [];
  c.onclose = (data) => ends.push([data.code, data.reason]);
  assert.equal(c.readyState, 3);
  await settled();
  assert.equal(p.made.length, 0);
  assert.deepEqual(ends, [[4404, 'no-session']]);
});

test('loaded twice, the second copy leaves the first alone', () => {
  const p = page({ meta: SESSION });
  const c = p.document.serverConnection;
  vm.runInContext(classic, p.context);
  assert.equal(p.document.serverConnection, c);
  assert.ok(c instanceof vm.runInContext('ServerConnection', p.context));
  p.end(1000);
});

for (const [what, navigation] of Object.entries({
  'the history': { type: 'back_forward' },
  'a cache': { transferSize: 0 },
  'a cache that says so': { deliveryType: 'cache' },
}))
  for (const code of [4409, 4410])
    test(`a page out of ${what} loads again, once, if its session is gone (${code})`, async () => {
      const p = page({ meta: SESSION, navigation });
      const ends = [];
      p.document.serverConnection.onclose = (data) => ends.push(data.code);
      p.end(code, 'x');
      await settled();
      assert.equal(p.reloads.length, 1);
      assert.deepEqual(ends, []);
      const again = page({ meta: SESSION, navigation, storage: p.storage });
      again.document.serverConnection.onclose = (data) => ends.push(data.code);
      again.end(code, 'x');
      await settled();
      assert.equal(again.reloads.length, 0, 'no loop');
      assert.deepEqual(ends, [code]);
    });

test('a fresh page whose session is gone is not loaded again', async () => {
  const p = page({ meta: SESSION });
  p.parsed();
  p.end(4410, 'session-gone');
  await settled();
  assert.equal(p.reloads.length, 0);
});

test('a stale page is not loaded again where no note of it can be kept', async () => {
  const p = page({ meta: SESSION, navigation: { type: 'back_forward' }, storage: null });
  p.parsed();
  p.end(4410, 'session-gone');
  await settled();
  assert.equal(p.reloads.length, 0);
});

test('a page that has got its session may be loaded again another time', () => {
  const storage = new Map([['httpsocket-reloaded', 'https://a.example/chat/room?x=1#top']]);
  const p = page({ meta: SESSION, storage });
  p.parsed();
  p.last().welcome();
  assert.equal(storage.size, 0);
  p.end(1000);
});

/** A page whose first script has connected, and whose program says these lines. */
function touched(...lines) {
  const p = page({ meta: SESSION });
  const c = p.document.serverConnection;
  p.last().welcome();
  for (const line of lines) p.last().receive(line);
  return { ...p, c, seen: [] };
}

test('a script of the document hears what has come after an earlier script had connected', async () => {
  const { c, seen, last, parsed, end } = touched('history [1]', 'here 2', 'said "x"');
  c.onhistory = (data) => seen.push(data);
  c.onsaid = (data) => seen.push(data);
  c.addEventListener('here', ({ data }) => seen.push(data));
  last().receive('here 3');
  assert.deepEqual(seen, [], 'not before the script has run');
  await settled();
  assert.equal(JSON.stringify(seen), '[[1],2,"x",3]');
  last().receive('here 4');
  assert.equal(seen.at(-1), 4);
  parsed();
  end(1000);
});

test('what no script of the document hears is over when they have run, and what follows is heard', async () => {
  const { c, seen, last, document, end } = touched('nobody 1', 'a 2', 'nobody?1 3');
  c.ona = (data) => seen.push(data);
  await settled();
  assert.deepEqual(seen, [], 'in their order');
  const ready = () => c.handle('nobody', () => seen.push('called'));
  document.addEventListener('DOMContentLoaded', ready);
  document.dispatchEvent(new Event('DOMContentLoaded'));
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(seen, [2, 'called']);
  last().receive('other 1');
  last().receive('a 3');
  assert.deepEqual(seen, [2, 'called', 3]);
  end(1000);
});

test('a call waits for the script that answers it', async () => {
  const { c, last, end, parsed } = touched('sum?1 [1,2]');
  c.handle('sum', ([a, b]) => a + b);
  await settled();
  await settled();
  assert.ok(last().take().includes('=1 3'));
  parsed();
  end(1000);
});

test('a session that ends while an event waits for its listener has said all it said', async () => {
  const { c, seen, end } = touched('nobody 1', 'a 2');
  c.ona = (data) => seen.push(data);
  c.onclose = () => seen.push('close');
  end(1000);
  await settled();
  assert.deepEqual(seen, [2, 'close']);
});

test('a document that has no root for a moment is no failure: a script has opened it anew', async () => {
  const p = page({ meta: SESSION });
  p.document.serverConnection.onopen = () => p.storage.set('open', true);
  p.document.documentElement = null;
  p.last().welcome();
  await settled(); // what a listener throws would end this process
  assert.ok(p.storage.get('open'));
  p.document.documentElement = { dataset: {} };
  p.last().lose(1006, '');
  assert.equal(p.document.documentElement.dataset.httpsocket, 'suspended');
  p.end(1000);
});

const GLOBALS = [
  'ServerConnection',
  'ServerConnectionError',
  'ServerEvent',
  'ServerLifecycleEvent',
  'TCPConnection',
  'TCPConnectionError',
];

test('the classic script defines its globals, and the module exports the same', async () => {
  const { context, document } = page();
  for (const name of GLOBALS) assert.equal(typeof vm.runInContext(name, context), 'function', name);
  const all = await import(join(folder, 'client.mjs'));
  assert.deepEqual(Object.keys(all).sort(), GLOBALS);
  assert.ok(document.serverConnection instanceof vm.runInContext('ServerConnection', context));
});

test('nothing else becomes a global', () => {
  const { context } = page();
  const before = new Set([
    'document',
    'location',
    'sessionStorage',
    'WebSocket',
    'performance',
    'addEventListener',
    'dispatchEvent',
    'setTimeout',
    'clearTimeout',
    'queueMicrotask',
    'EventTarget',
    'Event',
    'URL',
    'AbortController',
    'MutationObserver',
    'crypto',
    'btoa',
    'console',
  ]);
  assert.deepEqual(
    Object.keys(context)
      .filter((name) => !before.has(name))
      .sort(),
    GLOBALS,
  );
});
