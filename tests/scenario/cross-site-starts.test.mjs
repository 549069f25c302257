// SPDX-License-Identifier: MIT
// What pages of other sites may start by having a browser ask for it (Fetch Metadata).
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { program, startServer, stopAll } from '../lib/server.mjs';
import { visitor } from '../lib/visitor.mjs';

const PAGE = program('#!/bin/sh\nprintf "Content-Type: text/html\\n\\n<p>page"\n');
const files = { page: PAGE, 'file.txt': 'text' };
const start = (...args) => startServer({ files, args: ['--admin', '127.0.0.1:0', ...args] });

let server, old, framed;
before(async () => {
  server = await start('--rate-programs', '6,2');
  old = await start('--cross-site', 'any');
  framed = await start('--cross-site', 'frames');
});
after(async () => {
  for (const one of [server, old, framed]) await one?.ends();
  await stopAll();
});

const metadata = (site, mode, dest, more) => ({
  'Sec-Fetch-Site': site,
  'Sec-Fetch-Mode': mode,
  'Sec-Fetch-Dest': dest,
  ...more,
});
const IMAGE = metadata('cross-site', 'no-cors', 'image');
const LINK = metadata('cross-site', 'navigate', 'document');
const FRAME = metadata('cross-site', 'navigate', 'iframe');
const asks = (from, where, headers, more) => visitor.asks(from.at(where), { headers, ...more });

test("a foreign page's loads start no program and cost its visitor nothing", async () => {
  const foreign = { Origin: 'https://x.example' };
  for (const [headers, method] of [
    [IMAGE],
    [metadata('same-site', 'no-cors', 'script')],
    [metadata('cross-site', 'no-cors', 'empty')],
    [metadata('cross-site', 'no-cors', 'empty', foreign), 'POST'],
    [metadata('cross-site', 'cors', 'empty', foreign)],
    [metadata('cross-site', 'cors', 'empty', foreign), 'OPTIONS'],
    [metadata('cross-site', 'no-cors', 'empty', { 'Sec-Purpose': 'prefetch' })],
    [{ ...LINK, 'Sec-Purpose': 'prefetch;prerender' }],
    [FRAME],
  ]) {
    const { status, body } = await asks(server, 'page', headers, { method });
    assert.equal(status, 403, JSON.stringify(headers));
    assert.match(body, /^(cross-site|no-record|target-special-name|origin-not-allowed): ./);
  }
  assert.equal(await server.metric('programs_started_total'), 0);
  assert.equal((await asks(server, 'page', LINK)).body.includes('<p>page'), true);
  assert.equal((await asks(server, 'page', {})).status, 200); // as before: no browser of today
});

test('files are for everybody, as before', async () => {
  assert.equal((await asks(server, 'file.txt', IMAGE)).body, 'text');
});

test('a form of a foreign page leads to a program', async () => {
  const headers = { ...LINK, Origin: 'https://x.example' };
  assert.equal((await asks(framed, 'page', headers, { method: 'POST' })).status, 200);
});

test('frames, or any request, start programs where the operator wants it', async () => {
  assert.equal((await asks(framed, 'page', FRAME)).status, 200);
  assert.equal((await asks(framed, 'page', IMAGE)).status, 403);
  assert.equal((await asks(old, 'page', IMAGE)).status, 200);
});
