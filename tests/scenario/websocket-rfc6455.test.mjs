// SPDX-License-Identifier: MIT
// Every rule that RFC 6455 has for servers, each test named after its section, on real sockets
// against the echo example.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { BUILD, startProgram } from '../lib/server.mjs';
import {
  ACCEPT,
  KEY,
  OP,
  RawSocket,
  RawWebSocket,
  chop,
  closeFrame,
  fragments,
  frame,
  handshake,
  readHead,
} from '../lib/ws-raw.mjs';

let server;
before(async () => (server = await startProgram(path.join(BUILD, 'examples/echo'), ['0'])));
after(async () => assert.deepEqual(await server.stop(), { code: 0, signal: null }));

const text = (payload) => ({ op: OP.TEXT, payload: Buffer.from(payload) });
const binary = (payload) => ({ op: OP.BINARY, payload: Buffer.from(payload) });
const pong = (payload) => ({ op: OP.PONG, payload: Buffer.from(payload) });
const code = (n) => Buffer.from([n >> 8, n & 255]);

function assertFrames(actual, expected) {
  const short = (frames) =>
    frames.map(
      ({ op, payload }) => `${op}:${payload.length}:${payload.subarray(0, 40).toString('latin1')}`,
    );
  assert.deepEqual(short(actual), short(expected));
  for (const [i, { payload }] of expected.entries())
    assert.ok(actual[i].payload.equals(payload), `payload of frame ${i}`);
}

/**
 * The server answers the pieces with `expected`, then a close with exactly
 * this payload, and ends the connection.
 */
async function closes(pieces, payload, expected = []) {
  const client = await RawWebSocket.open(server.port);
  const all = client.rest();
  await client.send(pieces);
  const frames = await all;
  client.end();
  assertFrames(frames, [...expected, { op: OP.CLOSE, payload: Buffer.from(payload) }]);
  assert.equal(client.error, null);
}

/** What comes back is exactly `expected`, and the answer to our close. */
const echoes = (pieces, expected) => closes([...pieces, closeFrame(1000)], code(1000), expected);

/** The server fails the connection with `code` by itself, after `expected`. */
async function fails(pieces, expectedCode, expected = []) {
  const client = await RawWebSocket.open(server.port);
  const all = client.rest();
  await client.send(pieces);
  const frames = await all;
  client.end();
  const closing = frames.pop();
  assert.equal(closing?.op, OP.CLOSE);
  assert.equal(closing.payload.readUInt16BE(0), expectedCode);
  assertFrames(frames, expected);
  assert.equal(client.error, null, 'no reset: the close frame arrives');
}

/** The same frames as single writes, as one write and byte by byte. */
function threeWays(name, frames, check) {
  test(`${name}: frame by frame`, () => check(frames));
  test(`${name}: in one chop`, () => check([Buffer.concat(frames)]));
  test(`${name}: byte by byte`, () => check(chop(Buffer.concat(frames), 1)));
}

