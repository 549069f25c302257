// SPDX-License-Identifier: MIT
// docs-links.test.mjs - what the documents point at exists: files, sections, settings, options.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { BUILD, REPO } from '../lib/server.mjs';

const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], {
  cwd: REPO,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file && fs.existsSync(path.join(REPO, file)));
const read = (file) => fs.readFileSync(path.join(REPO, file), 'utf8');
const documents = files.filter((file) => file.endsWith('.md'));
const prose = [...documents, ...files.filter((file) => file.startsWith('docs/man/'))];

/** The text without its fenced and indented blocks. */
const withoutCode = (text) => text.replace(/^```.*?^```$/gms, '').replace(/^ {4}.*$/gm, '');

/** The anchor that GitHub gives a heading. */
const anchorOf = (heading) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-');

const anchorsOf = (file) =>
  [...withoutCode(read(file)).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchorOf(heading));

test('every relative link of every document leads to a file, and to a section of it', () => {
  const broken = [];
  for (const document of documents)
    for (const [, link] of withoutCode(read(document)).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(link)) continue;
      const [file, anchor] = link.split('#');
      const target = file ? path.join(path.dirname(document), file) : document;
      const there = fs.existsSync(path.join(REPO, target));
      if (!there || (anchor && !anchorsOf(target).includes(anchor)))
        broken.push(`${document}: ${link}`);
    }
  assert.deepEqual(broken, []);
});

test('every page of docs/ that a source or a document names is there', () => {
  const broken = [];
  for (const file of files.filter((file) => /\.(c|h|def|mjs|js|ts|py|php|sh|md|conf)$/.test(file)))
    for (const [page] of read(file).matchAll(/(?<![\w/.-])docs\/[\w/-]+\.md/g))
      if (!fs.existsSync(path.join(REPO, page))) broken.push(`${file}: ${page}`);
  assert.deepEqual(broken, []);
});

test('every page of docs/ can be reached from README.md', () => {
  const reached = new Set(['README.md']);
  for (const document of reached)
    for (const [, link] of read(document).matchAll(/\]\((?![a-z]+:)([^)\s#]+)/g)) {
      const target = path.join(path.dirname(document), link);
      const found = documents.filter(
        (file) => file === target || (link.endsWith('/') && path.dirname(file) + '/' === target),
      );
      for (const file of found) reached.add(file);
    }
  assert.deepEqual(
    documents.filter((file) => file.startsWith('docs/') && !reached.has(file)),
    [],
  );
});

const TESTS = {
  unit: (name) => `tests/unit/${name}.c`,
  scenario: (name) => `tests/scenario/${name}.test.mjs`,
  browser: (name) => `tests/browser/${name}.test.mjs`,
  js: (name) => `js/test/${name}.test.mjs`,
};

test('every test that docs/security.md names exists', () => {
  const missing = [];
  let named = 0;
  for (const row of read('docs/security.md').match(/^\|.*\|$/gm)) {
    let file;
    const words = row.split('|').at(-2);
    const NAMES = /`(unit|scenario|browser|js)\/([\w-]+)`|\*([^*]+)\*/g;
    for (const [, kind, name, title] of words.matchAll(NAMES)) {
      if (kind) file = TESTS[kind](name);
      const there = file && fs.existsSync(path.join(REPO, file));
      if (!there || (title && !read(file).includes(title))) missing.push(`${file}: ${title}`);
      named++;
    }
  }
  assert.deepEqual(missing, []);
  assert.ok(named > 100, `${named} names`);
});

const settings = new Set(
  [...read('src/serve/options.def').matchAll(/^[A-Z]+\(\w+, "([a-z-]+)"/gm)].map(
    ([, name]) => name,
  ),
);

/** Fields of a C structure that are called like settings. */
const isOfC = (file) => ['docs/c-client.md', 'CONTRIBUTING.md'].includes(file);

test('settings have one spelling, that of the program: with hyphens', () => {
  assert.ok(settings.size > 60);
  const wrong = [];
  for (const file of prose.filter((file) => !isOfC(file)))
    for (const name of [...settings].filter((name) => name.includes('-')))
      if (new RegExp(`\\b${name.replaceAll('-', '_')}\\b`).test(read(file)))
        wrong.push(`${file}: ${name.replaceAll('-', '_')}`);
  assert.deepEqual(wrong, []);
});

/** Why something failed: ends like a setting, and is none. */
const REASONS = ['program-timeout', 'connect-timeout', 'dns-timeout', 'close-timeout'];
const LIKE_A_SETTING =
  /-(max|bytes|timeout|grace|interval|backlog|history|linger|window|idle|client|per-origin|target|programs|lookups|token|anchor|proxy|ports)$/;

test('every setting that a document names is one', () => {
  const unknown = [];
  for (const document of documents)
    for (const [, name, value] of read(document).matchAll(/`(?:--)?([a-z][a-z-]*)( = [^`\n]*)?`/g))
      if (value || LIKE_A_SETTING.test(name))
        if (!settings.has(name) && !REASONS.includes(name)) unknown.push(`${document}: ${name}`);
  assert.deepEqual(unknown, []);
});

test('every option that a document gives to a command is one of it', () => {
  const help = (name, ...args) =>
    execFileSync(path.join(BUILD, name), [...args, '--help'], { encoding: 'utf8' });
  const optionsIn = (text) => [...text.matchAll(/(?<![\w-])--([a-z][a-z-]*)/g)].map(([, o]) => o);
  const manual = read('docs/man/httpsocket.1').replaceAll('\\-', '-');
  const known = {
    httpsocketd: new Set([...optionsIn(help('httpsocketd')), 'help', 'version']),
    httpsocket: new Set(optionsIn(manual)),
  };
  const unknown = [];
  for (const document of documents)
    for (const [command, name] of read(document).matchAll(/(?<![\w/])(httpsocketd?) [^`\n]*/g))
      for (const option of optionsIn(command.replace(/ --(?= |$).*/, '')))
        if (!known[name].has(option)) unknown.push(`${document}: ${command}`);
  assert.deepEqual(unknown, []);
});
