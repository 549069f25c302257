// SPDX-License-Identifier: MIT
// stdio.test.mjs - programs that read lines and write lines (docs/page-programs/stdio.md), in both forms of the wire.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test as testOf } from 'node:test';
import { openPlain } from '../lib/plain-client.mjs';
import { random } from '../lib/proxy.mjs';
import { request } from '../lib/request.mjs';
import { BUILD, makeRoot, REPO, resources, startServer } from '../lib/server.mjs';
import { SessionClient } from '../lib/session-client.mjs';
import { until } from '../lib/until.mjs';

const PROGRAMS = path.join(REPO, 'tests/scenario/programs');
const GRACE = [
  '--eof-grace',
  '200ms',
  '--term-grace',
  '300ms',
  '--rate-programs',
  'off',
  '--message-max',
  '2M',
  '--ping-interval',
  '500ms',
];

const test = (name, run) => testOf(name, { timeout: 60000 }, run);
const ok = { code: 0, signal: null };

const alive = (pid) => {
  try {
    return !/^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

async function ask(client, text) {
  client.send(text);
  return (await client.next()).text;
}

describe('files of ROOT', () => {
  let server;
  before(async () => {
    server = await startServer({
      root: PROGRAMS,
      args: [...GRACE, '--stdio-files', '/stdio', '--detach-timeout', '20s'],
    });
  });
  after(async () => assert.deepEqual(await server.stop(), ok, server.log.slice(-20).join('\n')));
  const open = (name) => openPlain(`${server.url}/stdio/${name}`);

  for (const name of ['awk.sh', 'upper.php', 'upper.py', 'grep.sh'])
    test(`the output of ${name} comes at once, though it buffers what is no terminal`, async () => {
      const client = await open(name);
      assert.equal(await ask(client, name === 'grep.sh' ? 'ONE' : 'one'), 'ONE');
      assert.equal(await ask(client, 'TWO'), 'TWO');
      client.close();
      await client.closed;
    });

  test('of a C program that prints byte by byte too, and it is one message a line', async () => {
    const folder = makeRoot({});
    execFileSync('cc', [
      '-o',
      path.join(folder.root, 'upper'),
      path.join(PROGRAMS, 'stdio/upper.c'),
    ]);
    const own = await startServer({ root: folder.root, args: [...GRACE, '--stdio-files', '/*'] });
    const client = await openPlain(`${own.url}/upper`);
    assert.equal(
      await ask(client, 'a line of some length, which is written in hundreds of pieces'),
      'A LINE OF SOME LENGTH, WHICH IS WRITTEN IN HUNDREDS OF PIECES',
    );
    client.close();
    await client.closed;
    assert.deepEqual(await own.stop(), ok);
    folder.remove();
  });

  test('text, an empty line, CR LF, a line that is no UTF-8, and messages that hold bytes', async () => {
    const client = await open('odd.py');
    assert.equal(
      await ask(client, 'echo blåbær "\\" 😀 \x01\x03\x04\x1a\x7f'),
      'blåbær "\\" 😀 \x01\x03\x04\x1a\x7f',
    );
    assert.equal(await ask(client, 'echo '), '');
    assert.equal(await ask(client, 'echo both ends\r'), 'both ends');
    client.send('bytes ff00fe0d0a');
    assert.deepEqual(await client.next(), { bytes: Buffer.from('ff00fe0d', 'hex') });
    client.send(Buffer.from('not text: \xff', 'latin1'));
    assert.deepEqual(await client.next(), { bytes: Buffer.from('got not text: \xff', 'latin1') });
    client.send('one\ntwo');
    assert.deepEqual(
      [await client.next(), await client.next()],
      [{ text: 'got one' }, { text: 'got two' }],
    );
    client.close();
    await client.closed;
  });

  test('what it is given: the environment of CGI, a terminal to write to, its own folder, no other descriptor', async () => {
    const client = await open('odd.py/more?a=b');
    const environment = {
      REQUEST_METHOD: 'GET',
      QUERY_STRING: 'a=b',
      PATH_INFO: '/more',
      SCRIPT_NAME: '/stdio/odd.py',
      REMOTE_ADDR: '127.0.0.1',
      HTTPSOCKET_CONNECT: '1',
      HTTPSOCKET_FD: '(none)',
      HTTPSOCKET_SESSION: '(none)',
      TERM: 'dumb',
    };
    for (const [name, value] of Object.entries(environment))
      assert.equal(await ask(client, `env ${name}`), value, name);
    assert.equal(await ask(client, 'isatty 0'), 'False');
    assert.equal(await ask(client, 'isatty 1'), 'True');
    assert.equal(await ask(client, 'isatty 2'), 'False');
    assert.equal(await ask(client, 'fds'), '[0, 1, 2]');
    assert.equal(await ask(client, 'cwd'), fs.realpathSync(path.join(PROGRAMS, 'stdio')));
    client.send('stderr not a message');
    await server.logged(/program\.stderr.*not a message/);
    client.close();
    await client.closed;
  });

  test('a line of 1 MB, both ways; half a line waits; the last one needs no end', async () => {
    const client = await open('odd.py');
    const long = 'z'.repeat(1_000_000);
    assert.equal(await ask(client, `echo ${long}`), long);
    client.send('half one ');
    client.send('half two ');
    assert.equal(await ask(client, 'echo three'), 'one two three');
    client.send('half last');
    client.send('exit 0');
    assert.equal((await client.next()).text, 'last');
    assert.deepEqual(await client.closed, { code: 1000, reason: 'program-exit' });
  });

  test('a line above message-max fails the program, by name', async () => {
    const client = await open('odd.py');
    client.send('long 3000000');
    assert.deepEqual(await client.closed, { code: 4500, reason: 'program-failed reason=protocol' });
    await server.logged(/program\.protocol_error.*too long/);
  });

  test("its exit is the connection's end, after its last words", async () => {
    const client = await open('odd.py');
    client.send('flood 300');
    client.send('exit 3');
    for (let i = 0; i < 300; i++)
      assert.match((await client.next()).text, new RegExp(`^${i} x{1000}$`));
    assert.deepEqual(await client.closed, { code: 4500, reason: 'program-failed status=3' });
  });

  test('who closes its stdout is over; who closes its stdin is not', async () => {
    const mute = await open('odd.py');
    mute.send('mute');
    assert.equal((await mute.closed).code, 1000);
    const deaf = await open('odd.py');
    assert.equal(await ask(deaf, 'deaf'), 'deaf');
    for (let i = 0; i < 100; i++) deaf.send('x'.repeat(100_000)); // more than anybody keeps
    deaf.ping();
    await once(deaf, 'pong');
    deaf.terminate();
    await until(() => resources(server.pid).children.length === 0);
  });

  test('end of file, then SIGTERM, then SIGKILL, to all of its group', async () => {
    const client = await open('odd.py');
    const [program, child] = (await ask(client, 'stubborn')).split(' ').slice(1).map(Number);
    const family = await open('odd.py');
    const [parent, orphan] = (await ask(family, 'family')).split(' ').slice(1).map(Number);
    assert.ok([program, child, parent, orphan].every(alive));
    client.close();
    family.terminate();
    await server.logged(/program\.stderr.*heard end of file/);
    await server.logged(new RegExp(`program.signalled.*pid=${program} .*signal=TERM`));
    await server.logged(new RegExp(`program.signalled.*pid=${program} .*signal=KILL`));
    await until(() => ![program, child, parent, orphan].some(alive));
  });

  test('who is slower makes the other wait, and nothing is lost', async () => {
    const before = Number(
      /VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${server.pid}/status`, 'utf8'))[1],
    );
    const client = await open('odd.py');
    client.pause();
    client.send('flood 60000'); // 60 MB
    client.send('echo end');
    await until(() =>
      /^State:\s+S/m.test(
        fs.readFileSync(`/proc/${resources(server.pid).children[0]}/status`, 'utf8'),
      ),
    );
    const waiting = Number(
      /VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${server.pid}/status`, 'utf8'))[1],
    );
    assert.ok(waiting - before < 20_000, `${waiting - before} KiB more`);
    client.resume();
    for (let i = 0; i < 60000; i++) {
      const { text } = await client.next();
      if (!text.startsWith(`${i} x`)) assert.fail(`${text.slice(0, 20)} instead of ${i}`);
    }
    assert.equal((await client.next()).text, 'end');
    client.close();
    await client.closed;
  });

  test('a program that does not read makes the client wait', async () => {
    const client = await open('odd.py');
    const pid = Number((await ask(client, 'asleep')).split(' ')[1]);
    for (let i = 0; i < 100; i++) client.send('x'.repeat(1_000_000));
    client.ping(); // it waits behind them
    await until(() => client.bufferedAmount < 95_000_000);
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(client.bufferedAmount > 50_000_000, String(client.bufferedAmount));
    process.kill(pid);
    assert.deepEqual(await client.closed, { code: 4500, reason: 'program-failed signal=15' });
  });

  test('a session: events `message`, and it survives its connections', async () => {
    const client = new SessionClient(`${server.url}/stdio/odd.py`);
    await client.connect();
    client.send('message "env HTTPSOCKET_SESSION"');
    assert.equal(await client.next(), `message "${client.session}"`);
    client.send('message {"a":[1]}');
    assert.equal(await client.next(), 'message "got {\\"a\\":[1]}"');
    client.send('message');
    assert.equal(await client.next(), 'message "got "');
    client.sendBytes('message', Buffer.from([0xff]));
    assert.deepEqual(await client.next(), {
      head: 'message',
      body: Buffer.from('got \xff', 'latin1'),
    });

    const seed = Number(process.env.SEED ?? randomBytes(4).readUInt32LE());
    console.log(`SEED=${seed}`);
    const chance = random(seed);
    let sent = 0;
    for (let round = 0; round < 10; round++) {
      for (let i = 0; i < 50; i++) client.send(`message "echo ${sent++}"`);
      while (client.messages.length < 4 + sent - 50 + Math.floor(50 * chance()))
        await once(client, 'message');
      await client.cut();
      const { received } = await client.connect();
      for (let i = received - 4; i < sent; i++) client.send(`message "echo ${i}"`);
    }
    while (client.messages.length < 4 + sent) await once(client, 'message');
    assert.deepEqual(
      client.messages.slice(4),
      Array.from({ length: sent }, (_, i) => `message "${i}"`),
    );
    client.send('.close {"reason":"enough"}');
    await client.closed;
  });

  test('a session that sends other events is told what it does wrong', async () => {
    const client = new SessionClient(`${server.url}/stdio/odd.py`);
    await client.connect();
    client.send('hello 1');
    assert.deepEqual(await client.closed, {
      code: 4400,
      reason: 'wire-protocol: this program takes only events `message`',
    });
    await server.logged(/program\.stdio_event.*hello/);
  });

  test('an ordinary request gets 426 and a page to try it with', async () => {
    const answer = await request(`${server.url}/stdio/upper.py`);
    assert.equal(answer.status, 426);
    assert.equal(answer.headers.upgrade, 'websocket');
    assert.match(answer.headers['content-type'], /^text\/html/);
  });
});

