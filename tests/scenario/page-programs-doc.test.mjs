// SPDX-License-Identifier: MIT
// page-programs-doc.test.mjs - the programs printed in docs/page-programs.md run as they are printed.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test as testOf } from 'node:test';
import WebSocket from 'ws';
import { addUp, close } from '../lib/conversation.mjs';
import { makeRoot, REPO, resources, startServer } from '../lib/server.mjs';
import { openPage, SessionClient } from '../lib/session-client.mjs';
import { until } from '../lib/until.mjs';

const test = (name, run) => testOf(name, { timeout: 20000 }, run);
const ENDINGS = { python: 'py', 'python-helper': 'py', php: 'php', sh: 'sh', js: 'mjs' };

/** The fenced programs of the page: {language, text}. */
const printed = [
  ...fs
    .readFileSync(path.join(REPO, 'docs/page-programs.md'), 'utf8')
    .matchAll(/^```(\w+)\n(.*?)^```$/gms),
].map(([, language, text]) => ({
  language: text.includes('from httpsocket') ? 'python-helper' : language,
  text,
}));
const counts = printed.filter(({ text }) => text.includes('<title>Count</title>'));
const other = (word) => printed.find(({ text }) => text.includes(word));

let site;
let server;

before(async () => {
  const files = Object.fromEntries(
    counts.map(({ language, text }) => [
      `${language}/count.${ENDINGS[language]}`,
      { text, mode: 0o755 },
    ]),
  );
  files['tick.sh'] = { text: other('tick.sh').text, mode: 0o755 };
  files['board.py'] = { text: other('# board.py').text, mode: 0o755 };
  files['echo.py'] = { text: other('echo.py').text, mode: 0o755 };
  site = makeRoot(files);
  server = await startServer({ root: site.root, args: ['--eof-grace', '2s'] });
});

after(async () => {
  await server?.stop();
  site?.remove();
});

test('the page prints the same program in four languages, and once with a helper, ten lines and a bit', () => {
  assert.deepEqual(
    counts.map(({ language }) => language),
    ['python', 'php', 'sh', 'js', 'python-helper'],
  );
  for (const { text } of counts) assert.ok(text.split('\n').length <= 15);
});

for (const { language } of counts) {
  test(`count in ${language}: the page, then the conversation, then the end`, async () => {
    const { answer, client } = await openPage(`${server.url}/${language}/count`);
    assert.equal(answer.status, 200);
    assert.match(answer.headers['content-type'], /^text\/html/);
    assert.match(
      answer.body,
      /^<!doctype html><meta name="httpsocket-session" content="[\w-]{24}"><title>Count<\/title>/,
    );
    assert.match(answer.body, /<\/script>\s*$/);
    await client.connect();
    await addUp(client);
    await close(client);
    await until(() => resources(server.pid).children.length === 0);
    assert.ok(
      !server.log.some((line) => line.includes('program.signalled')),
      'end of file is enough for it',
    );
  });
}

test('tick: a program without a page', async () => {
  const client = new SessionClient(`${server.url}/tick`);
  await client.connect();
  assert.match(await client.next(), /^tick "\d\d:\d\d:\d\d"$/);
  assert.match(await client.next(), /^tick "\d\d:\d\d:\d\d"$/);
  client.send('.close');
  await until(() => resources(server.pid).children.length === 0);
});

test('echo: the plain form', async () => {
  const ws = new WebSocket(`${server.url.replace('http', 'ws')}/echo`);
  await once(ws, 'open');
  ws.send('hei');
  assert.equal((await once(ws, 'message'))[0].toString(), 'hei');
  ws.close();
  await once(ws, 'close');
  await until(() => resources(server.pid).children.length === 0);
});

test('board.py: what one draws all see, who comes later too', async () => {
  const one = (await openPage(`${server.url}/board`)).client;
  await one.connect();
  one.send('dot [1,2]');
  assert.equal(await one.next(), 'dot [1,2]');
  const late = (await openPage(`${server.url}/board`)).client;
  await late.connect();
  assert.equal(await late.next(), 'dot [1,2]');
  late.send('dot [3,4]');
  for (const client of [one, late]) assert.equal(await client.next(), 'dot [3,4]');
  SessionClient.dropAll();
});