describe('4 the opening handshake', () => {
  async function answer(bytes) {
    const raw = await RawSocket.connect(server.port);
    raw.socket.write(bytes);
    const head = await readHead(raw);
    raw.destroy();
    return head;
  }

  const accepted = {
    '4.2.1 a whole handshake on any path': handshake(),
    '4.2.1 names of headers and of the protocol are compared without case': handshake({
      Upgrade: null,
      Connection: null,
      UPGRADE: 'WebSocket',
      connection: 'keep-alive, UPGRADE',
    }),
    '4.2.1 upgrade may stand among other tokens, in several headers': handshake({
      Connection: ['keep-alive', 'upgrade'],
    }),
    '4.2.1 an absolute target is taken': handshake({}, { line: 'GET http://127.0.0.1/x HTTP/1.1' }),
    '4.2.1 any Origin is taken by this server': handshake({ Origin: 'https://elsewhere.example' }),
    '4.2.1 unknown headers are ignored': handshake({ Cookie: 'a=b', 'X-Other': 'yes' }),
  };
  for (const [name, request] of Object.entries(accepted)) {
    test(name, async () => {
      const { status, headers } = await answer(request);
      assert.equal(status, 101);
      assert.equal(headers.upgrade.toLowerCase(), 'websocket');
      assert.equal(headers.connection.toLowerCase(), 'upgrade');
    });
  }

  test('4.2.2 Sec-WebSocket-Accept is made of the key (the example of 1.3)', async () => {
    assert.equal(
      (await answer(handshake({ 'Sec-WebSocket-Key': KEY }))).headers['sec-websocket-accept'],
      ACCEPT,
    );
  });

  test('4.2.2 no subprotocol and no extension is answered that was not agreed on', async () => {
    const { headers } = await answer(
      handshake({
        'Sec-WebSocket-Protocol': 'chat, superchat',
        'Sec-WebSocket-Extensions': 'x-unknown; a=1',
      }),
    );
    assert.equal(headers['sec-websocket-protocol'], undefined);
    assert.equal(headers['sec-websocket-extensions'], undefined);
  });

  test('4.2.2 an answer of 101 has no body and no length', async () => {
    const { headers } = await answer(handshake());
    assert.equal(headers['content-length'], undefined);
    assert.equal(headers['transfer-encoding'], undefined);
  });

  test('4.4 another version is refused with 426 and the one that we speak', async () => {
    for (const version of ['8', '12', '14', '255']) {
      const { status, headers } = await answer(handshake({ 'Sec-WebSocket-Version': version }));
      assert.equal(status, 426);
      assert.equal(headers['sec-websocket-version'], '13');
    }
  });

  const refused = {
    '4.2.1 the method is GET': [handshake({}, { line: 'POST / HTTP/1.1' }), [400, 405, 426]],
    '4.2.1 the version of HTTP is 1.1 at least': [
      handshake({}, { line: 'GET / HTTP/1.0' }),
      [400, 426],
    ],
    '4.2.1 Host is there': [handshake({ Host: null }), [400]],
    '4.2.1 Host is there once': [handshake({ Host: ['a', 'b'] }), [400]],
    '4.2.1 Upgrade is there': [handshake({ Upgrade: null }), [400, 426]],
    '4.2.1 Upgrade names websocket': [handshake({ Upgrade: 'h2c' }), [400, 426]],
    '4.2.1 Connection names upgrade': [handshake({ Connection: 'keep-alive' }), [400, 426]],
    '4.2.1 the key is there': [handshake({ 'Sec-WebSocket-Key': null }), [400]],
    '4.2.1 the key is there once': [handshake({ 'Sec-WebSocket-Key': [KEY, KEY] }), [400]],
    '4.2.1 the key is 16 bytes in Base64': [
      handshake({ 'Sec-WebSocket-Key': 'dG9vIHNob3J0' }),
      [400],
    ],
    '4.2.1 the key is Base64 at all': [
      handshake({ 'Sec-WebSocket-Key': '!!!!!!!!!!!!!!!!!!!!!!==' }),
      [400],
    ],
    '4.2.1 the key is not empty': [handshake({ 'Sec-WebSocket-Key': '' }), [400]],
    '4.2.1 the version is there': [handshake({ 'Sec-WebSocket-Version': null }), [400, 426]],
    '4.2.1 the version is there once': [
      handshake({ 'Sec-WebSocket-Version': ['13', '8'] }),
      [400, 426],
    ],
    '9.1 an extension header keeps its grammar': [
      handshake({ 'Sec-WebSocket-Extensions': 'a b; =' }),
      [400],
    ],
  };
  for (const [name, [request, statuses]] of Object.entries(refused)) {
    test(`${name}: otherwise it is refused`, async () => {
      const { status } = await answer(request);
      assert.ok(statuses.includes(status), `status ${status}`);
    });
  }

  test('4.2.1 an ordinary request is told to upgrade', async () => {
    const { status, headers } = await answer('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.equal(status, 426);
    assert.equal(headers.upgrade, 'websocket');
  });

  test('4.1 a handshake that comes byte by byte is taken', async () => {
    const raw = await RawWebSocket.connect(server.port);
    await raw.send(chop(Buffer.from(handshake()), 1));
    assert.equal((await readHead(raw)).status, 101);
    await raw.send(frame(OP.TEXT, 'a'));
    assertFrames([await raw.next()], [text('a')]);
    raw.destroy();
  });

  test('4.1 frames that come together with the handshake are not lost', async () => {
    const raw = await RawWebSocket.connect(server.port);
    const [head, tail] = chop(frame(OP.BINARY, 'b'.repeat(30)), 20);
    await raw.send(Buffer.concat([Buffer.from(handshake()), frame(OP.TEXT, 'at once'), head]));
    assert.equal((await readHead(raw)).status, 101);
    assertFrames([await raw.next()], [text('at once')]);
    await raw.send(tail);
    assertFrames([await raw.next()], [binary('b'.repeat(30))]);
    raw.destroy();
  });
});

describe('5.1 and 5.3 masking', () => {
  test('5.1 a frame without a mask fails the connection with 1002', () =>
    fails([frame(OP.TEXT, 'x', { mask: null })], 1002));
  test('5.1 a control frame without a mask too', () =>
    fails([frame(OP.PING, '', { mask: null })], 1002));
  test('5.1 a close without a mask too', () => fails([closeFrame(1000, '', { mask: null })], 1002));
  test('5.1 it is refused before its payload has come', async () => {
    await fails([frame(OP.TEXT, 'x'.repeat(60000), { mask: null }).subarray(0, 2)], 1002);
  });
  test('5.3 any mask will do, also zero, on any alignment', async () => {
    const masks = [
      [0, 0, 0, 0],
      [255, 255, 255, 255],
      [1, 2, 3, 4],
      [0x80, 0, 0x7f, 0xff],
    ];
    const sizes = [
      0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 1000,
    ];
    const payloads = sizes.map((n) =>
      Buffer.from(Array.from({ length: n }, (_, i) => (i * 7) & 255)),
    );
    const sent = masks.flatMap((mask) => payloads.map((p) => frame(OP.BINARY, p, { mask })));
    await echoes(
      [Buffer.concat(sent)],
      masks.flatMap(() => payloads.map(binary)),
    );
  });
});

// The families are numbered as in the Autobahn test suite, so that a result there is found here.
describe('5.2, 5.6 family 1: framing', () => {
  for (const [family, op, say, fill] of [
    ['1.1', OP.TEXT, text, '*'],
    ['1.2', OP.BINARY, binary, '\xfe'],
  ]) {
    const filled = (size) => Buffer.alloc(size, fill, 'latin1');
    for (const size of [0, 125, 126, 127, 128, 65535, 65536]) {
      test(`${family} ${size} bytes`, () => echoes([frame(op, filled(size))], [say(filled(size))]));
    }
    test(`${family} 65536 bytes in chops of 997`, () =>
      echoes(chop(frame(op, filled(65536)), 997), [say(filled(65536))]));
    for (const size of [0, 1, 125, 126, 300]) {
      test(`${family} ${size} bytes, byte by byte`, () =>
        echoes(chop(frame(op, filled(size)), 1), [say(filled(size))]));
    }
  }
  test('5.2 a 16-bit length below 126 is refused', () =>
    fails([Buffer.from([0x81, 0xfe, 0, 125])], 1002));
  test('5.2 a 64-bit length below 65536 is refused', () =>
    fails([Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff])], 1002));
  test('5.2 a length with its top bit is refused', () =>
    fails([Buffer.from([0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0])], 1002));
});

