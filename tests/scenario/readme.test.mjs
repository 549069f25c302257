// SPDX-License-Identifier: MIT
// The README's programs, as they are printed there, do what they say.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import WebSocket from 'ws';
import { REPO, makeRoot, startServer } from '../lib/server.mjs';

const programs = [
  ...fs.readFileSync(path.join(REPO, 'README.md'), 'utf8').matchAll(/```python\n([\s\S]*?)```/g),
].map(([, text]) => text);

test('the README shows a program with the helper, and one without', () => {
  assert.deepEqual(
    programs.map((text) => text.includes('from httpsocket import')),
    [true, false],
  );
});

for (const [i, program] of programs.entries())
  test(`the README's program ${i + 1} answers a click with what the click carried`, async () => {
    const site = makeRoot({ 'mine.py': { text: program, mode: 0o755 } });
    const server = await startServer({ root: site.root });
    try {
      const page = await fetch(`${server.url}/mine.py`);
      assert.match(await page.text(), /document\.serverConnection\.onwhatever/);
      const protocols = [
        'httpsocket.v1',
        `session.${page.headers.get('session-id')}`,
        'key.abcdefghijklmnopqrstuvwx',
      ];
      const socket = new WebSocket(`${server.url.replace('http', 'ws')}/mine.py`, protocols, {
        origin: server.url,
      });
      const answer = await new Promise((resolve, reject) => {
        socket.on('error', reject);
        socket.on('message', (data) => {
          const text = data.toString();
          if (text.startsWith('.welcome ')) socket.send('click {"city":"Oslo"}');
          else if (!text.startsWith('.')) resolve(text);
        });
      });
      assert.equal(answer, 'whatever {"city":"Oslo"}');
      socket.close();
    } finally {
      await server.stop();
      site.remove();
    }
  });
