// SPDX-License-Identifier: MIT
/**
 * The sources: one file is made of them, their types are right, and their package can be imported.
 */
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  brotliCompressSync,
  brotliDecompressSync,
  constants,
  gunzipSync,
  gzipSync,
} from 'node:zlib';

const js = fileURLToPath(new URL('..', import.meta.url));
const tsc = fileURLToPath(new URL('../../node_modules/typescript/bin/tsc', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'httpsocket-js-'));
test.after(() => rmSync(folder, { recursive: true }));

/** The modules, by their paths below src. */
const sources = () =>
  readdirSync(join(js, 'src'), { recursive: true }).filter((path) => path.endsWith('.mjs'));

/** Runs assemble on a copy of src to which `change` was applied. */
function assembleWith(change) {
  const src = mkdtempSync(join(folder, 'src-'));
  cpSync(join(js, 'src'), src, { recursive: true });
  change?.(src);
  const made = mkdtempSync(join(folder, 'out-'));
  const run = spawnSync(join(js, 'assemble'), ['js', src, made], { encoding: 'utf8' });
  return { ...run, out: readdirSync(made).map((name) => join(made, name)) };
}

const append = (file, text) => (src) =>
  writeFileSync(join(src, file), readFileSync(join(src, file), 'utf8') + text);
const prepend = (file, text) => (src) =>
  writeFileSync(join(src, file), text + readFileSync(join(src, file), 'utf8'));

test('all files parse, and hold no import and no comment of the sources', () => {
  const { status, out } = assembleWith();
  assert.equal(status, 0);
  for (const file of out) {
    execFileSync(process.execPath, ['--check', file]);
    assert.doesNotMatch(readFileSync(file, 'utf8'), /^import |@param|@type/m);
  }
});

test('what one scope can not hold is refused, with the file and the reason', () => {
  const cases = [
    [
      append('session/delay.mjs', 'const Link = 1;\n'),
      /link\.mjs: 'Link' is a top-level name of session\/delay\.mjs already|delay\.mjs: 'Link'/,
    ],
    [
      append('session/delay.mjs', 'export default 5;\n'),
      /delay\.mjs: not understood: export default/,
    ],
    [append('session/delay.mjs', "export * from '../proto/close-codes.mjs';\n"), /not understood/],
    [append('session/delay.mjs', 'const here = import.meta.url;\n'), /not understood/],
    [
      append('session/delay.mjs', "const other = await import('../proto/close-codes.mjs');\n"),
      /not understood/,
    ],
    [
      prepend('session/delay.mjs', "import { verdict as v } from '../proto/close-codes.mjs';\n"),
      /not understood|not in/,
    ],
    [
      prepend('session/delay.mjs', "import { absent } from '../proto/close-codes.mjs';\n"),
      /'absent' is not in proto\/close-codes\.mjs/,
    ],
    [
      prepend('proto/close-codes.mjs', "import { Link } from '../session/link.mjs';\n"),
      /imports itself/,
    ],
    [
      prepend('session/delay.mjs', "import { absent } from '../../outside.mjs';\n"),
      /session\/delay\.mjs: imports from outside of src/,
    ],
  ];
  for (const [change, reason] of cases) {
    const { status, stderr } = assembleWith(change);
    assert.equal(status, 1, stderr);
    assert.match(stderr, reason);
  }
});

test('the C source holds the files byte for byte, plain, by gzip and by brotli', () => {
  const { out } = assembleWith();
  const [c, h] = ['client_files.c', 'client_files.h'].map((name) => join(folder, name));
  execFileSync(join(js, 'assemble'), ['c', c, h, ...out]);
  const arrays = [...readFileSync(c, 'utf8').matchAll(/\[\] = \{([^}]*)\}/g)].map(([, body]) =>
    Buffer.from(body.match(/0x../g).map(Number)),
  );
  const files = out.map((file) => readFileSync(file));
  const codings = [(bytes) => bytes, gunzipSync, brotliDecompressSync];
  for (const [n, decoded] of codings.entries())
    assert.deepEqual(
      arrays.filter((_, i) => i % 3 === n).map((bytes) => Buffer.from(decoded(bytes))),
      files,
    );
  assert.match(
    readFileSync(h, 'utf8'),
    /extern const struct client_file client_files\[CLIENT_FILE_COUNT\];/,
  );
});

