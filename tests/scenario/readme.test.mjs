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
  test(`the README's program ${i + 1} hears a click of its page, and changes the page`, async () => {
    const site = makeRoot({ 'mine.py': { text: program, mode: 0o755 } });
    const server = await startServer({ root: site.root });
    try {
      const page = await fetch(`${server.url}/mine.py`);
      assert.match(page.headers.get('content-type'), /^text\/html; charset=utf-8$/);
      assert.match(await page.text(), /<button id="more">Click<\/button> <b id="n">0<\/b>/);
      const protocols = [
        'httpsocket.v1',
        `session.${page.headers.get('session-id')}`,
        'key.abcdefghijklmnopqrstuvwx',
      ];
      const socket = new WebSocket(`${server.url.replace('http', 'ws')}/mine.py`, protocols, {
        origin: server.url,
      });
      const moves = [];
      await new Promise((resolve, reject) => {
        socket.on('error', reject);
        socket.on('message', (message) => {
          const [, name, data] = /^(\S+) (.*)$/.exec(message) ?? [];
          if (name === '.listen') {
            const { on, select, as } = JSON.parse(data);
            assert.deepEqual([on, select], ['click', '#more']);
            for (let n = 0; n < 3; n++) socket.send(`${as} {"type":"click"}`);
          }
          if (name === '.dom') moves.push(JSON.parse(data));
          if (moves.length === 3) resolve();
        });
      });
      assert.deepEqual(
        moves,
        [1, 2, 3].map((n) => ({ select: '#n', text: n })),
      );
      socket.close();
    } finally {
      await server.stop();
      site.remove();
    }
  });