describe('5.5.2, 5.5.3 family 2: pings and pongs', () => {
  const bytes = Buffer.from([0, 255, 254, 253, 252, 251, 0, 255]);
  const full = Buffer.alloc(125, 0xfe);
  test('2.1 a ping without payload', () => echoes([frame(OP.PING)], [pong('')]));
  test('2.2 a ping with text', () =>
    echoes([frame(OP.PING, 'Hello, world!')], [pong('Hello, world!')]));
  test('2.3 a ping with bytes', () => echoes([frame(OP.PING, bytes)], [pong(bytes)]));
  test('2.4 a ping of 125 bytes', () => echoes([frame(OP.PING, full)], [pong(full)]));
  test('2.5 a ping of 126 bytes is refused', () =>
    fails([frame(OP.PING, Buffer.alloc(126))], 1002));
  test('2.5 as soon as its header says so', () =>
    fails([frame(OP.PING, Buffer.alloc(126)).subarray(0, 2)], 1002));
  test('2.6 a ping of 125 bytes, byte by byte', () =>
    echoes(chop(frame(OP.PING, full), 1), [pong(full)]));
  test('2.7 a pong that nobody asked for, empty', () => echoes([frame(OP.PONG)], []));
  test('2.8 a pong that nobody asked for, with payload', () =>
    echoes([frame(OP.PONG, 'unsolicited')], []));
  test('2.9 a pong, then a ping', () =>
    echoes([frame(OP.PONG, 'unsolicited'), frame(OP.PING, 'ping')], [pong('ping')]));
  const ten = Array.from({ length: 10 }, (_, i) => `payload-${i}`);
  test('2.10 ten pings', () =>
    echoes(
      ten.map((p) => frame(OP.PING, p)),
      ten.map(pong),
    ));
  test('2.11 ten pings, byte by byte', () =>
    echoes(
      ten.flatMap((p) => chop(frame(OP.PING, p), 1)),
      ten.map(pong),
    ));
});