test('client.js is small, and has the hashes of its parts', () => {
  const { out } = assembleWith();
  const client = readFileSync(out.find((file) => file.endsWith('/client.js')));
  assert.ok(gzipSync(client, { level: 9 }).length < 23_300);
  const { BROTLI_PARAM_LGWIN, BROTLI_PARAM_SIZE_HINT } = constants;
  const params = { [BROTLI_PARAM_LGWIN]: 24, [BROTLI_PARAM_SIZE_HINT]: client.length };
  assert.ok(brotliCompressSync(client, { params }).length < 20_800);
  const parts = out.filter((file) => /client-\w+\.js$/.test(file));
  assert.equal(parts.length, 7);
  for (const part of parts) {
    const hash = createHash('sha256').update(readFileSync(part)).digest('hex').slice(0, 16);
    assert.ok(client.includes(`hash:"${hash}"`), part);
  }
});

test('a change of one part changes its hash, and no other', () => {
  const names = (change) =>
    [
      ...readFileSync(
        assembleWith(change).out.find((file) => file.endsWith('/client.js')),
        'utf8',
      ).matchAll(/hash:"(\w+)"/g),
    ].map(([, hash]) => hash);
  const [before, after] = [names(), names(append('dom/rows.mjs', 'console.log(1);\n'))];
  assert.equal(before.filter((hash) => after.includes(hash)).length, before.length - 1);
});

test('a table of numbers stands in its uses alone, and can be used in no other way', () => {
  const { out } = assembleWith();
  const text = (name) =>
    readFileSync(
      out.find((file) => file.endsWith(`/${name}`)),
      'utf8',
    );
  for (const name of ['client.js', 'client-page.js', 'client.all.js', 'client.mjs'])
    assert.doesNotMatch(text(name), /SESSION_GONE|CLOSE\b/, name);
  assert.match(text('client.src.js'), /code === CLOSE\.SESSION_GONE/);
  const other = append('session/restorer.mjs', 'console.log(Object.keys(CLOSE));\n');
  assert.match(assembleWith(other).stderr, /CLOSE is a table of numbers/);
});

test('names of numbers and of states are for readers: client.js has their values', () => {
  const change = (src) => {
    append('session/delay.mjs', 'const LONG_MS = 2 ** 9;\nconsole.log(LONG_MS + 1);\n')(src);
    append('session/delay.mjs', "console.log('FROZEN', { word: 'MOST_FROZEN' });\n")(src);
  };
  const { out } = assembleWith(change);
  const text = readFileSync(
    out.find((file) => file.endsWith('/client.js')),
    'utf8',
  );
  assert.match(text, /console\.log\(2\*\*9\+1\)/);
  assert.match(text, /console\.log\(7,\{word:"MOST_FROZEN"\}\)/);
  assert.doesNotMatch(text, /LONG_MS|FETCHING_REASON|"WAITING"/);
});

test('a module in two parts is refused', () => {
  const both = (src) => {
    writeFileSync(join(src, 'dom/both.mjs'), 'export const both = 5;\n');
    for (const [file, from] of [
      ['dom/updates.mjs', './both.mjs'],
      ['events/busy.mjs', '../dom/both.mjs'],
    ])
      prepend(file, `import { both } from '${from}';\n`)(src);
  };
  assert.match(assembleWith(both).stderr, /dom\/both\.mjs: is in the parts 'events' and 'dom'/);
});

test('meson knows every source', () => {
  const listed = readFileSync(join(js, 'meson.build'), 'utf8');
  for (const file of sources()) assert.ok(listed.includes(`'src/${file}'`), file);
});

const PAGE = `
import { ServerConnection, ServerEvent, TCPConnection, TCPConnectionError } from 'httpsocket';
import type { End, ServerConnectionOptions } from 'httpsocket';
import type { TCPConnectionOpenInfo, TCPConnectionOptions } from 'httpsocket';
const options: ServerConnectionOptions = { buffer: 5, fetch };
const c = new ServerConnection('/feed', { buffer: 1000, closeTimeout: 5 });
c.onwhatever = (data, event: ServerEvent) => console.log(data.city, event.data);
c.onclose = (data) => console.log(data.code);
c.onwhatever = null;
c.addEventListener('price', (event) => console.log(event.data));
c.send('hello', { name: 'x' });
c.send('bytes', new Uint8Array(3));
const answer: number = await c.call('sum', [1, 2], { timeout: 50, signal: AbortSignal.timeout(5) });
for await (const part of c.stream('count', 3)) console.log(part, answer);
c.handle('double', async (n, { name, signal }) => [n * 2, name, signal.aborted]);
c.handle('double', null);
const id: string | null = c.sessionId;
if (c.readyState === ServerConnection.OPEN && c.bufferedAmount === 0) c.close(\`done \${id}\`);
const own: ServerConnection = document.serverConnection;
own.onclose = ({ code, retryAfter }: End) => console.log(code, retryAfter, options);
// @ts-expect-error
document.serverConnection = c;
// @ts-expect-error
new ServerConnection();
// @ts-expect-error
new ServerConnection('/x', { bufer: 5 });
// @ts-expect-error
c.send(5);
// @ts-expect-error
c.onfoo = 5;
// @ts-expect-error
c.sessionId = 'x';
// @ts-expect-error
c.call('a', 1, { timeout: 'soon' });
// @ts-expect-error
c.absent();

const tcpOptions: TCPConnectionOptions = { secure: true, keepAliveDelay: 5000, via: c };
const t = new TCPConnection('imap.b.example', 993, tcpOptions);
new TCPConnection('b.example', 7, { via: '/gateway' }).disconnect();
const { readable, writable, remoteAddress, localPort }: TCPConnectionOpenInfo = await t.opened;
const { value } = await readable.getReader({ mode: 'byob' }).read(new Uint8Array(5));
await writable.getWriter().write(value ?? new ArrayBuffer(1));
t.onread = (bytes: Uint8Array) => t.send(bytes);
t.onerror = (error: TCPConnectionError) => console.log(error.code, error.retryAfter);
t.addEventListener('close', (event) => console.log(event.code, remoteAddress, localPort));
t.send('LIST');
if (t.readyState === TCPConnection.OPEN && t.bufferedAmount < 5)
  console.log(t.network, t.peer, t.port);
const over: Promise<void> = t.close();
await Promise.allSettled([over, t.closed]);
// @ts-expect-error
new TCPConnection('b.example');
// @ts-expect-error
new TCPConnection('b.example', 7, { secur: true });
// @ts-expect-error
t.send(5);
// @ts-expect-error
t.port = 5;
// @ts-expect-error
new TCPConnection('b.example', 7, { via: 5 });
`;

