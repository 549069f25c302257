// SPDX-License-Identifier: MIT
// cluster-storm.test.mjs - the storm of fuzz/cluster for a minute; `make storm` runs it for longer,
// with 1000 sessions.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { BUILD, REPO } from '../lib/server.mjs';
import { test } from '../lib/test.mjs';

const SECONDS_MAX = 280;
const OPTIONS = '--short --sessions 60 --topics 6 --every 13 --seconds 36 --rate 5';

test(
  'servers are killed and drained, a broker dies, stands still and begins anew: sessions and topics lose, double and reorder nothing, and who is there is seen',
  async (t) => {
    const child = spawn(path.join(REPO, 'fuzz/cluster/run'), OPTIONS.split(' '), {
      env: { ...process.env, HTTPSOCKET_BUILD: BUILD },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = new Promise((resolve) => child.on('close', resolve));
    const said = await text(child.stdout);
    for (const line of said.split('\n')) t.diagnostic(line);
    assert.equal(await exited, 0, said);
  },
  SECONDS_MAX,
);
