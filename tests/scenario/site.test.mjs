// SPDX-License-Identifier: MIT
// What lies beside programs without being meant for browsers is not handed out; a release that is
// switched is followed; and a miss in a large folder costs nothing.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from '../lib/test.mjs';
import { RawHttp, request } from '../lib/http-raw.mjs';
import { Page } from '../lib/session-client.mjs';
import { makeRoot, program, startServer } from '../lib/server.mjs';
import { until } from '../lib/until.mjs';

const WITHHELD = [
  ...['config.php', 'settings.py', 'lib.rb', 'helper.PL', 'job.sh', 'main.c', 'x.inc', 'x.pyc'],
  ...['todo.db', 'todo.sqlite3', 'todo.db-wal', 'dump.sql', 'app.env', 'app.ini', 'app.conf'],
  ...['app.toml', 'app.yaml', 'app.yml', 'server.key', 'server.pem', 'app.log', 'Makefile'],
  ...['page.html~', 'page.html.bak', 'page.swp', 'page.html.orig', '%23page.html%23', 'x.php.1'],
  ...['x.php.txt', 'x.php.dist', 'x.php_', 'x.php-old', 'x.py.', 'x.py,v', 'x.py(1)', 'x.py.new'],
  ...['x.sql.gz', 'x.duckdb', 'x.s3db', 'site-Backup.tar.gz', 'dump.zip', 'x.env.local', 'env'],
  ...['Dockerfile.test', 'htpasswd', 'authorized_keys', 'access_log', 'app.log.1.gz', 'core.17'],
];
const SERVED = [
  'a.html',
  'a.js',
  'a.mjs',
  'a.ts',
  'a.css',
  'a.json',
  'a.txt',
  'a.md',
  'a.wasm',
  'LICENSE',
  ...['a.min.js', 'a.d.ts', 'a.pl.json', 'a.config.js', 'a.1.txt', 'a.tar.gz', 'a.zip', 'env.js'],
  ...['a.json.gz', 'makefile.html', 'a.v1.2.css'],
];
const HELLO = program("#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nhello'\n");

let server;
const status = async (where, to = server) => (await request(to.port, 'GET', where)).status;
const body = async (where, to = server) => String((await request(to.port, 'GET', where)).body);

before(async () => {
  const all = [...WITHHELD.map(decodeURIComponent), ...SERVED];
  server = await startServer({
    files: {
      ...Object.fromEntries(all.map((name) => [name, 'SECRET'])),
      ...Object.fromEntries(SERVED.map((name) => [name, { text: 'open', mode: 0o755 }])),
      LICENSE: 'open',
      'a.ts': 'open',
      'a.d.ts': 'open',
      'a.tar.gz': 'open',
      'a.zip': 'open',
      'a.json.gz': 'open',
      'marked.sh': { text: '\ufeff#!/bin/sh\nSECRET', mode: 0o755 },
      marked: '\ufeff#!/bin/sh\nSECRET',
      forgotten: { text: 'echo SECRET', mode: 0o755 },
      'wide.html': { text: Buffer.from('\ufeff#!/bin/sh\nSECRET', 'utf16le') },
      'template.html': '<?php SECRET ?>',
      data: 'SQLite format 3\0SECRET',
      identity: '-----BEGIN OPENSSH PRIVATE KEY-----\nSECRET',
      'marked.html': '\ufeff\n<?PHP SECRET ?>',
      'blank.txt': '\n#!/bin/sh\nSECRET',
      bag: 'Bag Attributes\n-----BEGIN PRIVATE KEY-----\nSECRET',
      'dump.txt': '-- MySQL dump 10\nSECRET',
      'a.svg': '<?xml version="1.0"?><svg/>',
      'open/dump.sql': 'open',
      'install.sh': '#!/bin/sh\nopen',
      'chat.py': HELLO,
      'tool.php': { text: '\x7fELF', mode: 0o644 },
    },
    args: ['--serve', '/open/*.sql', '--serve', '/install.sh'],
  });
});
after(() => server.ends());

