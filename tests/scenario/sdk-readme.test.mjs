// SPDX-License-Identifier: MIT
// sdk-readme.test.mjs - the programs printed in sdk/*/README.md run as they are printed.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test as testOf } from 'node:test';
import { addUp } from '../lib/conversation.mjs';
import { makeRoot, REPO, startServer } from '../lib/server.mjs';
import { openPage, SessionClient } from '../lib/session-client.mjs';

const test = (name, run) => testOf(name, { timeout: 30000 }, run);
const LANGUAGES = ['python', 'node', 'php', 'sh', 'c'];

/** The fenced programs of a README: {language, file, text}; each says its name in a comment. */
function printedIn(language) {
  const text = fs.readFileSync(path.join(REPO, 'sdk', language, 'README.md'), 'utf8');
  return [...text.matchAll(/^```\w+\n(.*?)^```$/gms)].map(([, program]) => {
    const [, file] =
      /^(?:#|\/\/|\/\*) ([\w-]+\.\w+)/m.exec(program) ??
      assert.fail(`a program without a name in sdk/${language}/README.md:\n${program}`);
    return { language, file, text: program };
  });
}

const printed = LANGUAGES.flatMap(printedIn);
let site;
let server;

before(async () => {
  const files = Object.fromEntries(
    printed.map(({ language, file, text }) => [
      `${language}/${file}`,
      { text, mode: language === 'c' ? 0o644 : 0o755 },
    ]),
  );
  site = makeRoot(files);
  for (const { language, file } of printed.filter(({ language }) => language === 'c')) {
    const source = path.join(site.root, language, file);
    execFileSync('cc', [
      '-Wall',
      '-Wextra',
      '-Werror',
      '-I',
      path.join(REPO, 'sdk/c'),
      '-o',
      source.replace(/\.c$/, ''),
      source,
    ]);
    fs.unlinkSync(source);
  }
  server = await startServer({ root: site.root });
});

after(async () => {
  SessionClient.dropAll();
  await server?.stop();
  site?.remove();
});

/** What is said with the program of each name. */
const conversations = {
  count: addUp,
  async plain(client) {
    client.send('add 2');
    assert.equal(await client.next(), 'total 2');
    client.send('sum?1 [1,2,39]');
    assert.equal(await client.next(), '=1 42');
    client.send('other?2');
    assert.equal(await client.next(), '!2 {"message":"what?"}');
  },
  async calls(client) {
    client.send('greet?1 "Frode"');
    const [, id] = /^city\?(\d+)( null)?$/.exec(await client.next(/^city/));
    client.send(`=${id} "Oslo"`);
    assert.equal(await client.next(/^[=!]1/), '=1 "Hello Frode, from Oslo"');
    client.send('greet?2 ""');
    assert.equal(await client.next(/^[=!]2/), '!2 {"message":"a name is wanted"}');
    client.send('countdown?3 2');
    const answers = [
      await client.next(/^[=+!]3/),
      await client.next(/^[=+!]3/),
      await client.next(/^[=+!]3/),
    ];
    assert.deepEqual(answers, ['+3 2', '+3 1', '=3']);
    await client.next(/^tick$/);
  },
  async shared(client) {
    client.send('say "hei"');
    assert.match(await client.next(), /^said \["[^"]+","hei"\]$/);
  },
  async click(client, answer) {
    assert.match(answer.body, /<button id="test">&lt;Frode&gt;<\/button>/);
    const listen = JSON.parse((await client.next(/^\.listen /)).slice(8));
    assert.equal(listen.on, 'click');
    assert.equal(listen.select, '#test');
    client.send(`${listen.as} {}`);
    assert.deepEqual(JSON.parse((await client.next(/^\.dom /)).slice(5)), {
      select: '#answer',
      text: '<Frode> clicked',
    });
  },
};

test('each language prints the same three programs', () => {
  for (const language of LANGUAGES) {
    const names = printed
      .filter((program) => program.language === language)
      .map(({ file }) => path.parse(file).name);
    for (const name of ['count', 'calls', 'click'])
      assert.ok(names.includes(name), `${name} in ${language}`);
  }
});

for (const { language, file } of printed) {
  const name = path.parse(file).name;
  test(`sdk/${language}/README.md: ${file}`, async () => {
    const { answer, client } = await openPage(`${server.url}/${language}/${name}?name=%3CFrode%3E`);
    assert.equal(answer.status, 200, answer.body);
    assert.match(answer.body, new RegExp(`<title>${name}</title>`, 'i'));
    await client.connect();
    await conversations[name](client, answer);
    await client.closes();
  });
}
