// SPDX-License-Identifier: MIT
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import * as wire from '../src/proto/message.mjs';

const vectors = JSON.parse(
  readFileSync(new URL('../../tests/vectors/wire.json', import.meta.url), 'utf8'),
);
const bytesOf = (base64) => Uint8Array.from(Buffer.from(base64, 'base64'));
const parse = (v) =>
  v.frame === 'text' ? wire.parseText(v.message) : wire.parseBinary(bytesOf(v.base64));
const short = (v) => JSON.stringify(v.message ?? v.base64).slice(0, 40);

/** What the vector says, in the shape that our parser gives. */
function expected({ parsed }) {
  const { kind, name, call, word, count, json, bytes } = parsed;
  if (kind === 'ack') return { kind, count: Number(count) };
  const data =
    bytes !== undefined ? bytesOf(bytes).buffer : json === undefined ? null : JSON.parse(json);
  const head = {
    ...(name && { name }),
    ...(call && { call: Number(call) }),
    ...(word && { word }),
  };
  return { kind, ...head, data, bare: json === undefined && bytes === undefined };
}

test('the vectors are all there', () => {
  assert.ok(vectors.length > 300);
  assert.ok(vectors.filter((v) => v.valid).length > 80);
});

test('every valid vector is parsed to what it says', () => {
  for (const v of vectors.filter((v) => v.valid))
    assert.deepEqual(parse(v), expected(v), `${v.why}: ${short(v)}`);
});

test('every invalid vector is refused as an error of the protocol', () => {
  for (const v of vectors.filter((v) => !v.valid))
    assert.throws(() => parse(v), wire.WireError, `${v.why}: ${short(v)}`);
});

/** Formats what a parser gave. */
function format(message) {
  const data = message.bare ? undefined : message.data;
  switch (message.kind) {
    case 'event':
      return wire.formatEvent(message.name, data).payload;
    case 'call':
      return wire.formatCall(message.name, message.call, data).payload;
    case 'answer':
      return wire.formatAnswer(message.call, data).payload;
    case 'part':
      return wire.formatPart(message.call, data).payload;
    case 'command':
    case 'control':
      return wire.formatControl(message.word, data);
    default:
      return null;
  }
}

test('what is parsed and formatted again is parsed to the same', () => {
  for (const v of vectors.filter((v) => v.valid)) {
    const once = parse(v);
    const again = format(once);
    if (again === null || once.data === Infinity) continue; // 1E400 is beyond what a script can say
    assert.deepEqual(
      typeof again === 'string' ? wire.parseText(again) : wire.parseBinary(again),
      once,
      short(v),
    );
  }
});

test('the size of a message is what it has in UTF-8', () => {
  for (const text of ['', 'a', 'ø', '€', '😀', 'a😀ø€', '\u0000\u007f\u0080\u07ff\u0800\uffff'])
    assert.equal(wire.utf8Length(text), Buffer.byteLength(text), JSON.stringify(text));
  assert.equal(wire.formatEvent('a', 'ø').size, 6);
  assert.equal(wire.formatEvent('a', new Uint8Array(10)).size, 12);
});

test('data that JSON has is sent as JSON, undefined as none', () => {
  const cases = [
    [undefined, 'a'],
    [null, 'a null'],
    [0, 'a 0'],
    ['x\n', 'a "x\\n"'],
    [[1, { b: true }], 'a [1,{"b":true}]'],
    [NaN, 'a null'],
    ['\ud800', 'a "\\ud800"'],
    [new Date(0), 'a "1970-01-01T00:00:00.000Z"'],
    [{ a: undefined }, 'a {}'],
  ];
  for (const [data, message] of cases) assert.equal(wire.formatEvent('a', data).payload, message);
});

test('bytes are sent as bytes, and copied', () => {
  const bytes = new Uint8Array([1, 2, 3, 4]);
  const views = [
    bytes,
    bytes.buffer,
    new DataView(bytes.buffer),
    new Uint16Array(bytes.buffer),
    Buffer.from(bytes),
  ];
  for (const view of views) {
    const { payload } = wire.formatEvent('a', view);
    assert.deepEqual([...payload], [97, 10, 1, 2, 3, 4]);
  }
  const { payload } = wire.formatEvent('a', bytes.subarray(1, 3));
  bytes.fill(9);
  assert.deepEqual([...payload], [97, 10, 2, 3]);
  const shared = new Uint8Array(new SharedArrayBuffer(2));
  shared.set([7, 8]);
  assert.deepEqual([...wire.formatEvent('a', shared).payload], [97, 10, 7, 8]);
  assert.deepEqual([...wire.formatEvent('a', shared.buffer).payload], [97, 10, 7, 8]);
});

test('what can not be sent throws, with code unsendable', () => {
  const cycle = {};
  cycle.self = cycle;
  let deep = [];
  for (let i = 0; i < 512; i++) deep = [deep];
  let abyss = [];
  for (let i = 0; i < 200_000; i++) abyss = [abyss];
  const away = new Uint8Array(4);
  structuredClone(away, { transfer: [away.buffer] });
  const wrong = {
    'a function': () => {},
    'a symbol': Symbol('x'),
    'a cycle': cycle,
    'a BigInt': 1n,
    'a BigInt inside': { a: [1n] },
    'a Blob': new Blob(['x']),
    'a Blob inside': { file: new Blob(['x']) },
    'bytes inside': { a: new Uint8Array(2) },
    'a buffer inside': [new ArrayBuffer(2)],
    'a Node buffer inside': { a: Buffer.from('x') },
    'a Map': new Map(),
    'a Set inside': [new Set()],
    'a Promise': Promise.resolve(1),
    '513 levels': deep,
    'more levels than the stack': abyss,
    'bytes that were given away': away,
    'a toJSON that throws': {
      toJSON() {
        throw new Error('no');
      },
    },
  };
  for (const [what, data] of Object.entries(wrong))
    for (const format of [
      (d) => wire.formatEvent('a', d),
      (d) => wire.formatCall('a', 1, d),
      (d) => wire.formatPart(1, d),
    ])
      assert.throws(
        () => format(data),
        { name: 'ServerConnectionError', code: 'unsendable' },
        what,
      );
});

test('512 levels can be sent', () => {
  let deep = [];
  for (let i = 0; i < 511; i++) deep = [deep];
  assert.equal(wire.formatEvent('a', deep).size, 2 + 1024);
});

test('a bad name throws, with code bad-name', () => {
  for (const name of [
    '',
    '.a',
    'a b',
    'a?',
    'é',
    'a\n',
    'n'.repeat(129),
    5,
    null,
    undefined,
    {},
    'a=1',
  ])
    assert.throws(() => wire.formatEvent(name, 1), { code: 'bad-name' }, String(name));
  assert.ok(wire.isName('n'.repeat(128)));
});
