// SPDX-License-Identifier: MIT
// httpsocketd --dev: a program whose file changed is ended and its page told to load again; its stderr reaches the page.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { request } from '../lib/request.mjs';
import { makeRoot, startServer } from '../lib/server.mjs';
import { openPage, SessionClient } from '../lib/session-client.mjs';
import { until } from '../lib/until.mjs';

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

let site, server;
before(async () => {
  site = makeRoot({
    'one.py': { text: program('v1'), mode: 0o755 },
    'other.py': { text: program('other'), mode: 0o755 },
    'part.py': 'X = 1\n',
    'broken.py': { text: BROKEN, mode: 0o755 },
    'late.py': {
      text: program('late', 'print("before anybody listens", file=sys.stderr, flush=True)'),
      mode: 0o755,
    },
    'style.css': 'b {}',
    'data.json': '{}',
  });
  server = await startServer({ root: site.root, args: ['--dev', '--log-level', 'debug'] });
});
after(async () => {
  SessionClient.dropAll();
  const { code } = (await server?.stop()) ?? {};
  site?.remove();
  assert.equal(code, 0);
});

const file = (name) => path.join(site.root, name);

/** As most editors save: another file takes the name. */
function replace(name, text) {
  fs.writeFileSync(file(`.${name}.new`), text, { mode: 0o755 });
  fs.renameSync(file(`.${name}.new`), file(name));
}

async function open(name) {
  const page = await openPage(`${server.url}/${name}`);
  await page.client.connect();
  return page;
}

const words = (client, word) =>
  client.control
    .filter((text) => text.startsWith(`.${word} `))
    .map((text) => JSON.parse(text.slice(word.length + 2)));
const lines = (client) => words(client, 'stderr').map(({ text }) => text);

/** The first control message of that word, past or future. */
async function told(client, word, wanted = () => true) {
  for (;;) {
    const found = words(client, word).find(wanted);
    if (found) return found;
    const heard = new AbortController();
    const end = await Promise.race([
      once(client, 'control', { signal: heard.signal }),
      client.closed,
    ]);
    heard.abort();
    if (end?.code)
      throw new Error(
        `closed ${end.code} ${end.reason} before .${word}:\n${client.control.join('\n')}`,
      );
  }
}
const line = (client, text) => told(client, 'stderr', (data) => data.text === text);

test('a new file in the place of the program ends its session and reloads its page, which runs the new code', async () => {
  const { answer, client } = await open('one.py');
  const other = await open('other.py');
  assert.match(answer.body, /v1/);
  replace('one.py', program('v2'));
  assert.equal((await told(client, 'reload')).file, 'one.py');
  assert.deepEqual(await client.closed, { code: 1000, reason: 'file-changed' });
  const again = await open('one.py');
  assert.match(again.answer.body, /v2/);
  // The program of another page goes on: it still answers.
  other.client.send('say "here"');
  await line(other.client, '"here"');
  assert.deepEqual(words(other.client, 'reload'), []);
  await again.client.cut();
  await other.client.cut();
});

test('a program that is written in place, and then once more, has its page reloaded each time', async () => {
  for (const version of ['v3', 'v4']) {
    const { client } = await open('one.py');
    fs.writeFileSync(file('one.py'), program(version));
    await told(client, 'reload');
    await client.closed;
  }
  assert.match((await request(`${server.url}/one.py`)).body, /v4/);
});

test('a style sheet beside the program reloads the page and leaves the session alone; data does nothing', async () => {
  const { client } = await open('one.py');
  fs.writeFileSync(file('data.json'), '{"a": 1}');
  fs.writeFileSync(file('style.css'), 'b { color: red }');
  assert.equal((await told(client, 'reload')).file, 'style.css');
  client.send('say "alive"');
  await line(client, '"alive"');
  assert.equal(words(client, 'reload').length, 1);
  await client.cut();
});

test('a source that the program may have imported restarts it', async () => {
  const { client } = await open('one.py');
  fs.writeFileSync(file('part.py'), 'X = 2\n');
  assert.equal((await told(client, 'reload')).file, 'part.py');
  assert.equal((await client.closed).reason, 'file-changed');
});

test('a program that is taken away runs on until there is one in its place that can be run', async () => {
  const { client } = await open('other.py');
  fs.rmSync(file('other.py'));
  client.send('say "still"');
  await line(client, '"still"');
  fs.writeFileSync(file('other.py'), program('other2'), { mode: 0o644 });
  client.send('say "and still"');
  await line(client, '"and still"');
  assert.deepEqual(words(client, 'reload'), []);
  fs.chmodSync(file('other.py'), 0o755);
  await told(client, 'reload');
  await client.closed;
});

