// SPDX-License-Identifier: MIT
// endings.test.mjs - what has ended leaves nothing behind, and how it ended is told.
import assert from 'node:assert/strict';
import { afterEach, describe, test as testOf } from 'node:test';
import { request } from '../lib/request.mjs';
import { startServer } from '../lib/server.mjs';
import { SessionClient } from '../lib/session-client.mjs';

const test = (name, run, seconds = 60) => testOf(name, { timeout: seconds * 1000 }, run);
const program = (text) => ({
  mode: 0o755,
  text: text.startsWith('#!') ? text : `#!/bin/sh\n${text}`,
});

let server;

async function start(files, args = []) {
  server = await startServer({
    files,
    args: ['--admin', '127.0.0.1:0', '--eof-grace', '100ms', ...args],
    threads: 1,
  });
}

afterEach(async () => {
  SessionClient.dropAll();
  await server?.stop('SIGKILL'); // of a test that failed
});

describe('a session whose id nobody was told ends with its request', () => {
  const answers = async (status) => {
    assert.equal((await request(server.at('page'))).status, status);
    await server.hasMetric('sessions', 0);
    await server.ends();
  };

  test('that the program did not answer', async () => {
    await start({ 'page.sh': program('exec sleep 600') }, ['--answer-timeout', '200ms']);
    await answers(504);
  });

  test('that the program answered with a fault', async () => {
    await start({ 'page.sh': program('echo no header') });
    await answers(502);
  });

  test('that was refused, though the program has spoken to a page', async () => {
    await start({ 'page.sh': program("echo hello >&3; printf 'Status: 404\\n\\nno'") });
    await answers(404);
  });
});
