// SPDX-License-Identifier: MIT
// stdio.test.mjs - programs that read lines and write lines (docs/page-programs/stdio.md), in both
// forms of the wire.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { openPlain } from '../lib/plain-client.mjs';
import { alive, sleeps } from '../lib/program.mjs';
import { random } from '../lib/proxy.mjs';
import {
  BUILD,
  makeRoot,
  program,
  PROGRAMS,
  REPO,
  resources,
  startProgram,
  startServer,
  stopAll,
} from '../lib/server.mjs';
import { SessionClient } from '../lib/session-client.mjs';
import { after, before, describe, test } from '../lib/test.mjs';
import { until } from '../lib/until.mjs';
import { visitor } from '../lib/visitor.mjs';

const GRACE = '--eof-grace 200ms --term-grace 300ms --message-max 2M --ping-interval 500ms';
const QUICK = `${GRACE} --rate-programs off`.split(' ');

after(stopAll);

describe('files of ROOT', () => {
  let server;
  const FILES = ['--stdio-files', '/stdio', '--detach-timeout', '20s'];
  before(async () => (server = await startServer({ args: [...QUICK, ...FILES] })));
  after(() => server.ends());
  const open = (name) => openPlain(server.at(`stdio/${name}`));

  for (const name of ['awk.sh', 'upper.php', 'upper.py', 'grep.sh'])
    test(`the output of ${name} comes at once, though it buffers what is no terminal`, async () => {
      const client = await open(name);
      assert.equal(await client.asks(name === 'grep.sh' ? 'ONE' : 'one'), 'ONE');
      assert.equal(await client.asks('TWO'), 'TWO');
      await client.closes();
    });

  test('of a C program that prints byte by byte too, and it is one message a line', async () => {
    const own = await startServer({
      files: {},
      args: [...QUICK, '--stdio-files', '/*'],
    });
    const source = path.join(PROGRAMS, 'stdio/upper.c');
    execFileSync('cc', ['-o', path.join(own.root, 'upper'), source]);
    const client = await openPlain(own.at('upper'));
    const line = 'a line of some length, which is written in hundreds of pieces';
    assert.equal(await client.asks(line), line.toUpperCase());
    await client.closes();
    await own.ends();
  });

  test('text, an empty line, CR LF, a line that is no UTF-8, and messages that hold bytes', async () => {
    const client = await open('odd.py');
    const odd = 'blåbær "\\" 😀 \x01\x03\x04\x1a\x7f';
    assert.equal(await client.asks(`echo ${odd}`), odd);
    assert.equal(await client.asks('echo '), '');
    assert.equal(await client.asks('echo both ends\r'), 'both ends');
    client.send('bytes ff00fe0d0a');
    assert.deepEqual(await client.next(), {
      bytes: Buffer.from('ff00fe0d', 'hex'),
    });
    client.send(Buffer.from('not text: \xff', 'latin1'));
    assert.deepEqual(await client.next(), {
      bytes: Buffer.from('got not text: \xff', 'latin1'),
    });
    assert.equal(await client.asks('one\ntwo'), 'got one');
    assert.deepEqual(await client.next(), { text: 'got two' });
    await client.closes();
  });

  test('what it is given: the environment of CGI, its own folder, no other descriptor, no terminal', async () => {
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
      assert.equal(await client.asks(`env ${name}`), value, name);
    for (const fd of [0, 1, 2]) assert.equal(await client.asks(`isatty ${fd}`), 'False');
    assert.equal(await client.asks('fds'), '[0, 1, 2]');
    assert.equal(await client.asks('cwd'), fs.realpathSync(path.join(PROGRAMS, 'stdio')));
    client.send('stderr not a message');
    await server.logged(/program\.stderr.*not a message/);
    await client.closes();
  });

  test('a line of 1 MB, both ways; half a line waits; the last one needs no end', async () => {
    const client = await open('odd.py');
    const long = 'z'.repeat(1_000_000);
    assert.equal(await client.asks(`echo ${long}`), long);
    client.send('half one ');
    client.send('half two ');
    assert.equal(await client.asks('echo three'), 'one two three');
    client.send('half last');
    client.send('exit 0');
    assert.equal((await client.next()).text, 'last');
    await client.isClosed(1000, 'program-exit');
  });

  test('a line above message-max fails the program, by name', async () => {
    const client = await open('odd.py');
    client.send('long 3000000');
    await client.isClosed(4500, 'program-failed reason=protocol');
    await server.logged(/program\.protocol_error.*too long/);
  });

  for (const [what, fill] of [
    ['as text', 0x22],
    ['as bytes', 0xff],
  ])
    test(`a line of message-max comes back to a plain client ${what}`, async () => {
      const client = await openPlain(server.at('stdio/cat.sh'));
      const line = Buffer.alloc(2 << 20, fill);
      client.send(fill < 0x80 ? line.toString() : line);
      assert.deepEqual(await client.next(), fill < 0x80 ? { text: `${line}` } : { bytes: line });
      await client.closes();
    });

  test('a line that JSON makes longer than message-max comes back to a session as bytes', async () => {
    const client = await SessionClient.connects(server, 'stdio/cat.sh');
    const line = Buffer.alloc(1 << 20, 1);
    client.saysBytes('message', line);
    await client.hearsBytes('message', line);
    await client.closes();
  });

  test("its exit is the connection's end, after its last words", async () => {
    const client = await open('odd.py');
    client.send('flood 300');
    client.send('exit 3');
    for (let i = 0; i < 300; i++)
      assert.match((await client.next()).text, new RegExp(`^${i} x{1000}$`));
    await client.isClosed(4500, 'program-failed status=3');
  });

  test('who closes its stdout is over; who closes its stdin is not', async () => {
    const mute = await open('odd.py');
    mute.send('mute');
    assert.equal((await mute.closed).code, 1000);
    const deaf = await open('odd.py');
    assert.equal(await deaf.asks('deaf'), 'deaf');
    for (let i = 0; i < 100; i++) deaf.send('x'.repeat(100_000)); // more than anybody keeps
    deaf.ping();
    await once(deaf, 'pong');
    deaf.terminate();
    await server.hasChildren(0);
  });

  test('end of file, then SIGTERM, then SIGKILL, to all of its group', async () => {
    const client = await open('odd.py');
    const [program, child] = (await client.asks('stubborn')).split(' ').slice(1).map(Number);
    const family = await open('odd.py');
    const [parent, orphan] = (await family.asks('family')).split(' ').slice(1).map(Number);
    assert.ok([program, child, parent, orphan].every(alive));
    client.close();
    family.terminate();
    await server.logged(/program\.stderr.*heard end of file/);
    await server.logged(new RegExp(`program.signalled.*pid=${program} .*signal=TERM`));
    await server.logged(new RegExp(`program.signalled.*pid=${program} .*signal=KILL`));
    await until(() => ![program, child, parent, orphan].some(alive));
  });

  test('who is slower makes the other wait, and nothing is lost', async () => {
    const before = server.resident;
    const client = await open('odd.py');
    client.pause();
    client.send('flood 60000'); // 60 MB
    client.send('echo end');
    await sleeps(resources(server.pid).children[0]);
    const more = server.resident - before;
    assert.ok(more < 20_000 * 1024, `${more} bytes more`);
    client.resume();
    for (let i = 0; i < 60000; i++) {
      const { text } = await client.next();
      if (!text.startsWith(`${i} x`)) assert.fail(`${text.slice(0, 20)} instead of ${i}`);
    }
    assert.equal((await client.next()).text, 'end');
    await client.closes();
  });

  test('with a buffer smaller than a burst of lines, all of them arrive', async () => {
    const burst = program(
      '#!/usr/bin/python3\nimport os, sys\nfor _ in sys.stdin:\n' +
        '    os.write(1, b"".join(b"%03d %s\\n" % (i, b"x" * 55) for i in range(100)))\n',
    );
    const args = [...QUICK, '--stdio-files', '/*', '--buffer-max', '4096'];
    const own = await startServer({ files: { burst }, args });
    const client = await openPlain(own.at('burst'));
    for (let round = 0; round < 3; round++) {
      client.send('go');
      for (let i = 0; i < 100; i++) assert.equal(parseInt((await client.next()).text), i);
    }
    await client.closes();
    await own.ends();
  });

  test('a program that does not read makes the client wait', async () => {
    const client = await open('odd.py');
    const pid = Number((await client.asks('asleep')).split(' ')[1]);
    for (let i = 0; i < 100; i++) client.send('x'.repeat(1_000_000));
    client.ping(); // it waits behind them
    await until(() => client.bufferedAmount < 95_000_000);
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(client.bufferedAmount > 50_000_000, String(client.bufferedAmount));
    process.kill(pid);
    await client.isClosed(4500, 'program-failed signal=15');
  });

  describe('a session', () => {
    const connects = () => SessionClient.connects(server, 'stdio/odd.py');

    /** Says lines and is cut, at random; `before` messages of either side went before. */
    async function isCut(client, before, chance) {
      const echo = (i) => `message "echo ${i}"`;
      let sent = 0;
      for (let round = 0; round < 10; round++) {
        for (let i = 0; i < 50; i++) client.says(echo(sent++));
        const enough = before + sent - 50 + Math.floor(50 * chance());
        while (client.messages.length < enough) await once(client, 'message');
        await client.cuts();
        const { received } = await client.connect();
        for (let i = received - before; i < sent; i++) client.says(echo(i));
      }
      while (client.messages.length < before + sent) await once(client, 'message');
      return Array.from({ length: sent }, (_, i) => `message "${i}"`);
    }

    test('events `message`, and it survives its connections', async () => {
      const client = await connects();
      client.says('message "env HTTPSOCKET_SESSION"');
      await client.hearsNext(`message "${client.session}"`);
      client.says('message {"a":[1]}', 'message');
      await client.hearsNext('message "got {\\"a\\":[1]}"', 'message "got "');
      client.saysBytes('message', [0xff]);
      await client.hearsBytes('message', Buffer.from('got \xff', 'latin1'));
      const seed = Number(process.env.SEED ?? randomBytes(4).readUInt32LE());
      console.log(`SEED=${seed}`);
      const expected = await isCut(client, 4, random(seed));
      assert.deepEqual(client.messages.slice(4), expected);
      await client.closes();
    });

    test('that sends other events is told what it does wrong', async () => {
      const client = await connects();
      client.says('hello 1');
      await client.isClosed(4400, 'wire-protocol: this program takes only events `message`');
      await server.logged(/program\.stdio_event.*hello/);
    });
  });

  test('an ordinary request gets 426 and a page to try it with', async () => {
    const answer = await visitor.asks(server.at('stdio/upper.py'));
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
  const client = await openPlain(server.at('lines/sum'));
  assert.equal(await client.asks('40'), 'in all 40');
  assert.equal(await client.asks('2'), 'in all 42');
  assert.equal(await client.asks('two'), 'not a number: two');
  await client.closes();
  await server.ends();
});

describe('commands', () => {
  const OWN = program('#!/usr/bin/env python3\nprint("Content-Type: text/plain\\n\\nown")\n');
  const start = (...args) =>
    startServer({
      files: { 'index.html': 'the page', 'own.py': OWN },
      args: [...QUICK, ...args],
      cwd: PROGRAMS,
    });

  test('one for all paths, with arguments and quotes; files and programs of ROOT remain', async () => {
    const server = await start('--stdio', `sed -u 's/a b/c  d/'`);
    for (const place of ['', 'some/where']) {
      const client = await openPlain(server.at(place));
      assert.equal(await client.asks('a b'), 'c  d');
      await client.closes();
    }
    assert.equal((await visitor.asks(server.at(''))).body, 'the page');
    assert.equal((await visitor.asks(server.at('own'))).body, 'own\n');
    assert.equal((await visitor.asks(server.at('some/where'))).status, 426);
    await server.ends();
  });

  test("each for its path and what is below, the longest first; its working directory is the server's", async () => {
    const commands = [
      '/a=cat',
      '/a/b/=./stdio/odd.py',
      '/up=awk "{ print toupper(\\$0); fflush() }"',
    ];
    const server = await start(...commands.flatMap((command) => ['--stdio', command]));
    const say = async (place, text) => {
      const client = await openPlain(server.at(place));
      const answer = await client.asks(text);
      await client.closes();
      return answer;
    };
    for (const cat of ['a', 'a/bc']) assert.equal(await say(cat, 'cwd'), 'cwd');
    assert.equal(await say('a/b', 'cwd'), fs.realpathSync(PROGRAMS));
    assert.equal(await say('a/b/c', 'env PATH_INFO'), '/c');
    assert.equal(await say('a/b/c', 'env SCRIPT_NAME'), '/a/b');
    await assert.rejects(openPlain(server.at('ab')), /404/);
    assert.equal((await visitor.asks(server.at('ab'))).status, 404);
    await server.ends();
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

  for (const [command, line, answer] of [
    ['jq -c .', '{"a": [1]}', '{"a":[1]}'],
    ['grep --color=auto a', 'a', 'a'],
    ["perl -pe '$_ = uc'", 'a', 'A'],
    ['python3 -c "import sys; [print(x.upper(), end=str()) for x in sys.stdin]"', 'a', 'A'],
    [`sh -c "grep -v x | tr a-z A-Z"`, 'a', 'A'],
  ])
    test(`the lines of ${command} come one by one, without colours`, async () => {
      const server = await start('--stdio', command);
      const client = await openPlain(server.url);
      for (let i = 0; i < 3; i++) assert.equal(await client.asks(line), answer);
      await client.closes();
      await server.ends();
    });

  test('git log says its lines as in a pipe, without a pager', async () => {
    const root = makeRoot({ file: 'x' });
    const git = (...args) =>
      execFileSync('git', ['-C', root.root, '-c', 'user.name=A', '-c', 'user.email=a@a', ...args], {
        encoding: 'utf8',
      });
    git('init', '-q');
    for (const subject of ['one', 'two']) git('commit', '-q', '--allow-empty', '-m', subject);
    const expected = git('log', '--oneline', '-3').trim().split('\n');
    const server = await start('--stdio', `git -C ${root.root} log --oneline -3`);
    const client = await openPlain(server.url);
    for (const line of expected) assert.equal((await client.next()).text, line);
    await client.isClosed(1000, 'program-exit');
    await server.ends();
    root.remove();
  });

  test('a terminal where asked: for all, for one command, for files of a folder', async () => {
    const odd = './stdio/odd.py';
    const commands = [`/a=${odd}`, `pipe:/b=${odd}`, `terminal:/c=${odd}`];
    const isTerminal = async (server, place) => {
      const client = await openPlain(server.at(place));
      const answer = await client.asks('isatty 1');
      await client.closes();
      return answer;
    };
    for (const [output, expected] of [
      ['terminal', 'True'],
      ['pipe', 'False'],
    ]) {
      const stdio = commands.flatMap((command) => ['--stdio', command]);
      const server = await start(...stdio, '--stdio-output', output);
      assert.equal(await isTerminal(server, 'a'), expected);
      assert.equal(await isTerminal(server, 'b'), 'False');
      assert.equal(await isTerminal(server, 'c'), 'True');
      await server.ends();
    }
    const files = await startServer({ args: [...QUICK, '--stdio-files', 'terminal:/stdio'] });
    assert.equal(await isTerminal(files, 'stdio/odd.py'), 'True');
    await files.ends();
  });

  test('what a program starts keeps its lines in time; what it sends to a file is not disturbed', async () => {
    const script =
      'while read x; do echo $x | tr a-z A-Z; env tr a-z A-Z </dev/null >/dev/null; done';
    const server = await start('--stdio', `sh -c '${script}'`);
    const client = await openPlain(server.url);
    for (const word of ['one', 'two']) assert.equal(await client.asks(word), word.toUpperCase());
    await client.closes();
    assert.deepEqual(server.lines(/program\.stderr/), []);
    await server.ends();
  });

  for (const [what, folder, lines] of [
    ['its library', 'bin', false],
    ['a library whose path can be preloaded', 'two words', true],
  ])
    test(`a server without ${what} says so, and its programs run`, async () => {
      const place = makeRoot({ [`${folder}/site/index.html`]: '' });
      const file = path.join(place.root, folder, 'httpsocketd');
      fs.copyFileSync(path.join(BUILD, 'httpsocketd'), file);
      const share = path.join(place.root, folder, 'share/lines');
      if (lines) fs.cpSync(path.join(BUILD, 'share/lines'), share, { recursive: true });
      const python = `python3 -c 'import sys; [print(x.upper(), end="") for x in sys.stdin]'`;
      const site = path.join(place.root, folder, 'site');
      const server = await startProgram(file, ['-l', '127.0.0.1:0', '--stdio', python, site]);
      await server.logged(/stdio\.buffered/);
      const client = await openPlain(server.url);
      for (const word of ['one', 'two']) assert.equal(await client.asks(word), word.toUpperCase());
      await client.closes();
      assert.deepEqual(server.lines(/program\.stderr/), []);
      await server.ends();
      place.remove();
    });

  for (const [what, ...flags] of [
    ['built with AddressSanitizer', '-fsanitize=address'],
    ['linked statically', '-static'],
  ])
    test(`a program ${what} runs, and nothing on stderr complains`, async () => {
      const folder = makeRoot({});
      const file = path.join(folder.root, 'upper');
      execFileSync('cc', [...flags, '-o', file, path.join(PROGRAMS, 'stdio/upper.c')]);
      const server = await start('--stdio', `${what.includes('static') ? 'terminal:' : ''}${file}`);
      const client = await openPlain(server.url);
      for (const word of ['one', 'two']) assert.equal(await client.asks(word), word.toUpperCase());
      await client.closes();
      assert.deepEqual(server.lines(/program\.stderr/), []);
      await server.ends();
      folder.remove();
    });
});