describe('5.2 family 3: reserved bits', () => {
  const hello = frame(OP.TEXT, 'Hello');
  test('3.1 RSV 1 on a text', () => fails([frame(OP.TEXT, 'x', { rsv: 1 })], 1002));
  threeWays(
    '3.2 to 3.4 RSV 2 after a good text',
    [hello, frame(OP.TEXT, 'x', { rsv: 2 }), frame(OP.PING)],
    (pieces) => fails(pieces, 1002, [text('Hello')]),
  );
  test('3.5 RSV 5 on a binary', () => fails([frame(OP.BINARY, 'x', { rsv: 5 })], 1002));
  test('3.6 RSV 6 on a ping', () => fails([frame(OP.PING, 'x', { rsv: 6 })], 1002));
  test('3.7 RSV 7 on a close', () => fails([closeFrame(1000, '', { rsv: 7 })], 1002));
  for (const rsv of [1, 2, 3, 4, 5, 6, 7]) {
    test(`5.2 RSV ${rsv} on a continuation`, () =>
      fails([frame(OP.TEXT, 'a', { fin: false }), frame(OP.CONTINUATION, 'b', { rsv })], 1002));
  }
});

describe('5.2 family 4: opcodes', () => {
  for (const [family, ops] of [
    ['4.1', [3, 4, 5, 6, 7]],
    ['4.2', [11, 12, 13, 14, 15]],
  ]) {
    for (const op of ops) {
      test(`${family} opcode ${op}, empty`, () => fails([frame(op)], 1002));
      test(`${family} opcode ${op} with payload`, () => fails([frame(op, 'reserved')], 1002));
      threeWays(
        `${family} opcode ${op} between a text and a ping`,
        [frame(OP.TEXT, 'Hello'), frame(op, 'x'), frame(OP.PING)],
        (pieces) => fails(pieces, 1002, [text('Hello')]),
      );
    }
  }
});

