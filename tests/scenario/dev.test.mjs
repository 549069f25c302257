// SPDX-License-Identifier: MIT
// httpsocketd --dev: a program whose file changed is ended and its page told to load again; its
// stderr reaches the page.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { program as programOf, startServer, stopAll } from '../lib/server.mjs';
import { Page, SessionClient } from '../lib/session-client.mjs';
import { after, before, test } from '../lib/test.mjs';
import { until } from '../lib/until.mjs';
import { visitor } from '../lib/visitor.mjs';

const program = (version, more = '') => `#!/usr/bin/python3
import os, sys
print("starting ${version}", file=sys.stderr, flush=True)
sys.stdout.write("Content-Type: text/html\\n\\n<title>${version}</title>")
sys.stdout.flush()
os.close(1)
end = os.fdopen(3, "rb+", buffering=0)
${more}
for line in os.fdopen(os.dup(3), "rb"):
    name, _, data = line.decode().strip().partition(" ")
    if name == "say":
        print(data, file=sys.stderr, flush=True)
    elif name == "flood":
        sys.stderr.write("".join("line %d\\n" % n for n in range(int(data))))
        sys.stderr.flush()
        end.write(b"flooded\\n")
    elif name == "raw":
        os.write(2, b"\\xff\\xfe caf\\xc3\\xa9 \\x01\\n")
    elif name == "bury":
        sys.stderr.write(("x" * 99 + "\\n") * 3000)
        sys.exit("the last word")
    elif name == "crash":
        raise ValueError(data)
    elif name == "break":
        end.write(b"no such line (at all)\\n")
print("end of file", file=sys.stderr, flush=True)
`;
const BROKEN = `#!/usr/bin/python3
import sys
print("before <b>", file=sys.stderr)
sys.exit(7)
`;

const LATE = 'print("before anybody listens", file=sys.stderr, flush=True)';

let server;
before(async () => {
  const files = {
    'one.py': programOf(program('v1')),
    'other.py': programOf(program('other')),
    'part.py': 'X = 1\n',
    'broken.py': programOf(BROKEN),
    'late.py': programOf(program('late', LATE)),
    'style.css': 'b {}',
    'data.json': '{}',
  };
  server = await startServer({ files, args: ['--dev', '--log-level', 'debug'] });
});
after(async () => (SessionClient.dropAll(), await server.ends(), stopAll()));

const file = (name) => path.join(server.root, name);

/** As most editors save: another file takes the name. */
function replace(name, text) {
  fs.writeFileSync(file(`.${name}.new`), text, { mode: 0o755 });
  fs.renameSync(file(`.${name}.new`), file(name));
}

const open = (name) => Page.opens(server, name);

const words = (page, word) =>
  page.control
    .filter((text) => text.startsWith(`.${word} `))
    .map((text) => JSON.parse(text.slice(word.length + 2)));
const lines = (page) => words(page, 'stderr').map(({ text }) => text);

/** The first control message of that word, past or future. */
async function told(page, word, wanted = () => true) {
  for (;;) {
    const found = words(page, word).find(wanted);
    if (found) return found;
    const heard = new AbortController();
    const end = await Promise.race([once(page, 'control', { signal: heard.signal }), page.closed]);
    heard.abort();
    if (end?.code)
      throw new Error(
        `closed ${end.code} ${end.reason} before .${word}:\n${page.control.join('\n')}`,
      );
  }
}
const line = (page, text) => told(page, 'stderr', (data) => data.text === text);

test('a new file in the place of the program ends its session and reloads its page, which runs the new code', async () => {
  const page = await open('one.py');
  const other = await open('other.py');
  assert.match(page.answer.body, /v1/);
  replace('one.py', program('v2'));
  assert.equal((await told(page, 'reload')).file, 'one.py');
  await page.isClosed(1000, 'file-changed');
  const again = await open('one.py');
  assert.match(again.answer.body, /v2/);
  // The program of another page goes on: it still answers.
  other.says('say "here"');
  await line(other, '"here"');
  assert.deepEqual(words(other, 'reload'), []);
  await again.cuts();
  await other.cuts();
});

test('a program that is written in place, and then once more, has its page reloaded each time', async () => {
  for (const version of ['v3', 'v4']) {
    const page = await open('one.py');
    fs.writeFileSync(file('one.py'), program(version));
    await told(page, 'reload');
    await page.closed;
  }
  assert.match((await visitor.asks(server.at('one.py'))).body, /v4/);
});

test('a style sheet beside the program reloads the page and leaves the session alone; data does nothing', async () => {
  const page = await open('one.py');
  fs.writeFileSync(file('data.json'), '{"a": 1}');
  fs.writeFileSync(file('style.css'), 'b { color: red }');
  assert.equal((await told(page, 'reload')).file, 'style.css');
  page.says('say "alive"');
  await line(page, '"alive"');
  assert.equal(words(page, 'reload').length, 1);
  await page.cuts();
});

test('a source that the program may have imported restarts it', async () => {
  const page = await open('one.py');
  fs.writeFileSync(file('part.py'), 'X = 2\n');
  assert.equal((await told(page, 'reload')).file, 'part.py');
  assert.equal((await page.closed).reason, 'file-changed');
});