test('examples/lines/sum.sh, as `make run` serves it', async () => {
  const server = await startServer({
    root: path.join(REPO, 'examples'),
    args: ['--dev', '--stdio-files', '/lines'],
  });
  const client = await openPlain(`${server.url}/lines/sum`);
  assert.deepEqual(
    [await ask(client, '40'), await ask(client, '2'), await ask(client, 'two')],
    ['in all 40', 'in all 42', 'not a number: two'],
  );
  client.close();
  await client.closed;
  assert.deepEqual(await server.stop(), ok);
});

describe('commands', () => {
  const start = (
    args,
    root = makeRoot({
      'index.html': 'the page',
      'own.py': {
        text: '#!/usr/bin/env python3\nprint("Content-Type: text/plain\\n\\nown")\n',
        mode: 0o755,
      },
    }),
  ) => startServer({ root: root.root, args: [...GRACE, ...args], cwd: PROGRAMS });

  test('one for all paths, with arguments and quotes; files and programs of ROOT remain', async () => {
    const server = await start(['--stdio', `sed -u 's/a b/c  d/'`]);
    for (const place of ['/', '/some/where']) {
      const client = await openPlain(server.url + place);
      assert.equal(await ask(client, 'a b'), 'c  d');
      client.close();
      await client.closed;
    }
    assert.equal((await request(`${server.url}/`)).body, 'the page');
    assert.equal((await request(`${server.url}/own`)).body, 'own\n');
    assert.equal((await request(`${server.url}/some/where`)).status, 426);
    assert.deepEqual(await server.stop(), ok);
  });

  test("each for its path and what is below, the longest first; its working directory is the server's", async () => {
    const server = await start([
      '--stdio',
      '/a=cat',
      '--stdio',
      '/a/b/=./stdio/odd.py',
      '--stdio',
      '/up=awk "{ print toupper(\\$0); fflush() }"',
    ]);
    const say = async (place, text) => {
      const client = await openPlain(server.url + place);
      const answer = await ask(client, text);
      client.close();
      await client.closed;
      return answer;
    };
    assert.equal(await say('/a', 'cwd'), 'cwd');
    assert.equal(await say('/a/bc', 'cwd'), 'cwd');
    assert.equal(await say('/a/b', 'cwd'), fs.realpathSync(PROGRAMS));
    assert.equal(await say('/a/b/c', 'env PATH_INFO'), '/c');
    assert.equal(await say('/a/b/c', 'env SCRIPT_NAME'), '/a/b');
    await assert.rejects(openPlain(`${server.url}/ab`), /404/);
    assert.equal((await request(`${server.url}/ab`)).status, 404);
    assert.deepEqual(await server.stop(), ok);
  });

  test('a wrong one is refused with what was expected', () => {
    for (const [value, why] of [
      ['/no/such/program', /`\/no\/such\/program` is no program that can be run/],
      ['no-such-program-anywhere x', /is no program that can be run/],
      ['/a=cat | wc', /can't be split into words: one of \|/],
      ['cat "x', /a quote without its end/],
      ['cat $(ls)', /a command in a command/],
      ['/a=', /expected a command/],
    ]) {
      const { status, stderr } = runCheck(['--stdio', value]);
      assert.equal(status, 2, value);
      assert.match(stderr, why);
    }
    assert.match(
      runCheck(['--stdio-files', 'x.sh']).stderr,
      /stdio-files: expected a path below the root/,
    );
  });

  function runCheck(args) {
    try {
      execFileSync(path.join(BUILD, 'httpsocketd'), ['--check-config', ...args], { stdio: 'pipe' });
      return { status: 0, stderr: '' };
    } catch (error) {
      return { status: error.status, stderr: error.stderr.toString() };
    }
  }

  test('--stdio-output pipe: a program that looks is told the truth', async () => {
    const server = await start(['--stdio', './stdio/odd.py', '--stdio-output', 'pipe']);
    const client = await openPlain(server.url);
    client.send('isatty 1');
    client.send('exit 0');
    assert.equal((await client.next()).text, 'False');
    assert.equal((await client.closed).code, 1000);
    assert.deepEqual(await server.stop(), ok);
  });
});