describe('5.4 family 5: fragmentation', () => {
  const two = fragments(OP.TEXT, ['fragment1', 'fragment2']);
  const whole = text('fragment1fragment2');
  const orphan = (fin) => frame(OP.CONTINUATION, 'orphan', { fin });
  test('5.1 a ping in two fragments', () => fails(fragments(OP.PING, ['a', 'b']), 1002));
  test('5.2 a pong in two fragments', () => fails(fragments(OP.PONG, ['a', 'b']), 1002));
  threeWays('5.3 to 5.5 a text in two fragments', two, (pieces) => echoes(pieces, [whole]));
  threeWays(
    '5.6 to 5.8 a ping between the fragments',
    [two[0], frame(OP.PING, 'ping'), two[1]],
    (pieces) => echoes(pieces, [pong('ping'), whole]),
  );
  threeWays(
    '5.9 to 5.11 a continuation of nothing',
    [orphan(true), frame(OP.TEXT, 'Hello')],
    (pieces) => fails(pieces, 1002),
  );
  threeWays(
    '5.12 to 5.14 a continuation of nothing without FIN',
    [orphan(false), frame(OP.TEXT, 'Hello')],
    (pieces) => fails(pieces, 1002),
  );
  threeWays(
    '5.15 a continuation after the last fragment',
    [...two, orphan(false), frame(OP.TEXT, 'Hello')],
    (pieces) => fails(pieces, 1002, [whole]),
  );
  test('5.16 a continuation of nothing without FIN before a fragmented text', () =>
    fails([orphan(false), ...two], 1002));
  test('5.17 a continuation of nothing before a fragmented text', () =>
    fails([orphan(true), ...two], 1002));
  threeWays('5.18 a text inside a text', [two[0], frame(OP.TEXT, 'b')], (pieces) =>
    fails(pieces, 1002),
  );
  const five = fragments(OP.TEXT, ['f1', 'f2', 'f3', 'f4', 'f5']);
  threeWays(
    '5.19, 5.20 a text in five with pings between',
    [five[0], five[1], frame(OP.PING, 'p1'), five[2], five[3], frame(OP.PING, 'p2'), five[4]],
    (pieces) => echoes(pieces, [pong('p1'), pong('p2'), text('f1f2f3f4f5')]),
  );
  test('5.4 pongs come at once, not when the message is whole', async () => {
    const client = await RawWebSocket.open(server.port);
    await client.send(five[0]);
    await client.send(frame(OP.PING, 'now'));
    assertFrames([await client.next()], [pong('now')]);
    await client.send(five.slice(1));
    assertFrames([await client.next()], [text('f1f2f3f4f5')]);
    client.destroy();
  });
  test('5.4 one message in 65536 fragments of one byte', async () => {
    const payload = Buffer.alloc(65536, 'y');
    await echoes(chop(Buffer.concat(fragments(OP.BINARY, chop(payload, 1))), 65000), [
      binary(payload),
    ]);
  });
});