test('a page that comes after its file has changed hears of it when it comes', async () => {
  const { client } = await openPage(`${server.url}/one.py`);
  replace('one.py', program('v5'));
  await server.logged(/dev\.changed .*one\.py/);
  await until(() => server.log.filter((text) => /dev\.changed .*one\.py/.test(text)).length >= 4);
  await client.connect();
  await told(client, 'reload');
  assert.equal((await client.closed).reason, 'file-changed');
});

test('what the program wrote on stderr before the page was there comes when it is, in order', async () => {
  const { client } = await openPage(`${server.url}/late.py`);
  await server.logged(/before anybody listens/);
  await client.connect();
  await line(client, 'before anybody listens');
  assert.deepEqual(lines(client), ['starting late', 'before anybody listens']);
  client.send('say "<script>\\u0000</script>"');
  await line(client, '"<script>\\u0000</script>"');
  client.send('raw');
  await line(client, '\ufffd\ufffd café \u0001');
  await client.cut();
});

test('of more lines than are kept the last come, and how many were left out', async () => {
  const { client } = await open('late.py');
  await line(client, 'before anybody listens');
  client.send('flood 1000');
  await line(client, 'line 999');
  const got = lines(client).slice(2);
  const skipped = got
    .map((text) => /^\((\d+) lines left out/.exec(text))
    .filter(Boolean)
    .reduce((sum, [, n]) => sum + Number(n), 0);
  assert.ok(skipped > 0);
  assert.equal(got.filter((text) => text.startsWith('line ')).length + skipped, 1000);
  await client.cut();
});

test('a program that fails says all of its last words before the session ends as always', async () => {
  const { client } = await open('one.py');
  client.send('crash "oh no"');
  const end = await client.closed;
  assert.deepEqual(end, { code: 4500, reason: 'program-failed status=1' });
  assert.equal(lines(client).at(-1), 'ValueError: "oh no"');
  assert.equal(words(client, 'failed')[0].reason, 'program-failed status=1');
});

test('its last words come even behind more than it may write in a second', async () => {
  const { client } = await open('one.py');
  client.send('bury');
  assert.equal((await client.closed).code, 4500);
  assert.equal(lines(client).at(-1), 'the last word');
});

test('a page that comes after its program has failed is told the same', async () => {
  fs.writeFileSync(
    file('dies.py'),
    program('dies', 'end.write(b"said 1\\n"); raise KeyError("gone")'),
    { mode: 0o755 },
  );
  const { client } = await openPage(`${server.url}/dies.py`);
  await server.logged(/program\.exited .*dies/);
  await client.connect();
  await client.closed;
  assert.equal(lines(client).at(-1), "KeyError: 'gone'");
  assert.equal(words(client, 'failed')[0].reason, 'program-failed status=1');
});

test('a line on descriptor 3 that breaks a rule is shown', async () => {
  const { client } = await open('one.py');
  client.send('break');
  assert.equal((await client.closed).code, 4500);
  assert.ok(
    lines(client).some((text) => /^\(descriptor 3: .*no such line/.test(text)),
    lines(client).join('\n'),
  );
});

test('a program that made no page is answered by its stderr, as text, and how it ended', async () => {
  const answer = await request(`${server.url}/broken.py`);
  assert.equal(answer.status, 502);
  assert.match(answer.headers['content-type'], /^text\/html/);
  assert.match(answer.body, /before &lt;b>/);
  assert.match(answer.body, /program-failed status=7/);
});

test('a failed page may ask for the next change: it starts no program, and is answered when there is one', async () => {
  const { body } = await request(`${server.url}/broken.py`);
  const version = /'If-None-Match': '(\w+)'/.exec(body)[1];
  const ask = (known) =>
    request(`${server.url}/broken.py`, {
      headers: { Accept: 'application/httpsocket-change', 'If-None-Match': known },
    });
  assert.equal((await ask('another')).status, 204);
  const starts = () => server.log.filter((text) => /program\.started .*broken/.test(text)).length;
  const started = starts();
  const waiting = ask(version);
  await server.logged(/dev\.waiting .*broken/);
  replace('broken.py', program('mended'));
  assert.equal((await waiting).status, 204);
  assert.equal(starts(), started);
  assert.match((await request(`${server.url}/broken.py`)).body, /mended/);
});

test('without --dev nothing of this is said, and a failure is one line of text', async () => {
  const plain = await startServer({ root: site.root });
  try {
    fs.writeFileSync(file('broken2.py'), BROKEN, { mode: 0o755 });
    const answer = await request(`${plain.url}/broken2.py`);
    assert.match(answer.headers['content-type'], /^text\/plain/);
    assert.doesNotMatch(answer.body, /before/);
    const { client } = await openPage(`${plain.url}/one.py`);
    await client.connect();
    client.send('crash 1');
    assert.equal((await client.closed).code, 4500);
    assert.deepEqual(
      client.control.filter((text) => /^\.(stderr|failed|reload)/.test(text)),
      [],
    );
  } finally {
    await plain.stop();
  }
});
