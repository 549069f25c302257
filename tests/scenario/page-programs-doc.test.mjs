// SPDX-License-Identifier: MIT
// page-programs-doc.test.mjs - the programs printed in docs/tutorial.md, docs/page-programs.md and
// its pages run as they are printed.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test as testOf } from 'node:test';
import WebSocket from 'ws';
import { addUp } from '../lib/conversation.mjs';
import { makeRoot, REPO, resources, startServer } from '../lib/server.mjs';
import { openPage, SessionClient } from '../lib/session-client.mjs';
import { until } from '../lib/until.mjs';

const test = (name, run) => testOf(name, { timeout: 20000 }, run);
const ENDINGS = { python: 'py', 'python-helper': 'py', php: 'php', sh: 'sh', js: 'mjs' };

const PAGES = ['tutorial.md', 'page-programs.md'].concat(
  fs.readdirSync(path.join(REPO, 'docs/page-programs')).map((file) => `page-programs/${file}`),
);

/** The fenced programs of the pages: {language, text}. */
const printed = PAGES.flatMap((page) => [
  ...fs.readFileSync(path.join(REPO, 'docs', page), 'utf8').matchAll(/^```(\w+)\n(.*?)^```$/gms),
]).map(([, language, text]) => ({
  language: text.includes('from httpsocket') ? 'python-helper' : language,
  text,
}));
const counts = printed.filter(({ text }) => text.includes('<title>Count</title>'));
const other = (word) => printed.find(({ text }) => text.includes(word));

/** Those that say their name. */
const NAMED = [
  'tick.sh',
  'board.py',
  'echo.py',
  'shout.py',
  'clock.sh',
  'list.py',
  'talk.py',
  'together.py',
];

let site;
let server;

before(async () => {
  const files = Object.fromEntries(
    counts.map(({ language, text }) => [
      `${language}/count.${ENDINGS[language]}`,
      { text, mode: 0o755 },
    ]),
  );
  for (const name of NAMED) files[name] = { text: other(`# ${name}:`).text, mode: 0o755 };
  site = makeRoot(files);
  const args = ['--eof-grace', '2s', '--stdio-files', '/clock.sh'];
  server = await startServer({ root: site.root, args });
});

after(async () => {
  await server?.stop();
  site?.remove();
});

test('every program of the pages is run here', () => {
  const unnamed = printed.filter(
    (program) =>
      !counts.includes(program) && !NAMED.some((name) => program.text.includes(`# ${name}:`)),
  );
  assert.deepEqual(unnamed, []);
});

test('every page that is printed says its charset', () => {
  for (const { text } of printed)
    for (const [, rest] of text.matchAll(/text\/html([^\\\n"]*)/g))
      assert.equal(rest, '; charset=utf-8', text);
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
    await client.closes();
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

test('shout.py: what one page says, all pages hear', async () => {
  const clients = [];
  for (let i = 0; i < 2; i++) clients.push((await openPage(`${server.url}/shout`)).client);
  for (const client of clients) await client.connect();
  clients[0].send('say "hei"');
  for (const client of clients) assert.equal(await client.next(), 'said "hei"');
  SessionClient.dropAll();
});

test('clock.sh: a program that knows nothing of us', async () => {
  const ws = new WebSocket(`${server.url.replace('http', 'ws')}/clock`);
  assert.match((await once(ws, 'message'))[0].toString(), /^\d\d:\d\d:\d\d$/);
  ws.close();
  await once(ws, 'close');
});

/** The page connects, and hears what its program wants to hear of it: the event's name. */
async function openListened(name) {
  const { answer, client } = await openPage(`${server.url}/${name}`);
  assert.equal(answer.status, 200, answer.body);
  await client.connect();
  const { as } = JSON.parse((await client.next(/^\.listen /)).slice('.listen '.length));
  return { client, as };
}

const domOf = async (client) => JSON.parse((await client.next(/^\.dom /)).slice('.dom '.length));

test('list.py: a form that its program hears, and a list that it writes', async () => {
  const { client, as } = await openListened('list');
  client.send(`${as} {"type":"submit","form":{"item":"Tea & milk"}}`);
  assert.deepEqual(await domOf(client), [
    { select: 'ul', append: '<li>Tea &amp; milk</li>' },
    { select: '#count', text: 1 },
    { select: '[name=item]', properties: { value: '' }, was: 'Tea & milk' },
  ]);
  await client.closes();
});

test('talk.py: an event each way, and a call', async () => {
  const { client } = await openPage(`${server.url}/talk`);
  await client.connect();
  client.send('name "Ada"');
  assert.equal(await client.next(), 'greeting "Hello Ada"');
  client.send('square?1 12');
  assert.equal(await client.next(), '=1 144');
  await client.closes();
});

test('together.py: what one adds all see, who comes later too', async () => {
  const one = await openListened('together');
  one.client.send(`${one.as} {"type":"submit","form":{"item":"Tea"}}`);
  const row = { select: 'ul', append: '<li>Tea</li>' };
  const cleared = { select: '[name=item]', properties: { value: '' }, was: 'Tea' };
  const told = [await domOf(one.client), await domOf(one.client)];
  assert.deepEqual(new Set(told.map((move) => move.select)), new Set(['ul', '[name=item]']));
  assert.deepEqual(
    told.find(({ select }) => select === 'ul'),
    row,
  );
  assert.deepEqual(
    told.find(({ select }) => select !== 'ul'),
    cleared,
  );
  const late = await openListened('together');
  assert.deepEqual(await domOf(late.client), row);
  SessionClient.dropAll();
});