describe('8.1 family 6: UTF-8', () => {
  const bytes = (...list) => Buffer.from(list.flat());
  const hex = (string) => Buffer.from(string, 'hex');
  const all = (...strings) => strings.map(hex);
  const utf8 = (point) => Buffer.from(String.fromCodePoint(point));
  const good = Buffer.from('Hello-µ@ßöäüàá-UTF-8!!');
  const kosme = hex('cebae1bdb9cf83cebcceb5');
  const bad = Buffer.concat([kosme, hex('eda080'), Buffer.from('edited')]);
  function valid(payload) {
    try {
      new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(payload);
      return true;
    } catch {
      return false;
    }
  }

  test('6.1.1 an empty text', () => echoes([frame(OP.TEXT)], [text('')]));
  test('6.1.2 three empty fragments', () => echoes(fragments(OP.TEXT, ['', '', '']), [text('')]));
  test('6.1.3 the middle one is not empty', () =>
    echoes(fragments(OP.TEXT, ['', 'middle', '']), [text('middle')]));
  test('6.2.1 a good text', () => echoes([frame(OP.TEXT, good)], [text(good)]));
  test('6.2.2 in two fragments between characters', () =>
    echoes(fragments(OP.TEXT, [good.subarray(0, 8), good.subarray(8)]), [text(good)]));
  test('6.2.3 in fragments of one byte', () =>
    echoes(fragments(OP.TEXT, chop(good, 1)), [text(good)]));
  test('6.2.4 in fragments of one byte, inside characters', () =>
    echoes(fragments(OP.TEXT, chop(kosme, 1)), [text(kosme)]));
  test('6.3.1 a bad text', () => fails([frame(OP.TEXT, bad)], 1007));
  test('6.3.2 in fragments of one byte', () => fails(fragments(OP.TEXT, chop(bad, 1)), 1007));

  // Fail fast: the rest of the message is never sent.
  const slow = frame(OP.TEXT, Buffer.concat([kosme, hex('f4908080'), Buffer.from('edited')]));
  const begun = slow.length - hex('f4908080').length - 'edited'.length;
  test('6.4.1 fails at the fragment that is bad', () =>
    fails(
      [
        frame(OP.TEXT, kosme, { fin: false }),
        frame(OP.CONTINUATION, hex('f4908080'), { fin: false }),
      ],
      1007,
    ));
  test('6.4.2 fails at the byte that can not be, in a fragment', () =>
    fails(
      [
        frame(OP.TEXT, Buffer.concat([kosme, hex('f4')]), { fin: false }),
        frame(OP.CONTINUATION, hex('90'), { fin: false }),
      ],
      1007,
    ));
  test('6.4.3 fails inside a frame that has not wholly come', () =>
    fails([slow.subarray(0, begun), slow.subarray(begun, begun + 4)], 1007));
  test('6.4.4 fails at the byte that can not be, inside a frame', () =>
    fails([slow.subarray(0, begun + 1), slow.subarray(begun + 1, begun + 2)], 1007));

  const run = (from, count, ...after) =>
    Array.from({ length: count }, (_, i) => [from + i, ...after]);
  const families = {
    '6.5 texts with NUL and DEL': all('00', '7f', '610062'),
    '6.6 every beginning of a text': Array.from(kosme, (_, i) => kosme.subarray(0, i + 1)),
    '6.7 the first of each length': all('00', 'c280', 'e0a080', 'f0908080'),
    '6.8 lengths five and six': all('f888808080', 'fc8480808080'),
    '6.9 the last of each length': all('7f', 'dfbf', 'efbfbf', 'f7bfbfbf'),
    '6.10 beyond': all('fbbfbfbfbf', 'fdbfbfbfbfbf'),
    '6.11 boundaries': all('ed9fbf', 'ee8080', 'efbfbd', 'f48fbfbf', 'f4908080'),
    '6.12 continuations without a start': [
      ...all('80', 'bf', '80bf', '80bf80', '80bf80bf', '80bf80bf80', '80bf80bf80bf'),
      bytes(...run(0x80, 64)),
    ],
    '6.13 starts without continuation': [
      [0xc0, 32],
      [0xe0, 16],
      [0xf0, 8],
      [0xf8, 4],
      [0xfc, 2],
    ].map(([from, n]) => bytes(...run(from, n, 0x20))),
    '6.14 the last continuation is missing': all(
      'c0',
      'e080',
      'f08080',
      'f8808080',
      'fc80808080',
      'df',
      'efbf',
      'f7bfbf',
      'fbbfbfbf',
      'fdbfbfbfbf',
    ),
    '6.15 several of them': all('c0e080f08080f8808080fc80808080dfefbff7bfbffbbfbfbffdbfbfbfbf'),
    '6.16 bytes that are never': all('fe', 'ff', 'fefeffff'),
    '6.17 overlong': all('c0af', 'e080af', 'f08080af', 'f8808080af', 'fc80808080af'),
    '6.18 overlong at their longest': all(
      'c1bf',
      'e09fbf',
      'f08fbfbf',
      'f887bfbfbf',
      'fc83bfbfbfbf',
    ),
    '6.19 overlong NUL': all('c080', 'e08080', 'f0808080', 'f880808080', 'fc8080808080'),
    '6.20 surrogates': all('eda080', 'edadbf', 'edae80', 'edafbf', 'edb080', 'edbe80', 'edbfbf'),
    '6.21 pairs of surrogates': all(
      'eda080edb080',
      'eda080edbfbf',
      'edadbfedb080',
      'edadbfedbfbf',
      'edae80edb080',
      'edae80edbfbf',
      'edafbfedb080',
      'edafbfedbfbf',
    ),
    '6.22 noncharacters': Array.from({ length: 17 }, (_, plane) => [
      utf8(plane * 65536 + 0xfffe),
      utf8(plane * 65536 + 0xffff),
    ]).flat(),
    '6.23 specials': [0xfeff, 0xfff9, 0xfffa, 0xfffb, 0xfffc, 0xfffd, 0x10fffd].map(utf8),
  };
  for (const [name, payloads] of Object.entries(families)) {
    for (const payload of payloads) {
      const shown = `${name}: ${payload.toString('hex').slice(0, 48)}`;
      if (valid(payload)) {
        test(`${shown} is taken, whole and in any pieces`, () =>
          echoes(
            [
              frame(OP.TEXT, payload),
              ...chop(frame(OP.TEXT, payload), 1),
              ...fragments(OP.TEXT, chop(payload, 1)),
            ],
            [text(payload), text(payload), text(payload)],
          ));
      } else {
        test(`${shown} is refused`, () => fails([frame(OP.TEXT, payload)], 1007));
        test(`${shown} is refused in pieces`, () =>
          fails(fragments(OP.TEXT, ['ok', ...chop(payload, 1), '']), 1007));
      }
      test(`${shown} is taken as bytes`, () =>
        echoes([frame(OP.BINARY, payload)], [binary(payload)]));
    }
  }
});