test('a program that is taken away runs on until there is one in its place that can be run', async () => {
  const page = await open('other.py');
  fs.rmSync(file('other.py'));
  page.says('say "still"');
  await line(page, '"still"');
  fs.writeFileSync(file('other.py'), program('other2'), { mode: 0o644 });
  page.says('say "and still"');
  await line(page, '"and still"');
  assert.deepEqual(words(page, 'reload'), []);
  fs.chmodSync(file('other.py'), 0o755);
  await told(page, 'reload');
  await page.closed;
});

test('a page that comes after its file has changed hears of it when it comes', async () => {
  const page = await Page.loads(server, 'one.py');
  replace('one.py', program('v5'));
  await server.logged(/dev\.changed .*one\.py/);
  await until(() => server.lines(/dev\.changed .*one\.py/).length >= 4);
  await page.connect();
  await told(page, 'reload');
  assert.equal((await page.closed).reason, 'file-changed');
});

test('what the program wrote on stderr before the page was there comes when it is, in order', async () => {
  const page = await Page.loads(server, 'late.py');
  await server.logged(/before anybody listens/);
  await page.connect();
  await line(page, 'before anybody listens');
  assert.deepEqual(lines(page), ['starting late', 'before anybody listens']);
  page.says('say "<script>\\u0000</script>"');
  await line(page, '"<script>\\u0000</script>"');
  page.says('raw');
  await line(page, '\ufffd\ufffd café \u0001');
  await page.cuts();
});

test('of more lines than are kept the last come, and how many were left out', async () => {
  const page = await open('late.py');
  await line(page, 'before anybody listens');
  page.says('flood 1000');
  await line(page, 'line 999');
  const got = lines(page).slice(2);
  const skipped = got
    .map((text) => /^\((\d+) lines left out/.exec(text))
    .filter(Boolean)
    .reduce((sum, [, n]) => sum + Number(n), 0);
  assert.ok(skipped > 0);
  assert.equal(got.filter((text) => text.startsWith('line ')).length + skipped, 1000);
  await page.cuts();
});

test('a program that fails says all of its last words before the session ends as always', async () => {
  const page = await open('one.py');
  page.says('crash "oh no"');
  await page.isClosed(4500, 'program-failed status=1');
  assert.equal(lines(page).at(-1), 'ValueError: "oh no"');
  assert.equal(words(page, 'failed')[0].reason, 'program-failed status=1');
});

test('its last words come even behind more than it may write in a second', async () => {
  const page = await open('one.py');
  page.says('bury');
  assert.equal((await page.closed).code, 4500);
  assert.equal(lines(page).at(-1), 'the last word');
});

test('a page that comes after its program has failed is told the same', async () => {
  fs.writeFileSync(
    file('dies.py'),
    program('dies', 'end.write(b"said 1\\n"); raise KeyError("gone")'),
    { mode: 0o755 },
  );
  const page = await Page.loads(server, 'dies.py');
  await server.logged(/program\.exited .*dies/);
  await page.connect();
  await page.closed;
  assert.equal(lines(page).at(-1), "KeyError: 'gone'");
  assert.equal(words(page, 'failed')[0].reason, 'program-failed status=1');
});

test('a line on descriptor 3 that breaks a rule is shown', async () => {
  const page = await open('one.py');
  page.says('break');
  assert.equal((await page.closed).code, 4500);
  assert.ok(
    lines(page).some((text) => /^\(descriptor 3: .*no such line/.test(text)),
    lines(page).join('\n'),
  );
});

test('a program that made no page is answered by its stderr, as text, and how it ended', async () => {
  const answer = await visitor.asks(server.at('broken.py'));
  assert.equal(answer.status, 502);
  assert.match(answer.headers['content-type'], /^text\/html/);
  assert.match(answer.body, /before &lt;b>/);
  assert.match(answer.body, /program-failed status=7/);
});

test('a failed page may ask for the next change: it starts no program, and is answered when there is one', async () => {
  const { body } = await visitor.asks(server.at('broken.py'));
  const version = /'If-None-Match': '(\w+)'/.exec(body)[1];
  const ask = (known) =>
    visitor.asks(server.at('broken.py'), {
      headers: { Accept: 'application/httpsocket-change', 'If-None-Match': known },
    });
  assert.equal((await ask('another')).status, 204);
  const starts = () => server.lines(/program\.started .*broken/).length;
  const started = starts();
  const waiting = ask(version);
  await server.logged(/dev\.waiting .*broken/);
  replace('broken.py', program('mended'));
  assert.equal((await waiting).status, 204);
  assert.equal(starts(), started);
  assert.match((await visitor.asks(server.at('broken.py'))).body, /mended/);
});

test('without --dev nothing of this is said, and a failure is one line of text', async () => {
  const plain = await startServer({ root: server.root });
  try {
    fs.writeFileSync(file('broken2.py'), BROKEN, { mode: 0o755 });
    const answer = await visitor.asks(plain.at('broken2.py'));
    assert.match(answer.headers['content-type'], /^text\/plain/);
    assert.doesNotMatch(answer.body, /before/);
    const page = await Page.opens(plain, 'one.py');
    page.says('crash 1');
    assert.equal((await page.closed).code, 4500);
    assert.deepEqual(
      page.control.filter((text) => /^\.(stderr|failed|reload)/.test(text)),
      [],
    );
  } finally {
    await plain.stop();
  }
});
