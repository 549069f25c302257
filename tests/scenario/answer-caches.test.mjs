// SPDX-License-Identifier: MIT
// An answer that carries a session is kept by no cache that others share.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { program, startServer, stopAll } from '../lib/server.mjs';
import { visitor } from '../lib/visitor.mjs';

// Prints the headers that the query has, `Name:value;Name:value`.
const SAYS =
  '#!/bin/sh\nprintf "Content-Type: text/html\\n"\n' +
  'printf "%s\\n" "$QUERY_STRING" | tr ";" "\\n" | tr "+" " "\nprintf "\\n<p>page"\n';

let server;
before(async () => {
  server = await startServer({ files: { says: program(SAYS), other: program(SAYS) } });
});
after(async () => {
  await server?.ends();
  await stopAll();
});

const controls = async (said, where = 'says') => {
  const { headers } = await visitor.asks(server.at(`${where}?${said}`));
  assert.ok(headers['session-id']);
  for (const name of ['expires', 'cdn-cache-control', 'x-cdn-cache-control', 'surrogate-control'])
    assert.equal(headers[name], undefined);
  return headers['cache-control'];
};

test('a program that says public gives its session to no shared cache', async () => {
  assert.equal(await controls('Cache-Control:public,+max-age=60'), 'private, no-cache');
  assert.equal(await controls('Cache-Control:max-age=1,+S-MAXAGE=60'), 'private, no-cache');
  assert.equal(await controls('Cache-Control:private,+public'), 'private, no-cache');
  assert.equal(await controls('Expires:Thu,+01+Jan+2099+00:00:00+GMT'), 'private, no-cache');
  assert.equal(
    await controls('CDN-Cache-Control:max-age=60;X-CDN-Cache-Control:max-age=1'),
    'private, no-cache',
  );
  assert.equal(await controls('Surrogate-Control:max-age=60;Cache-Control:no-store'), 'no-store');
  await server.logged(/warn program\.cacheable program=\S*says said="public, max-age=60"/);
  assert.equal(server.lines(/program\.cacheable/).length, 1);
});

test("what is said to the browser's own cache stands", async () => {
  assert.equal(await controls('X-A:b', 'other'), 'private, no-cache');
  assert.equal(await controls('Cache-Control:private,+max-age=5', 'other'), 'private, max-age=5');
  assert.equal(await controls('Cache-Control:max-age=5', 'other'), 'max-age=5, private');
  assert.equal(await controls('Cache-Control:private=x', 'other'), 'private=x, private');
  assert.equal(server.lines(/program\.cacheable program=\S*other/).length, 0);
});