describe('5.5.1, 7 family 7: closing', () => {
  const half = fragments(OP.TEXT, ['fragment1', 'fragment2']);
  const big = Buffer.alloc(256 * 1024, 'B');
  test('7.1.1 a message, then a close', () =>
    closes([frame(OP.TEXT, 'Hello'), closeFrame(1000)], code(1000), [text('Hello')]));
  test('7.1.2 two closes', () =>
    closes([Buffer.concat([closeFrame(1000), closeFrame(1000)])], code(1000)));
  test('7.1.3 a ping after the close is not answered', () =>
    closes([Buffer.concat([closeFrame(1000), frame(OP.PING, 'x')])], code(1000)));
  test('7.1.4 a text after the close is not answered', () =>
    closes([Buffer.concat([closeFrame(1000), frame(OP.TEXT, 'x')])], code(1000)));
  test('7.1.5 a close between fragments', () =>
    closes([Buffer.concat([half[0], closeFrame(1000), half[1]])], code(1000)));
  test('7.1.6 a large message, a close, a ping', () =>
    closes([Buffer.concat([frame(OP.TEXT, big), closeFrame(1000), frame(OP.PING)])], code(1000), [
      text(big),
    ]));
  test('7.3.1 a close without payload', () => closes([frame(OP.CLOSE)], ''));
  test('7.3.2 a close of one byte', () => fails([frame(OP.CLOSE, 'a')], 1002));
  test('7.3.3 a close with a code', () => closes([closeFrame(1000)], code(1000)));
  test('7.3.4 a close with a code and a reason', () =>
    closes([closeFrame(1000, 'Hello World!')], code(1000)));
  test('7.3.5 a reason of 123 bytes', () =>
    closes([closeFrame(1000, '*'.repeat(123))], code(1000)));
  test('7.3.6 a reason of 124 bytes', () => fails([closeFrame(1000, '*'.repeat(124))], 1002));
  test('7.5.1 a reason that is not UTF-8', () =>
    fails(
      [closeFrame(1000, Buffer.from('cebae1bdb9cf83cebcceb5eda080656469746564', 'hex'))],
      1007,
    ));
  test('5.5.1 a close byte by byte', () =>
    closes(chop(closeFrame(1001, 'leaving'), 1), code(1001)));
  for (const n of [
    1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
  ]) {
    test(`7.7 code ${n} is taken and given back`, () => closes([closeFrame(n)], code(n)));
  }
  for (const n of [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]) {
    test(`7.9, 7.13 code ${n} is refused`, () => fails([closeFrame(n)], 1002));
  }
  test('7.1.1 the server ends the connection first', async () => {
    const client = await RawWebSocket.open(server.port);
    await client.send(closeFrame(1000));
    // Comes to its end although we have not ended our side.
    assert.equal((await client.rest()).length, 1);
    client.end();
  });
  test('7.1.7 what follows a broken rule is not read', () =>
    fails([Buffer.concat([frame(3), ...Array(1000).fill(frame(OP.PING, 'x'))])], 1002));
  test('7.2.1 a client that vanishes costs the others nothing', async () => {
    const gone = await RawWebSocket.open(server.port);
    await gone.send(frame(OP.TEXT, 'half', { length: 100 }));
    gone.socket.resetAndDestroy();
    await echoes([frame(OP.TEXT, 'still here')], [text('still here')]);
  });
  test('7.2.1 a client that ends its side without a close still gets its answers', async () => {
    const client = await RawWebSocket.open(server.port);
    const all = client.rest();
    await client.send(frame(OP.TEXT, 'last'));
    client.end();
    assertFrames(await all, [text('last')]);
  });
});

