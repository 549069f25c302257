// SPDX-License-Identifier: MIT
/** The codec of byte-stream frames, with the vectors that C is tested with. */
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import * as frames from '../src/proto/channel-frame.mjs';
import { isFrame, WireError } from '../src/proto/message.mjs';

const vectors = JSON.parse(
  readFileSync(new URL('../../tests/vectors/channels.json', import.meta.url), 'utf8'),
);
const bytesOf = (base64) => Uint8Array.from(Buffer.from(base64, 'base64'));
const parse = (v) => {
  const message = bytesOf(v.base64);
  if (!isFrame(message)) throw new WireError('no frame');
  return frames.parseFrame(message);
};

/** What the vector says, in the form that the parser returns. */
function expected({ parsed: { type: kind, channel, json, bytes, received, limit } }) {
  if (kind === 'data') return { kind, channel, bytes: bytesOf(bytes) };
  if (kind === 'state') return { kind, channel, received: Number(received), limit: Number(limit) };
  if (kind === 'reset') {
    const { reason, message, retryAfter } = JSON.parse(json);
    return {
      kind,
      channel,
      data: { reason, ...(message && { message }), ...(retryAfter && { retryAfter }) },
    };
  }
  return { kind, channel, ...(json && { data: JSON.parse(json) }) };
}

/** Formats what a parser has returned; null for frames that only the server sends. */
function format({ kind, channel, ...frame }) {
  if (kind === 'open') return frames.formatOpen(channel, frame.data);
  if (kind === 'reset') return frames.formatReset(channel, frame.data);
  if (kind === 'state') return frames.formatState(channel, frame.received, frame.limit);
  if (kind === 'end') return frames.formatEnd(channel);
  if (kind === 'gone') return frames.formatGone(channel);
  if (kind !== 'data') return null;
  const made = frames.makeData(channel, frame.bytes.length);
  made.set(frame.bytes, frames.FRAME_HEAD_BYTES);
  return made;
}

test('every valid vector is parsed to what it says', () => {
  const valid = vectors.filter((v) => v.valid);
  assert.ok(valid.length > 15);
  for (const v of valid) assert.deepEqual({ ...parse(v) }, expected(v), v.why);
});

test('every invalid vector is refused as an error of the protocol', () => {
  const invalid = vectors.filter((v) => !v.valid);
  assert.ok(invalid.length > 50);
  for (const v of invalid) assert.throws(() => parse(v), WireError, v.why);
});

test('what was parsed and is formatted again is parsed to the same', () => {
  for (const v of vectors.filter((v) => v.valid)) {
    const once = parse(v);
    const again = format(once);
    if (again) assert.deepEqual(frames.parseFrame(again), once, v.why);
  }
});

test('a RESET without a token, or with one of a wrong form, is refused', () => {
  for (const json of [
    '{}',
    '{"reason":1}',
    '{"reason":""}',
    '{"reason":"Not So"}',
    `{"reason":"${'x'.repeat(65)}"}`,
  ]) {
    const message = Uint8Array.from([6, 0, 0, 0, 1, ...Buffer.from(json)]);
    assert.throws(() => frames.parseFrame(message), WireError, json);
  }
});

test('of a RESET only what has sense is kept', () => {
  const json = '{"reason":"overload","message":5,"retryAfter":-1,"more":true}';
  const message = Uint8Array.from([6, 0, 0, 0, 1, ...Buffer.from(json)]);
  assert.deepEqual(frames.parseFrame(message).data, { reason: 'overload' });
});
