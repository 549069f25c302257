// SPDX-License-Identifier: MIT
/** Large messages of the server in parts (docs/protocol.md, section 11). Sockets are fakes. */
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { ServerConnection } from '../src/connection.mjs';
import { Parts } from '../src/proto/parts.mjs';
import { openConnection } from './fakes.mjs';

const opened = (fields) => openConnection(ServerConnection, {}, fields);
const part = (kind, bytes) => Uint8Array.from([kind, ...Buffer.from(bytes)]).buffer;

test('parts are one message, counted once, with its whole size', () => {
  const { c, last } = opened();
  const heard = [];
  c.addEventListener('a', ({ data }) => heard.push(data));
  const text = Buffer.from('a "blåbær"');
  for (let at = 0; at < text.length - 1; at++) last().receive(part(16, text.subarray(at, at + 1)));
  last().receive('.future'); // between two parts
  assert.deepEqual(heard, []);
  last().receive(part(17, text.subarray(-1)));
  last().receive(part(16, 'a\n12'));
  last().receive(part(18, '34'));
  assert.equal(heard[0], 'blåbær');
  assert.deepEqual(Buffer.from(heard[1]), Buffer.from('1234'));
  assert.equal(heard.length, 2);
});

for (const [what, ...parts] of [
  ['a part without bytes', part(16, '')],
  ['parts that never end', ...Array.from({ length: 30 }, () => part(16, 'x'.repeat(50)))],
  ['a message between two parts', part(16, 'a 1'), 'b 1'],
  ['text that is no UTF-8', part(16, 'a "'), Uint8Array.from([17, 0xff, 0x22]).buffer],
  ['a frame of a stream in parts', part(16, '\x03'), part(18, 'abcd')],
  ['parts in parts', part(16, '\x10'), part(18, 'abcd')],
  ['bytes that are no message', part(16, 'a'), part(18, 'b')],
])
  test(`a server that sends ${what} breaks the protocol`, () => {
    const { c, last } = opened({ maxMessage: 1000 });
    for (const message of parts) last().receive(message);
    assert.equal(c.readyState, ServerConnection.CLOSED);
  });

const vectors = JSON.parse(
  readFileSync(new URL('../../tests/vectors/parts.json', import.meta.url), 'utf8'),
);
for (const { size, has, from, parts: following, why } of vectors.filter((row) => row.from))
  test(`a message goes on behind what has come: ${why}`, () => {
    const message = Buffer.from(Array.from({ length: size }, (_, i) => (i * 7919) % 127));
    const parts = new Parts();
    parts.take(Uint8Array.from([16, ...message.subarray(0, has)]), size);
    assert.equal(parts.offer, `parts.${has}`);
    parts.goOn(from);
    const taken = following.map(([kind, at, length]) =>
      parts.take(Uint8Array.from([kind, ...message.subarray(at, at + length)]), size),
    );
    const whole = taken.pop();
    assert.deepEqual(Buffer.from(whole), message);
    assert.ok(taken.every((piece) => piece === null));
    assert.equal(parts.offer, 'parts');
  });

/** Sends each message in parts of 5 bytes, as the client asks, until `left` pieces have gone. */
function sendParts(socket, messages, left, { anew = false, resumed = true } = {}) {
  const asked = (word) =>
    Number(socket.protocols.find((p) => p.startsWith(`${word}.`))?.slice(word.length + 1) ?? 0);
  let at = anew ? 0 : asked('parts');
  socket.welcome({ resumed, ...(at && { parts: at }) });
  for (const message of messages.slice(asked('received'))) {
    for (; at < message.length; at += 5) {
      if (left-- === 0) return socket.lose();
      socket.receive(part(at + 5 < message.length ? 16 : 17, message.slice(at, at + 5)));
    }
    at = 0;
  }
}

for (const anew of [false, true])
  test(`cut wherever, a message comes once, from ${anew ? 'its start' : 'there'} on`, () => {
    const messages = ['a "one of some length"', 'a 2', 'a [3,"three"]'];
    for (let first = 0; first < 8; first++)
      for (let second = 0; second < 8; second++) {
        const { c, made, last, clock } = openConnection(ServerConnection);
        const heard = [];
        c.addEventListener('a', ({ data }) => heard.push(data));
        last().lose();
        for (const left of [first, second, Infinity]) {
          while (last().readyState !== 0) clock.advance(100);
          sendParts(last(), messages, left, { anew });
        }
        assert.deepEqual(heard, ['one of some length', 2, [3, 'three']]);
        assert.equal(c.readyState, ServerConnection.OPEN);
        assert.ok(made.length <= 4);
      }
  });

test('a server that goes on elsewhere than the page is breaks the protocol', () => {
  const { c, last, clock } = opened();
  last().receive(part(16, 'a 1'));
  last().lose();
  clock.advance(1000);
  last().welcome({ resumed: true, parts: 2 });
  assert.equal(c.readyState, ServerConnection.CLOSED);
});

test('a line that carries parts is no line that fails: the page comes back at once', () => {
  const { last, clock, made } = opened();
  for (let i = 0; i < 10; i++) {
    last().receive(part(16, 'a'));
    last().lose();
    clock.advance(0);
    assert.equal(made.length, i + 2);
    last().welcome({ resumed: true, parts: i + 1 });
  }
});

test('parts of a message that the server begins anew are forgotten', () => {
  const { c, last, clock } = opened();
  const heard = [];
  c.addEventListener('a', ({ data }) => heard.push(data));
  last().receive(part(16, 'a 1'));
  last().lose();
  clock.advance(1000);
  assert.deepEqual(last().protocols.slice(-3), ['received.0', 'parts.3', 'state']);
  last().welcome({ resumed: true });
  last().receive(part(16, 'a 2'));
  last().receive(part(17, '3'));
  assert.deepEqual(heard, [23]);
});

test('a page that hears only parts says that it is alive, but not at each', () => {
  const { last, clock } = opened({ ping: 20000 });
  last().take();
  for (let i = 0; i < 100; i++) {
    clock.advance(1000);
    last().receive(part(16, 'x'));
  }
  const pongs = last()
    .take()
    .filter((text) => text === '.pong').length;
  assert.ok(pongs >= 9 && pongs <= 11, `${pongs}`);
});
