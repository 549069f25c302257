// SPDX-License-Identifier: MIT
// sdk-request.test.mjs - what the helper for Node makes of a stranger's headers.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { Request } from '../../sdk/node/src/request.mjs';
import { test } from '../lib/test.mjs';

const cookies = (HTTP_COOKIE) => ({ ...new Request({ HTTP_COOKIE }).cookies });

test('cookies have names and values, with or without quotes', () => {
  const text = 'a=1; b="two words" ;c = x=y; none; d="; e=; f=""; g= "h';
  const expected = { a: '1', b: 'two words', c: 'x=y', d: '', e: '', f: '', g: 'h' };
  assert.deepEqual(cookies(text), expected);
  assert.deepEqual(cookies(''), {});
});

test('a cookie that is named __proto__ is a cookie', () => {
  const found = new Request({ HTTP_COOKIE: '__proto__=x; a=1' }).cookies;
  assert.deepEqual(Object.keys(found), ['__proto__', 'a']);
  assert.equal(Object.getPrototypeOf(found), Object.prototype);
});

test('a cookie of spaces does not hold a program up', () => {
  const module = JSON.stringify(new URL('../../sdk/node/src/request.mjs', import.meta.url));
  const script = `import { Request } from ${module};
    const spaces = ' '.repeat(15000);
    for (const HTTP_COOKIE of [spaces + 'x', 'a=' + spaces + 'x' + spaces + 'y'])
      console.log(Object.keys(new Request({ HTTP_COOKIE }).cookies).length);`;
  const args = ['--input-type=module', '-e', script];
  const { stdout, signal } = spawnSync('node', args, { encoding: 'utf8', timeout: 60_000 });
  assert.equal(signal, null);
  assert.equal(stdout, '0\n1\n');
});