// A page with the classic script: nothing is imported.
const CLASSIC = `
const c: ServerConnection = document.serverConnection ?? new ServerConnection('/feed');
c.onerror = (error: ServerConnectionError) => console.log(error.code);
c.addEventListener('close', (event: ServerLifecycleEvent) => console.log(event.retryAfter));
const t: TCPConnection = new TCPConnection('irc.b.example', 6697, { secure: true });
t.opened.catch((error: TCPConnectionError) => console.log(error.code));
// @ts-expect-error
new ServerConnection('/x', { bufer: 5 });
`;

const run = (cwd, command, ...args) => spawnSync(command, args, { cwd, encoding: 'utf8' });

/** The files of that folder that npm would publish. */
function packed(folder) {
  const [{ files }] = JSON.parse(
    run(folder, 'npm', 'pack', '--dry-run', '--json', '--ignore-scripts').stdout,
  );
  return files.map((file) => file.path);
}

test('the types of the sources hold, and the packed package serves pages in TypeScript', () => {
  const built = join(folder, 'built');
  cpSync(js, built, { recursive: true, filter: (file) => !/types$/.test(file) });
  const sources = run(built, process.execPath, tsc, '-p', 'tsconfig.json', '--outDir', 'types');
  assert.equal(sources.status, 0, sources.stdout);
  for (const file of packed(built))
    cpSync(join(built, file), join(folder, 'node_modules/httpsocket', file));
  const compilerOptions = { noEmit: true, strict: true, target: 'ES2022', module: 'NodeNext' };
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  const pages = [
    ['page.ts', PAGE, []],
    ['classic.ts', CLASSIC, ['httpsocket/globals']],
  ];
  for (const [name, text, types] of pages) {
    const config = { compilerOptions: { ...compilerOptions, types }, files: [name] };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
    writeFileSync(join(folder, name), text);
    const page = run(folder, process.execPath, tsc, '-p', '.');
    assert.equal(page.status, 0, page.stdout);
  }
});

test('the package holds its sources and declarations, and nothing of its house', () => {
  const files = packed(js).filter((file) => !file.startsWith('types/'));
  const wanted = ['LICENSE', 'README.md', 'globals.d.mts', 'index.d.mts', 'package.json'];
  for (const source of sources()) wanted.push(`src/${source}`);
  assert.deepEqual(files.sort(), wanted.sort());
});

test('each package of npm has the licence, word by word', () => {
  const licence = readFileSync(join(js, '../LICENSE'), 'utf8');
  for (const folder of [js, join(js, '../sdk/node')]) {
    assert.ok(packed(folder).includes('LICENSE'), folder);
    assert.equal(readFileSync(join(folder, 'LICENSE'), 'utf8'), licence);
    assert.equal(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).license, 'MIT');
  }
});

test('the package is imported by its name, in Node and without a page', () => {
  const script = `import * as all from 'httpsocket'; console.log(Object.keys(all).sort().join(' '), typeof document);`;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: js,
    encoding: 'utf8',
  });
  assert.equal(
    output.trim(),
    'ServerConnection ServerConnectionError ServerEvent ServerLifecycleEvent TCPConnection TCPConnectionError undefined',
  );
});
