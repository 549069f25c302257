// SPDX-License-Identifier: MIT
// fuzz.test.mjs - the whole-server fuzzer, the cut test and the upgrade test for a minute; `make
// fuzz`, `make cuts`, `make upgrades` run them for longer. A seed that failed is repeated by
// `SEED=N fuzz/server/run`.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { BUILD, REPO } from '../lib/server.mjs';
import { test } from '../lib/test.mjs';

const SECONDS_MAX = 280;

/** Runs a program of fuzz/ to its good end, and shows what it has said. */
async function runs(t, file, ...args) {
  const child = spawn(path.join(REPO, 'fuzz', file), args, {
    env: { ...process.env, HTTPSOCKET_BUILD: BUILD },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = new Promise((resolve) => child.on('close', resolve));
  const said = await text(child.stdout);
  for (const line of said.split('\n')) t.diagnostic(line);
  assert.equal(await exited, 0, said);
}

test(
  'clients, programs, targets, names and settings without manners harm neither the server nor honest pages',
  (t) => runs(t, 'server/run', '40'),
  SECONDS_MAX,
);

test(
  'sessions whose connections are cut at every byte and all at once lose, double and reorder nothing',
  (t) => runs(t, 'cuts/run', '--cuts', '4000', '--sessions', '120', '--seconds', '30'),
  SECONDS_MAX,
);

test(
  'sessions, topics, streams and requests lose nothing while the program file is replaced again and again',
  (t) => runs(t, 'upgrades/run', '--sessions', '60', '--seconds', '20', '--every', '3'),
  SECONDS_MAX,
);
