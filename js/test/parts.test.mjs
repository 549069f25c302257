// SPDX-License-Identifier: MIT
/** Large messages of the server in parts (docs/protocol.md, section 11). Sockets are fakes. */
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { ServerConnection } from '../src/connection.mjs';
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

test('parts of a connection that was cut are forgotten', () => {
  const { c, last, clock } = opened();
  const heard = [];
  c.addEventListener('a', ({ data }) => heard.push(data));
  last().receive(part(16, 'a 1'));
  last().lose();
  clock.advance(1000);
  assert.equal(last().protocols.at(-2), 'received.0');
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
