// SPDX-License-Identifier: MIT
// What the documents say of httpsocketd is what it says of itself: every option, its default, the
// page program in the man page.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import WebSocket from 'ws';
import { BUILD, REPO, makeRoot, startServer } from '../lib/server.mjs';

const read = (file) => fs.readFileSync(path.join(REPO, file), 'utf8');
const help = execFileSync(path.join(BUILD, 'httpsocketd'), ['--help'], { encoding: 'utf8' });
const manual = read('docs/man/httpsocketd.8').replaceAll('\\-', '-').replaceAll('\\&', '');
const operations = read('docs/operations.md');

/**
 * [{name, letter, text, initial}] of each option that --help prints; `initial` is its default as
 * printed there, if it is.
 */
const options = help
  .split('\n')
  .filter((line) => /^ +(-\w, )?--/.test(line))
  .flatMap((line) =>
    [...line.slice(0, 32).matchAll(/(?:-(\w), )?--([a-z-]+)/g)].map(([, letter, name]) => {
      const initial = /default:? ([^()]+)\)$/.exec(line)?.[1];
      return { name, letter, initial };
    }),
  );

/** What the man page says of an option: its tag and its paragraph. */
function paragraph(name) {
  const tagged = manual
    .split(/^\.TP\n/m)
    .filter((text) => new RegExp(`--${name}(?![a-z-])`).test(text.split('\n')[0]));
  assert.equal(tagged.length, 1, `--${name} has ${tagged.length} paragraphs in the man page`);
  return tagged[0].split(/^\.S[SH] /m)[0];
}

test('--help is read well enough for what follows', () => {
  assert.ok(options.length > 30, help);
  assert.deepEqual(
    options.find(({ name }) => name === 'listen'),
    { name: 'listen', letter: 'l', initial: '127.0.0.1:8080' },
  );
});

for (const { name, letter, initial } of options)
  test(`the man page has --${name}, its letter and its default`, () => {
    const [tag, ...text] = paragraph(name).split('\n');
    if (letter) assert.match(tag, new RegExp(`-${letter}\\b`));
    if (initial)
      assert.ok(
        text.join(' ').includes(`Default: ${initial}.`),
        `expected \`Default: ${initial}.\` in: ${text.join(' ')}`,
      );
  });

test('the man page has no option that is not there', () => {
  const known = new Set(options.map(({ name }) => name));
  const named = [...manual.matchAll(/(?<![\w-])--([a-z][a-z-]*)/g)].map(([, name]) => name);
  assert.deepEqual(
    named.filter((name) => !known.has(name)),
    [],
  );
});

test('docs/operations.md names every setting', () => {
  const missing = options.filter(
    ({ name }) =>
      !['help', 'version'].includes(name) &&
      !new RegExp(`(?<![\\w-])(--)?${name}(?![\\w-])`).test(operations),
  );
  assert.deepEqual(
    missing.map(({ name }) => name),
    [],
  );
});

const groff = spawnSync('groff', ['--version']).error ? 'groff is not installed' : false;

for (const page of fs.readdirSync(path.join(REPO, 'docs/man')))
  test(`${page} is set without a warning`, { skip: groff }, () => {
    const { status, stdout, stderr } = spawnSync(
      'groff',
      ['-man', '-ww', '-Tutf8', '-P-cbou', path.join(REPO, 'docs/man', page)],
      { encoding: 'utf8' },
    );
    assert.equal(status, 0);
    assert.equal(stderr, '');
    assert.ok(stdout.includes('EXIT STATUS'), 'it has no section EXIT STATUS');
  });

const bench = (...args) =>
  spawnSync(path.join(REPO, 'bench/run'), args, { encoding: 'utf8', timeout: 60_000 });

/** A copy of what `make bench` writes, changed by `change(read, write)`, as bench/run finds it. */
function checkChanged(change) {
  const files = ['README.md', 'docs/performance.md'];
  for (const file of fs.readdirSync(path.join(REPO, 'docs/performance')))
    files.push(`docs/performance/${file}`);
  const copy = makeRoot(Object.fromEntries(files.map((file) => [file, read(file)])));
  const inCopy = (file) => path.join(copy.root, file);
  change(
    (file) => fs.readFileSync(inCopy(file), 'utf8'),
    (file, text) => fs.writeFileSync(inCopy(file), text),
  );
  const { status, stdout } = bench('--check', '--root', copy.root);
  copy.remove();
  return { status, stdout };
}

test('docs/performance.md and the figures of README.md are what the results are written as', () => {
  const { status, stdout, stderr } = bench('--check');
  assert.equal(status, 0, `${stdout}${stderr}\nbench/run --from docs/performance/results.json`);
});

test('docs/performance.md has a row for all that bench/run measures', () => {
  const { status, stdout } = checkChanged((readCopy, write) => {
    const results = JSON.parse(readCopy('docs/performance/results.json'));
    delete results.rows['echo-20-100'];
    write('docs/performance/results.json', JSON.stringify(results));
  });
  assert.equal(stdout, 'no result for the row echo-20-100\n');
  assert.equal(status, 1);
});

for (const file of ['docs/performance.md', 'README.md'])
  test(`a figure that was changed by hand in ${file} is found`, () => {
    const { status, stdout } = checkChanged((readCopy, write) => {
      const [head, made, rest] = readCopy(file).split(/(<!-- made by .*: begin -->[^]*: end -->)/);
      write(file, head + made.replace(/(\d)\.(\d)/, '9.$2') + rest);
    });
    assert.equal(stdout, `${path.basename(file)} is not what results.json is written as\n`);
    assert.equal(status, 1);
  });

let site;
let server;
before(async () => {
  const example = /^#!\/bin\/sh\n[^]*?(?=^\.fi)/m.exec(manual)[0].replaceAll('\\e', '\\');
  site = makeRoot({ hello: { text: example, mode: 0o755 } });
  server = await startServer({ root: site.root });
});
after(async () => {
  await server.stop();
  site.remove();
});

test("the man page's page program prints its page and talks with it", async () => {
  const answer = await fetch(`${server.url}/hello`);
  assert.match(await answer.text(), /<script src=\/\.httpsocket\/client\.js>/);
  const session = answer.headers.get('session-id');
  const protocols = ['httpsocket.v1', `session.${session}`, 'key.abcdefghijklmnopqrstuvwx'];
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/hello`, protocols, {
    origin: server.url,
  });
  const told = await new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('close', (code, reason) => reject(new Error(`${code} ${reason}`)));
    socket.on('message', (data) => /^now "/.test(data) && resolve(String(data)));
  });
  assert.match(told, /\d\d:\d\d:\d\d/);
  socket.close();
});
