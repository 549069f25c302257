// SPDX-License-Identifier: MIT
// A program of the server library whose callbacks do at random whatever they may
// (tests/scenario/library/restless.c), while clients come, talk and go at random: nothing crashes,
// and nothing is left.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import path from 'node:path';
import { RawHttp } from '../lib/http-raw.mjs';
import { Installed } from '../lib/installed.mjs';
import { openPlain } from '../lib/plain-client.mjs';
import { REPO, startProgram } from '../lib/server.mjs';
import { Page, SessionClient } from '../lib/session-client.mjs';
import { Streams } from '../lib/streams.mjs';

// For longer: VISITS=5000 SEEDS='4 5' tools/test scenario/library-restless. Odd seeds have a hook.
const VISITS = Number(process.env.VISITS ?? 300);
const SEEDS = (process.env.SEEDS ?? '2 3').split(' ').map(Number);
const AT_ONCE = 12;
const ANSWER_MS = 300;
const VISIT_MS = 3000;
let installed, program;

before(() => {
  installed = new Installed();
  program = installed.compiles(path.join(REPO, 'tests/scenario/library/restless.c'));
});
after(() => installed.remove());

/** Numbers of a seed. */
function dice(seed) {
  let state = seed + 1;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) % below;
  };
}

/** Nobody owes an answer: whoever has waited for some time goes. */
const soon = (promise, ms = ANSWER_MS) =>
  Promise.race([promise, new Promise((resolve) => setTimeout(resolve, ms))]);

async function asks(server, any) {
  const client = await RawHttp.connect(server.port);
  const where = any(3) ? 'request' : 'page';
  const length = any(2) ? any(3000) : 0;
  const method = length ? 'POST' : 'GET';
  const head = [`${method} /${where} HTTP/1.1`, 'Host: localhost', `Content-Length: ${length}`];
  await client.send(`${head.join('\r\n')}\r\n\r\n`);
  await client.send('x'.repeat(any(4) ? length : any(length + 1)));
  if (any(3)) await soon(client.answer());
  client.destroy();
}

async function talks(server, any) {
  const peer = await openPlain(server.at('peer'));
  peer.on('error', () => {});
  for (let n = any(8); n > 0; n--) {
    peer.send(any(2) ? 'text' : Buffer.alloc(any(20000)));
    if (any(2)) await soon(peer.next());
  }
  if (any(2)) peer.terminate();
  else await soon(peer.closes());
  peer.terminate();
}

function speaks(page, any, streams, open) {
  const acts = [
    () => page.says(`event {"n":${any(9)}}`, `call?${any(99) + 1} 1`),
    () => page.saysBytes('bytes', Buffer.alloc(any(9000))),
    () => page.says(`=${any(4) + 1} "yes"`),
    () => open.push(streams.open({ kind: 'stream', name: 'up' })),
    () => open[0]?.write(Buffer.alloc(any(5000))),
    () => open[0]?.finish(),
    () => open[0]?.reset?.(),
  ];
  acts[any(acts.length)]();
}

async function visits(server, any) {
  const page = any(4)
    ? await Page.loads(
        server,
        'page',
        any(3) ? {} : { method: 'POST', body: 'x'.repeat(any(3000)) },
      )
    : new SessionClient(server.at('page'));
  const streams = new Streams(page);
  const open = [];
  for (let turns = any(3) + 1; turns > 0; turns--) {
    await soon(page.connect());
    page.ws.on('error', () => {});
    for (let n = any(12); n > 0; n--) {
      speaks(page, any, streams, open);
      for (const stream of open) stream.opened.catch(() => {});
      if (any(3) === 0) await soon(page.isRead());
    }
    if (any(3)) await page.cuts();
    else if (any(2)) await soon(page.closes());
    else await page.leaves();
  }
}

async function comes(server, any) {
  try {
    await soon([asks, talks, visits, visits][any(4)](server, any), VISIT_MS);
  } catch {
    /* refused, cut off or not answered: it may be */
  }
}

for (const threads of [0, 4])
  for (const seed of SEEDS)
    test(`${threads} threads, ${seed % 2 ? 'with' : 'without'} a hook, seed ${seed}`, async () => {
      const args = [threads, seed, 'topics-max=2', 'rate-client=off'];
      const server = await startProgram(program, args.map(String));
      const any = dice(seed * 1000 + threads);
      let left = VISITS;
      const one = async () => {
        while (left-- > 0) await comes(server, any);
      };
      await Promise.all(Array.from({ length: AT_ONCE }, one));
      await server.ends();
      SessionClient.dropAll();
      const met = server.lines(/^met:/)[0];
      assert.match(met, /: [1-9]\d* requests, [1-9]\d* peers, [1-9]\d* pages/);
    });
