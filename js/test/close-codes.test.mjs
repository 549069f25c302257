// SPDX-License-Identifier: MIT
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { CLOSE, codeOfStatus, keptOf, parseEnd, verdict } from '../src/proto/close-codes.mjs';
import { Backoff } from '../src/session/backoff.mjs';

const read = (path) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const vectors = JSON.parse(read('tests/vectors/ends.json'));

/** The most that is added to what a first attempt has to wait. */
const JITTER_MS = 250;

/** The rows of close_codes.def. */
const ROW = /^CLOSE_CODE\((\w+), (\d+), (\w+), (\w+), (\w+), "([^"]*)", "[^"]+"\)$/gm;
const definitions = [...read('src/proto/close_codes.def').matchAll(ROW)].map(
  ([, name, code, then, withRetry, kept, tokens]) => ({
    name,
    code: Number(code),
    then: then.toLowerCase(),
    withRetry: withRetry.toLowerCase(),
    kept: kept.toLowerCase(),
    tokens: tokens.split(' ').filter(Boolean),
  }),
);

/** What is kept for no time is not kept. */
const kept = ({ code, retryAfter }) => (retryAfter > 0 ? keptOf(code) : 'nothing');

test('every row of the vectors: what a close means', () => {
  assert.ok(vectors.length > 60);
  for (const { code, reason, token, retry, then, kept: keeps, why } of vectors) {
    const end = parseEnd(code, reason);
    assert.deepEqual(end, { code, reason: token, retryAfter: retry }, why);
    assert.equal(verdict(end), then, `${code} ${reason}: ${why}`);
    assert.equal(kept(end), keeps, `${code} ${reason}: ${why}`);
  }
});

test('every row of the vectors: how long until the next attempt', () => {
  for (const row of vectors.filter(({ then }) => then !== 'final')) {
    assert.equal('wait' in row, row.then === 'wait', row.why);
    const least = (row.wait ?? 0) * 1000;
    const pause = new Backoff().delayAfter(parseEnd(row.code, row.reason), 0, 0);
    assert.ok(pause >= least && pause <= least + JITTER_MS, `${row.why}: ${pause} ms`);
  }
});

test('the names are those of close_codes.def', () => {
  assert.ok(definitions.length > 20);
  assert.deepEqual(
    { ...CLOSE },
    Object.fromEntries(definitions.map(({ name, code }) => [name, code])),
  );
});

test('a status as a close code', () => {
  assert.deepEqual([401, 403, 503, 504].map(codeOfStatus), [4401, 4403, 1013, 4504]);
});

/** The rows of the table of docs/protocol.md, section 5, whose first cell has a code. */
function documented() {
  const section = read('docs/protocol.md').split(/^## /m)[5];
  return section
    .split('\n')
    .map((line) => line.split(/(?<!\\)\|/).map((cell) => cell.trim()))
    .filter((cells) => cells.length === 7 && /^\d{4}/.test(cells[1]))
    .map(([, codes, tokens, , then, withRetry]) => ({ codes, tokens, then, withRetry }));
}

/** `wait; ban`: a verdict, and perhaps what is kept. */
function meaning(cell) {
  const [then, kept = 'nothing'] = cell.split('; ');
  return { then: then === 'end' ? 'final' : then, kept };
}

test('docs/protocol.md has each code of close_codes.def, and says what it means', () => {
  const rows = documented();
  for (const { code, then, withRetry, kept, tokens } of definitions) {
    const row = rows.filter(({ codes }) => codes.split(', ').includes(String(code)));
    assert.equal(row.length, 1, `rows of ${code}`);
    assert.equal(meaning(row[0].then).then, then, `${code}`);
    assert.deepEqual(meaning(row[0].withRetry), { then: withRetry, kept }, `${code} retry=N`);
    for (const token of tokens) assert.match(row[0].tokens, new RegExp(`\`${token}\\b`), code);
  }
  const codes = rows.flatMap((row) => row.codes.match(/\d{4}/g)).map(Number);
  const known = definitions.map(({ code }) => code);
  assert.deepEqual(
    codes.filter((code) => !known.includes(code)),
    [],
    'codes that close_codes.def has not',
  );
});