// First, since one client's lines have a rate.
test('a byte order mark before #!, a forgotten #!, and what its first bytes betray', async () => {
  for (const name of [
    'marked.sh',
    'marked',
    'forgotten',
    'wide.html',
    'template.html',
    'data',
    'identity',
    'marked.html',
    'blank.txt',
    'bag',
    'dump.txt',
  ])
    assert.equal(await status(`/${name}`), 403, name);
  await server.logged(/path=\/marked\.sh.*byte order mark/);
  await server.logged(/path=\/forgotten.*neither a script with #! nor/);
});

test('sources, databases, settings, keys, logs and what editors leave are not handed out', async () => {
  for (const name of [...WITHHELD, 'tool.php']) {
    const answer = await request(server.port, 'GET', `/${name}`);
    assert.equal(answer.status, 403, name);
    assert.doesNotMatch(String(answer.body), /SECRET/);
  }
});

test('what browsers need is handed out, with a run bit or without', async () => {
  for (const name of SERVED) assert.equal(await body(`/${name}`), 'open', name);
  assert.equal(await status('/a.svg'), 200);
  assert.equal(await body('/chat'), 'hello');
});

test('`serve` hands out what it names', async () => {
  assert.equal(await body('/open/dump.sql'), 'open');
  assert.equal(await status('/install.sh'), 200);
  assert.equal(await status('/install.sh/x'), 404);
});

test('a FIFO holds nobody up', async () => {
  execFileSync('mkfifo', [path.join(server.root, 'pipe.html')]);
  assert.equal(await status('/pipe.html'), 404);
  assert.equal(await status('/pipe'), 404);
});

/** Two releases and the link `current` to the first; `switches()` it. */
function releases() {
  const folder = makeRoot({
    '1/a.txt': 'one',
    '1/talk.py': program('talk.py'),
    '2/a.txt': 'two',
    '2/new.py': HELLO,
  });
  const root = path.join(folder.root, 'current');
  fs.symlinkSync('1', root);
  const switches = () => {
    fs.symlinkSync('2', `${root}.new`);
    fs.renameSync(`${root}.new`, root);
  };
  return { ...folder, root, switches, folder: folder.root };
}

test('a root that is a switched link is followed, and what runs goes on', async () => {
  const files = releases();
  const other = await startServer({ root: files.root });
  const page = await Page.opens(other, 'talk');
  assert.equal(await body('/a.txt', other), 'one');
  files.switches();
  await until(
    async () => (await body('/a.txt', other)) === 'two',
    () => 'the new release',
  );
  await other.logged(/site\.root_moved.*from=\S+\/1 to=\S+\/2/);
  assert.equal(await body('/new', other), 'hello');
  fs.rmSync(path.join(files.folder, '1'), { recursive: true });
  assert.equal(await body('/a.txt', other), 'two');
  page.says('say 1');
  await page.hears(/^echo/);
  await page.closes();
  await other.ends();
  files.remove();
});

test('a release that was renamed starts its programs at its new place', async () => {
  const files = releases();
  const other = await startServer({ root: files.root });
  files.switches();
  await until(
    async () => (await body('/new', other)) === 'hello',
    () => 'the new release',
  );
  fs.renameSync(path.join(files.folder, '2'), path.join(files.folder, '3'));
  fs.unlinkSync(files.root);
  fs.symlinkSync('3', files.root);
  await until(
    async () => (await body('/new', other)) === 'hello',
    () => 'the program of the release that was renamed',
  );
  await other.ends();
  files.remove();
});

test('SIGHUP follows it at the latest; one that is gone is said, and the old one stays', async () => {
  const files = releases();
  const other = await startServer({ root: files.root });
  assert.equal(await body('/a.txt', other), 'one');
  files.switches();
  other.child.kill('SIGHUP');
  await other.logged(/config\.reloaded/);
  assert.equal(await body('/a.txt', other), 'two');
  fs.unlinkSync(files.root);
  await until(
    async () => {
      assert.equal(await body('/a.txt', other), 'two');
      return other.lines(/site\.root_gone/).length > 0;
    },
    () => 'a line in the log',
  );
  await other.ends();
  files.remove();
});

test('a miss in a folder of 50 000 files does not read it again; what is new is found', async () => {
  const files = makeRoot({ 'known.py': HELLO });
  const FILES = 50_000;
  for (let i = 0; i < FILES; i++) fs.closeSync(fs.openSync(path.join(files.root, `${i}.dat`), 'w'));
  // older than the grain of the clock, as a folder is that nobody writes to
  const old = new Date(Date.now() - 60_000);
  fs.utimesSync(files.root, old, old);
  const other = await startServer({ root: files.root, threads: 1 });
  const client = await RawHttp.connect(other.port);
  const asks = async (count) => {
    const used = () => {
      const fields = fs.readFileSync(`/proc/${other.pid}/stat`, 'utf8').split(') ')[1].split(' ');
      return Number(fields[11]) + Number(fields[12]);
    };
    const before = used();
    await client.send(
      Array.from(
        { length: count },
        (_, i) => `GET /miss${i} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
      ).join(''),
    );
    for (let i = 0; i < count; i++) assert.equal((await client.answer()).status, 404);
    return used() - before;
  };
  const first = await asks(1);
  assert.ok((await asks(200)) <= 10 * first + 20, 'of the time of one reading');
  assert.equal(await body('/known', other), 'hello');
  fs.writeFileSync(path.join(files.root, 'fresh.py'), HELLO.text, { mode: 0o755 });
  await until(
    async () => (await body('/fresh', other)) === 'hello',
    () => 'the new program',
  );
  client.destroy();
  await other.ends();
  files.remove();
});