describe('5.4, 10.4 family 9: sizes', () => {
  const KiB = 1024;
  const MiB = 1024 * KiB;
  const filled = (size) => Buffer.alloc(size, 'abcdefghijklmnopqrstuvwxyz');
  for (const [last, op, say] of [
    [0, OP.TEXT, text],
    [1, OP.BINARY, binary],
  ]) {
    for (const size of [64 * KiB, 256 * KiB, MiB, 4 * MiB, 8 * MiB, 16 * MiB]) {
      test(`9.${1 + last} ${size} bytes`, () =>
        echoes([frame(op, filled(size))], [say(filled(size))]));
    }
    for (const size of [64, 256, KiB, 4 * KiB, 16 * KiB, 64 * KiB, 256 * KiB, MiB, 4 * MiB]) {
      test(`9.${3 + last} 4 MiB in fragments of ${size}`, () =>
        echoes(
          [Buffer.concat(fragments(op, chop(filled(4 * MiB), size)))],
          [say(filled(4 * MiB))],
        ));
    }
    for (const size of [64, 128, 256, 512, 1024, 2048]) {
      test(`9.${5 + last} 1 MiB in chops of ${size}`, () =>
        echoes(chop(frame(op, filled(MiB)), size), [say(filled(MiB))]));
    }
    for (const size of [0, 16, 64, 256, 1024, 4096]) {
      test(`9.${7 + last} a thousand messages of ${size}, there and back`, async () => {
        const client = await RawWebSocket.open(server.port);
        for (let i = 0; i < 1000; i++) {
          await client.send(frame(op, filled(size)));
          assertFrames([await client.next()], [say(filled(size))]);
        }
        client.destroy();
      });
    }
  }
  test('7.4.1 one byte above 16 MiB is refused with 1009, by its header alone', () =>
    fails([frame(OP.BINARY, '', { length: 16 * MiB + 1 })], 1009));
  test('7.4.1 so is what fragments add up to', () =>
    fails(
      [
        frame(OP.BINARY, filled(16 * MiB), { fin: false }),
        frame(OP.CONTINUATION, '', { length: 1 }),
      ],
      1009,
    ));
  test('10.4 a client that reads nothing is not read either, and gets all in the end', async () => {
    const client = await RawWebSocket.open(server.port);
    const count = 256;
    client.socket.pause();
    for (let i = 0; i < count; i++) client.socket.write(frame(OP.BINARY, filled(256 * KiB)));
    const rss = () =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))[1]) * KiB;
    const before = rss();
    await new Promise((resolve) => untilStill(() => client.socket.writableLength, resolve));
    assert.ok(client.socket.writableLength > 32 * MiB, 'the server stops reading');
    assert.ok(rss() - before < 16 * MiB, 'and keeps little');
    client.socket.resume();
    for (let i = 0; i < count; i++) assert.equal((await client.next()).payload.length, 256 * KiB);
    client.destroy();
  });
});

/** Calls `done` when a figure has not changed over many turns of the loop and 50 ms. */
function untilStill(figure, done, last = figure(), since = Date.now()) {
  setImmediate(() => {
    const now = figure();
    if (now === last && Date.now() - since > 50) done();
    else untilStill(figure, done, now, now === last ? since : Date.now());
  });
}

describe('5.4 family 10: fragments of a large message', () => {
  const payload = Buffer.alloc(65536, '*');
  test('10.1.1 65536 bytes in fragments of 1300', () =>
    echoes([Buffer.concat(fragments(OP.TEXT, chop(payload, 1300)))], [text(payload)]));
});
