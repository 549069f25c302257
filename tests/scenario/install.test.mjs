// SPDX-License-Identifier: MIT
// What `make install` puts into place, below DESTDIR: it is whole, it runs from there, and its
// examples are programs still.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { openPlain } from '../lib/plain-client.mjs';
import { BUILD, REPO, makeRoot, startProgram } from '../lib/server.mjs';

const destination = fs.mkdtempSync(path.join(os.tmpdir(), 'httpsocket-install-'));
const installed = (name) => path.join(destination, prefix, name);
let prefix;

/** What Python leaves where it has run, and what belongs to nobody. */
const stray = path.join(REPO, 'sdk/python/httpsocket/aio/__pycache__/stray.pyc');

before(() => {
  fs.mkdirSync(path.dirname(stray), { recursive: true });
  fs.writeFileSync(stray, '');
  const options = JSON.parse(
    execFileSync('meson', ['introspect', '--buildoptions', BUILD], { encoding: 'utf8' }),
  );
  prefix = options.find(({ name }) => name === 'prefix').value;
  execFileSync(
    'meson',
    ['install', '-C', BUILD, '--no-rebuild', '--quiet', '--destdir', destination],
    { encoding: 'utf8' },
  );
});
after(() => {
  fs.rmSync(stray);
  fs.rmSync(destination, { recursive: true });
});

test('the programs run from where they are, and know their version', () => {
  for (const name of ['httpsocketd', 'httpsocket']) {
    const { status, stdout } = spawnSync(installed(`bin/${name}`), ['--version'], {
      encoding: 'utf8',
    });
    assert.equal(status, 0);
    assert.match(stdout, new RegExp(`^${name} \\d+\\.\\d+\\.\\d+\n$`));
  }
});

test('there is a manual page for each, and the documents', () => {
  for (const name of [
    'man/man1/httpsocket.1',
    'man/man8/httpsocketd.8',
    'doc/httpsocket/README.md',
    'doc/httpsocket/LICENSE',
    'doc/httpsocket/CHANGELOG.md',
    'doc/httpsocket/docs/protocol.md',
  ])
    assert.ok(fs.statSync(installed(`share/${name}`)).size > 500, name);
});

/** What is below a folder, by names from there, links not followed. */
const below = (folder) =>
  fs
    .readdirSync(folder, { recursive: true })
    .filter((name) => fs.statSync(path.join(folder, name)).isFile());

/** What git tracks in a folder of the sources. */
const tracked = (folder) =>
  execFileSync('git', ['-C', path.join(REPO, folder), 'ls-files'], { encoding: 'utf8' })
    .trim()
    .split('\n');

test('examples, helpers and documents are installed as they are tracked, without strays', () => {
  const places = {
    docs: ['share/doc/httpsocket/docs', (name) => name.startsWith('man/')],
    examples: ['share/doc/httpsocket/examples', (name) => /^(meson\.build|echo\.c)$/.test(name)],
    sdk: ['share/httpsocket/sdk', () => false],
  };
  for (const [folder, [place, left]] of Object.entries(places))
    assert.deepEqual(
      below(installed(place)).sort(),
      tracked(folder)
        .filter((name) => !left(name))
        .sort(),
    );
});

test("the README's links lead to what is installed", () => {
  const readme = fs.readFileSync(installed('share/doc/httpsocket/README.md'), 'utf8');
  const links = [...readme.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map(([, link]) => link);
  assert.ok(links.length > 3);
  for (const link of links)
    assert.ok(fs.existsSync(installed(`share/doc/httpsocket/${link}`)), link);
});

test('the installed server serves the installed examples', async () => {
  const server = await startProgram(installed('bin/httpsocketd'), [
    '-l',
    '127.0.0.1:0',
    installed('share/doc/httpsocket/examples'),
  ]);
  try {
    const answer = await fetch(`${server.url}/`);
    assert.equal(answer.status, 200);
    assert.ok(answer.headers.get('session-id'));
    assert.equal((await fetch(`${server.url}/.httpsocket/client.mjs`)).status, 200);
  } finally {
    await server.stop();
  }
});

test('stdio programs of the installed server write each line at once', async () => {
  const server = await startProgram(installed('bin/httpsocketd'), [
    ...['-l', '127.0.0.1:0', '--stdio', 'tr a-z A-Z'],
    installed('share/doc/httpsocket/examples'),
  ]);
  try {
    const client = await openPlain(`${server.url}/tr`);
    assert.equal(await client.asks('one'), 'ONE');
    await client.closes();
    assert.deepEqual(server.lines(/stdio\.buffered/), []);
  } finally {
    await server.stop();
  }
});

test('programs of the installed server find the installed helpers, and C programs the header', async () => {
  const site = makeRoot({
    'python.py': {
      text: '#!/usr/bin/env python3\nfrom httpsocket import page\nimport httpsocket\npage.show(httpsocket.__file__)\n',
      mode: 0o755,
    },
    'sh.sh': {
      text: '#!/bin/sh\n. "$HTTPSOCKET_SDK/sh/httpsocket.sh"\npage_show <<END\n$HTTPSOCKET_SDK\nEND\n',
      mode: 0o755,
    },
  });
  const server = await startProgram(installed('bin/httpsocketd'), ['-l', '127.0.0.1:0', site.root]);
  try {
    for (const name of ['python', 'sh']) {
      const answer = await fetch(`${server.url}/${name}`);
      assert.equal(answer.status, 200);
      assert.ok((await answer.text()).includes(installed('share/httpsocket/sdk')), name);
    }
    assert.ok(fs.existsSync(installed('include/httpsocket_page.h')));
  } finally {
    await server.stop();
    site.remove();
  }
});
