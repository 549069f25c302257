// SPDX-License-Identifier: MIT
// sessions.test.mjs - what docs/protocol.md promises, on the wire, against the running server; with one worker, and with four, where a
// connection lands on any of them and is handed over to the one that has its session.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test as testOf } from 'node:test';
import { tryHandshake } from '../lib/handshake-try.mjs';
import { Proxy } from '../lib/proxy.mjs';
import { request } from '../lib/request.mjs';
import { adminOf, makeRoot, REPO, startServer } from '../lib/server.mjs';
import { newKey, openPage, SessionClient } from '../lib/session-client.mjs';
import { until } from '../lib/until.mjs';
import { frame, OP } from '../lib/ws-raw.mjs';

const PROGRAMS = path.join(REPO, 'tests/scenario/programs');
const GRACE = [
  '--rate-programs',
  'off',
  '--attach-timeout',
  '20s',
  '--detach-timeout',
  '20s',
  '--goodbye-timeout',
  '200ms',
  '--eof-grace',
  '300ms',
  '--term-grace',
  '300ms',
];
const RECONNECTS = 40;

const test = (name, run) => testOf(name, { timeout: 60000 }, run);
const start = (...args) =>
  startServer({ root: PROGRAMS, args: [...GRACE, '--log-level', 'debug', ...args], threads: 1 });

const alive = (pid) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

async function pidOf(client) {
  return JSON.parse((await client.next(/^started /)).slice(8)).pid;
}

/** A page and its client, connected. */
async function connected(url, options) {
  const { client } = await openPage(url);
  Object.assign(client, options);
  const welcome = await client.connect();
  return { client, welcome };
}

async function finish(client) {
  client.send('.close {"reason":"test over"}');
  return client.closed;
}

/** A folder with a FIFO `gate`, for programs/gate.sh. */
function makeGate() {
  const folder = makeRoot({});
  execFileSync('mkfifo', [path.join(folder.root, 'gate')]);
  return {
    ...folder,
    open: () => fs.promises.writeFile(path.join(folder.root, 'gate'), 'open\n'),
    started: () => fs.readFileSync(path.join(folder.root, 'started'), 'utf8').trim().split('\n'),
    hasStarted: () => until(() => fs.existsSync(path.join(folder.root, 'started'))),
  };
}

after(() => SessionClient.dropAll());

for (const threads of [1, 4]) {
  describe(`with ${threads} worker${threads > 1 ? 's' : ''}`, () => {
    let server;
    const url = (name) => `${server.url}/${name}`;
    before(
      async () =>
        (server = await startServer({
          root: PROGRAMS,
          threads,
          args: [...GRACE, '--log-level', 'debug'],
        })),
    );
    after(async () => {
      const end = await server.stop();
      assert.deepEqual(end, { code: 0, signal: null }, server.log.slice(-40).join('\n'));
    });

    describe('a handshake', () => {
      test('starts a program, and .welcome says all there is to know', async () => {
        const answer = await tryHandshake(url('lines'), {
          protocols: `httpsocket.v1, key.${newKey()}`,
        });
        assert.equal(answer.protocol, 'httpsocket.v1');
        const { session, ...rest } = JSON.parse(/^\.welcome (\{.*\})$/.exec(answer.first)[1]);
        assert.match(session, /^[A-Za-z0-9_-]{24}$/);
        assert.deepEqual(rest, {
          resumed: false,
          received: 0,
          window: 1048576,
          maxMessage: 16777216,
          ping: 20000,
          grace: 20000,
          streamWindow: 1048576,
          streams: 64,
        });
        answer.socket.destroy();
      });

      test('is read in any order, in several headers, between the subprotocols of others', async () => {
        const key = newKey();
        for (const protocols of [
          `key.${key},httpsocket.v1`,
          `chat, httpsocket.v1,\tkey.${key} , soap`,
          [`httpsocket.v1`, `key.${key}`],
        ]) {
          const answer = await tryHandshake(url('lines'), { protocols });
          assert.equal(answer.protocol, 'httpsocket.v1', `${protocols}: ${JSON.stringify(answer)}`);
          answer.socket.destroy();
        }
      });

      const id = 'A'.repeat(24);
      const key = 'k'.repeat(22);
      const wrong = {
        'no key': ['httpsocket.v1', 'key.KEY is missing'],
        'a key that is too short': [`httpsocket.v1, key.${'k'.repeat(21)}`, 'key.KEY is malformed'],
        'a key that is too long': [`httpsocket.v1, key.${'k'.repeat(65)}`, 'key.KEY is malformed'],
        'a key with another character': [`httpsocket.v1, key.${key}!`, 'key.KEY is malformed'],
        'two keys': [
          `httpsocket.v1, key.${key}, key.${key}x`,
          'a field of httpsocket.v1 occurs twice',
        ],
        'a short id': [`httpsocket.v1, key.${key}, session.abc`, 'session.ID is malformed'],
        'a number that is none': [
          `httpsocket.v1, key.${key}, session.${id}, received.-1`,
          'received.N is malformed',
        ],
        'a number that is padded': [
          `httpsocket.v1, key.${key}, session.${id}, received.01`,
          'received.N is malformed',
        ],
        'messages received in no session': [
          `httpsocket.v1, key.${key}, received.3`,
          'received.N without session.ID',
        ],
      };
      for (const [name, [protocols, why]] of Object.entries(wrong)) {
        test(`with ${name}: 4400 ${why}`, async () => {
          const { status, code, reason } = await tryHandshake(url('lines'), { protocols });
          assert.deepEqual(
            { status, code, reason },
            { status: 101, code: 4400, reason: `wire-protocol: ${why}` },
          );
        });
      }

      test('for an unknown session, whatever worker its id names: 4410 session-gone', async () => {
        for (let worker = 0; worker < 8; worker++) {
          const unknown = Buffer.concat([randomBytes(16), Buffer.from([0, worker])]).toString(
            'base64url',
          );
          const { code, reason } = await tryHandshake(url('talk'), {
            protocols: `httpsocket.v1, session.${unknown}, key.${key}`,
          });
          assert.deepEqual({ code, reason }, { code: 4410, reason: 'session-gone' });
        }
      });

      test('where there is no program, no file, or no program but a file: 4404 no-program', async () => {
        for (const name of ['nothing', '', '.hidden', 'a/b/c']) {
          const { code, reason } = await tryHandshake(url(name), {
            protocols: `httpsocket.v1, key.${newKey()}`,
          });
          assert.deepEqual({ code, reason }, { code: 4404, reason: 'no-program' }, name);
        }
      });

      test('from another origin, or from none, is refused by HTTP, with the reason, and starts nothing', async () => {
        const protocols = `httpsocket.v1, key.${newKey()}`;
        const started = () => server.log.filter((line) => line.includes('program.started')).length;
        const before = started();
        const expected = [
          ['http://evil.example', 'no-record'],
          ['null', 'origin-opaque'],
          [`https://127.0.0.1:${server.port}`, 'no-record'],
          [`http://127.0.0.1:${server.port}.evil.example`, 'origin-opaque'],
          [`${server.url}/`, 'origin-opaque'],
          ['', 'origin-missing'],
        ];
        for (const [origin, token] of expected) {
          const { status, headers, body } = await tryHandshake(url('lines'), { protocols, origin });
          assert.deepEqual(
            { status, token: headers['script-access-reason'], body: body.split(':')[0] },
            { status: 403, token, body: token },
            origin,
          );
          assert.equal(headers['cache-control'], 'no-store');
        }
        assert.equal(started(), before);
      });

      test('from a session that another origin has made: refused, though the id and the key are right', async () => {
        const { client } = await connected(url('talk'));
        const port = server.port;
        const other = `http://localhost:${port}`;
        const protocols = `httpsocket.v1, session.${client.session}, key.${client.key}`;
        const { status, code } = await tryHandshake(url('talk'), {
          protocols,
          origin: other,
          headers: { Host: `localhost:${port}` },
        });
        assert.deepEqual({ status, code }, { status: 101, code: 4403 });
        await finish(client);
      });

      test('twice with the same key before the program has answered: one program, and the later connection gets it', async () => {
        const gate = makeGate();
        const target = url(`gate?${gate.root}`);
        const protocols = `httpsocket.v1, key.${newKey()}`;
        const first = tryHandshake(target, { protocols });
        await gate.hasStarted();
        const second = tryHandshake(target, { protocols });
        const { code, reason } = await first;
        assert.deepEqual({ code, reason }, { code: 4000, reason: 'replaced' });
        await gate.open();
        const answer = await second;
        assert.match(answer.first, /^\.welcome .*"resumed":false/);
        assert.equal(gate.started().length, 1);
        assert.equal((await answer.socket.next()).payload.toString(), `pid ${gate.started()[0]}`);
        answer.socket.destroy();
        gate.remove();
      });

      test('again with the same key after a .welcome that never came: the same session, with all its messages', async () => {
        const protocols = `httpsocket.v1, key.${newKey()}`;
        const lost = await tryHandshake(url('lines'), { protocols });
        const { payload } = await lost.socket.next();
        lost.socket.destroy();
        const again = await tryHandshake(url('lines'), { protocols });
        assert.equal(
          JSON.parse(again.first.slice(9)).session,
          JSON.parse(lost.first.slice(9)).session,
        );
        assert.equal(
          (await again.socket.next()).payload.toString(),
          payload.toString(),
          'what was not acknowledged comes again',
        );
        again.socket.destroy();
      });
    });

    describe('a session', { concurrency: 4 }, () => {
      test(`works on over ${RECONNECTS} reconnects, whatever worker they land on: same process, nothing lost or doubled`, async () => {
        const { client } = await connected(url('talk'));
        const pid = await pidOf(client);
        for (let i = 0; i < RECONNECTS; i++) {
          client.send(`say ${i}`);
          await client.next(new RegExp(`^echo \\["say", ${i}\\]`)); // so that it was received: what is cut off unsent is the client's to send again
          await client.cut();
          const welcome = await client.connect();
          assert.equal(welcome.resumed, true);
          assert.equal(welcome.received, i + 1);
        }
        const told = client.messages.filter((m) => m.startsWith('echo'));
        assert.deepEqual(
          told,
          Array.from({ length: RECONNECTS }, (_, i) => `echo ["say", ${i}]`),
        );
        assert.ok(alive(pid));
        await finish(client);
      });

      test('sends again what was not acknowledged, and not what was', async () => {
        const { client } = await connected(url('talk'), { acknowledge: false });
        await client.next(/attach/);
        for (let i = 0; i < 5; i++) client.send(`say ${i}`);
        for (let i = 0; i < 5; i++) await client.next(/^echo/);
        const all = [...client.messages];
        client.send('.ack 4');
        await client.cut();
        client.received = 4; // as if the rest had been lost on the way
        client.messages.length = client.taken = 4;
        await client.connect();
        await client.next(/told.*attach.*true/);
        assert.deepEqual(client.messages.slice(0, all.length), all);
        await finish(client);
      });

      test('received.N that says more than was sent, or less than was acknowledged, can not be served: 4410', async () => {
        const { client } = await connected(url('talk'), { acknowledge: false });
        await client.next(/attach/);
        client.send('.ack 2');
        client.send('ask?1');
        await client.next(/^!1/); // so the .ack has been read
        for (const n of [1, 1000]) {
          const { code, reason } = await tryHandshake(url('talk'), {
            protocols: `httpsocket.v1, session.${client.session}, key.${client.key}, received.${n}`,
          });
          assert.deepEqual(
            { code, reason },
            { code: 4410, reason: 'session-gone' },
            `received.${n}`,
          );
        }
        client.send('ask?2');
        await client.next(/^!2/); // and the session is none the worse
        await finish(client);
      });

      test('is taken over by a new connection: 4000 replaced for the old one', async () => {
        const { client } = await connected(url('talk'));
        const pid = await pidOf(client);
        for (let i = 0; i < 10; i++) {
          const { closed } = client;
          await client.connect();
          assert.deepEqual(await closed, { code: 4000, reason: 'replaced' });
        }
        client.send('say "still"');
        assert.equal(await client.next(/^echo/), 'echo ["say", "still"]');
        assert.ok(alive(pid));
        await finish(client);
      });

      test('is not had by who knows only its id: 4409, and its page notices nothing', async () => {
        const { client } = await connected(url('talk'));
        for (let i = 0; i < 5; i++)
          await assert.rejects(
            new SessionClient(url('talk'), { session: client.session }).connect(),
            { code: 4409, reason: 'session-taken' },
          );
        client.send('say 1');
        await client.next(/^echo/);
        await finish(client);
        await assert.rejects(client.connect(), { code: 4410 });
      });

      test('is not had at another path: 4410', async () => {
        const { client } = await connected(url('talk'));
        const at = (name) =>
          tryHandshake(url(name), {
            protocols: `httpsocket.v1, session.${client.session}, key.${client.key}`,
          });
        for (const name of ['lines', 'talk/', 'talk.py', 'nothing'])
          assert.equal((await at(name)).code, 4410, name);
        await finish(client);
      });

      test('goes on though the file of its program has been replaced or has gone', async () => {
        const folder = makeRoot({
          'talk.py': { text: fs.readFileSync(path.join(PROGRAMS, 'talk.py'), 'utf8'), mode: 0o755 },
        });
        const own = await startServer({ root: folder.root, threads, args: GRACE });
        const { client } = await connected(`${own.url}/talk`);
        const pid = await pidOf(client);
        fs.rmSync(path.join(folder.root, 'talk.py'));
        await client.cut();
        assert.equal((await client.connect()).resumed, true);
        fs.writeFileSync(path.join(folder.root, 'talk.py'), 'no program any more');
        await client.cut();
        assert.equal((await client.connect()).resumed, true);
        assert.ok(alive(pid));
        await finish(client);
        await own.stop();
        folder.remove();
      });

      test('calls, parts, failures and bytes go both ways', async () => {
        const { client } = await connected(url('tally'));
        client.send('parts?9007199254740991 3');
        for (const line of [
          '+9007199254740991 0',
          '+9007199254740991 1',
          '+9007199254740991 2',
          '=9007199254740991',
        ])
          assert.equal(await client.next(), line);
        client.send('nothing?0 {}');
        assert.equal(await client.next(), '!0 {"message":"no call nothing"}');
        const bytes = randomBytes(300_000);
        client.sendBytes('same?7', bytes);
        const { head, body } = await client.next();
        assert.equal(head, '=7');
        assert.ok(body.equals(bytes));
        client.send('ask "colour"');
        assert.equal(await client.next(), 'colour?1 [1,2]');
        for (const answer of ['+1 "red"', '!1 {"message":"no more"}', '=1']) {
          client.send(answer);
          const [, head, rest] = /^(\S+) ?(.*)$/.exec(answer);
          assert.equal(
            await client.next(),
            `answered ${JSON.stringify([head, rest]).replace(',', ', ')}`,
          );
        }
        client.sendBytes('=1', Buffer.from('bytes'));
        assert.equal(await client.next(), 'answered ["=1", "bytes"]');
        await finish(client);
      });

      test('commands to the page keep their place among the events, and are repeated after a drop', async () => {
        const { client } = await connected(url('talk'), { acknowledge: false });
        const lines = [
          'before 1',
          '.listen {"on":"click","as":"hit"}',
          '.dom [{"op":"text"}]',
          'between 2',
          '.dom {"op":"text"}',
          '.unlisten {"as":"hit"}',
          'after 3',
        ];
        client.send(`write ${JSON.stringify(`${lines.join('\n')}\n`)}`);
        await client.next(/^before/);
        await client.next(/^after/);
        assert.deepEqual(client.messages.slice(-lines.length), lines);
        await client.cut();
        client.received -= 4; // as if these had not come
        const known = client.messages.length;
        await client.connect();
        await client.next(/^after/);
        assert.deepEqual(client.messages.slice(known, known + 4), lines.slice(-4));
        await finish(client);
      });

      test('what the page could not do reaches the program, in order, and the log', async () => {
        const { client } = await connected(url('talk'));
        const pid = await pidOf(client);
        client.send('.problem {"command":"listen","message":"no such field"}');
        client.send('say 1');
        assert.equal(
          await client.next(/problem/),
          'echo [".problem", {"command": "listen", "message": "no such field"}]',
        );
        await client.next(/say/);
        await server.logged(/warn page.problem .*problem=".*no such field/);
        await until(() => client.control.includes('.ack 2'));
        for (let i = 0; i < 100; i++) client.send('.problem {"n":1}');
        client.send('say 2');
        await client.next(/say", 2/);
        assert.equal(
          client.messages.filter((line) => line.startsWith('echo [".problem"')).length,
          101,
        );
        assert.ok(
          server.log.filter((line) => line.includes('page.problem') && line.includes('n\\":1'))
            .length < 100,
        );
        assert.ok(alive(pid));
        await finish(client);
      });

      const breaches = {
        'a name that is none': 'n\u00e5me 1',
        'an event of the protocol that is malformed': '.ack x',
        'an acknowledgement of what was not sent': '.ack 1000000',
        'JSON that is none': 'say {"a":}',
        'two spaces': 'say  1',
        'a line feed inside': 'say\n1',
        'an empty message': '',
        'a call with a leading zero': 'say?01 1',
        'a head and a space': 'say ',
        'JSON that is too deep': `say ${'['.repeat(513)}${']'.repeat(513)}`,
        'bytes without a head': Buffer.from('no line feed at all'),
        'a binary message that is reserved': Buffer.from('\x01x'),
        'a command, which is for the program to give': '.listen {"on":"click"}',
        'a problem without JSON': '.problem',
        'a control message of bytes': Buffer.from('.ack\n1'),
      };
      for (const [name, message] of Object.entries(breaches)) {
        test(`${name}: 4400, the session has failed and the program sees its end`, async () => {
          const { client } = await connected(url('talk'));
          const pid = await pidOf(client);
          client.send(message);
          const { code, reason } = await client.closed;
          assert.equal(code, 4400, reason);
          assert.match(reason, /^wire-protocol: .+/);
          await until(() => !alive(pid));
          await assert.rejects(client.connect(), { code: 4410 });
        });
      }

      test('.ack never falls: one that does is a breach', async () => {
        const { client } = await connected(url('talk'), { acknowledge: false });
        await client.next(/attach/);
        client.send('.ack 2');
        client.send('.ack 1');
        assert.equal((await client.closed).code, 4400);
      });

      test('an unknown control message is ignored; .ping is answered at once', async () => {
        const { client } = await connected(url('talk'));
        client.send('.future {"a":1}');
        client.send('.ping');
        await until(() => client.control.includes('.pong'));
        await finish(client);
      });

      test('.close {} ends it: end of file for the program, 1000 for the client', async () => {
        const { client } = await connected(url('talk'));
        const pid = await pidOf(client);
        assert.equal((await finish(client)).code, 1000);
        await server.logged(new RegExp(`program.stderr .*pid=${pid} .*line="end of file"`));
        await until(() => !alive(pid));
      });

      test('.bye, then the connection is gone: the program waits for as long as a goodbye lasts, and is let go', async () => {
        const { client } = await connected(url('talk'));
        const pid = await pidOf(client);
        client.send('.bye {"reason":"left"}');
        await client.cut();
        await until(() => !alive(pid));
        await assert.rejects(client.connect(), { code: 4410 });
      });

      test('.bye, and back in time: it goes on, and the goodbye is forgotten', async () => {
        const patient = await start('--goodbye-timeout', '20s', '--detach-timeout', '30s');
        const { client } = await connected(`${patient.url}/talk`);
        await client.next(/told.*attach/);
        client.send('.bye {"reason":"left"}');
        await client.cut();
        assert.equal((await client.connect()).resumed, true);
        assert.equal(await client.next(/detach/), 'told [".detach", {"reason": "goodbye"}]');
        await client.cut();
        await client.connect();
        assert.match(await client.next(/detach/), /"(lost|replaced)"/);
        await finish(client);
        await patient.stop();
      });

      test('a program that exits while the page is away: its last words wait, then its code', async () => {
        const gate = makeGate();
        const { client } = await connected(url('tally'));
        client.send(`wait ${JSON.stringify(path.join(gate.root, 'gate'))}`);
        client.send('.ping');
        await until(() => client.control.includes('.pong'));
        await client.cut();
        await gate.open();
        await server.logged(/program.exited .*status=3/);
        await client.connect();
        assert.equal(await client.next(), 'last "words"');
        assert.deepEqual(await client.closed, { code: 4500, reason: 'program-failed status=3' });
        assert.deepEqual(
          client.control.filter((c) => c.startsWith('.close')),
          ['.close {"code":4500,"reason":"program-failed status=3"}'],
        );
        await assert.rejects(client.connect(), { code: 4410 }, 'and now it is over');
        gate.remove();
      });

      test('a program that is killed: 4500 program-failed, and no other session is touched', async () => {
        const { client: other } = await connected(url('talk'));
        const { client } = await connected(url('talk'));
        process.kill(await pidOf(client), 'SIGKILL');
        assert.deepEqual(await client.closed, { code: 4500, reason: 'program-failed signal=9' });
        other.send('say 1');
        await other.next(/^echo/);
        await finish(other);
      });

      for (const [name, line] of Object.entries({
        'a line that is none': '\x01\n',
        'an empty line': '\n',
        'a name with another character': 'a,b 1\n',
        'a length that is none': 'a @x\n',
        'a byte count and no LF': 'a @1\nbc',
        'JSON that is none': 'a {\n',
        'text that is not UTF-8': 'a "\udcff"\n',
        'a command that nobody knows': '.fly {}\n',
        'a command of bytes': '.dom @1\nx\n',
        'a command without JSON': '.listen\n',
        'a command that takes an object': '.listen [{}]\n',
        'a command with a number': '.dom 5\n',
        'a command of the page': '.problem {}\n',
      })) {
        test(`a program that writes ${name}: 4500, and its line is in the log`, async () => {
          const { client } = await connected(url('talk'));
          const pid = await pidOf(client);
          const escaped = JSON.stringify(line);
          client.send(line.includes('\udcff') ? 'write "a \\"\\u0000\\"\\n"' : `write ${escaped}`);
          assert.deepEqual(await client.closed, {
            code: 4500,
            reason: 'program-failed reason=protocol',
          });
          await server.logged(
            new RegExp(`error program\\.(protocol_error|unsupported) .*pid=${pid} `),
          );
        });
      }
    });

    test('16 MiB go through in one message, either way; one byte more is refused with a code that says not to come back', async () => {
      const { client, welcome } = await connected(url('tally'));
      assert.equal(welcome.maxMessage, 16 << 20);
      const whole = `put "${'x'.repeat(welcome.maxMessage - 6)}"`;
      assert.equal(Buffer.byteLength(whole), welcome.maxMessage);
      client.send(whole);
      client.send('.ping');
      await until(() => client.control.some((c) => c === '.ack 1'), undefined, 30000);
      client.send('report?1');
      assert.equal(JSON.parse((await client.next(/^=1/)).slice(3)).count, 1);
      client.send(`bytes ${welcome.maxMessage - 6}`);
      assert.equal((await client.next(/^bytes/)).body.length, welcome.maxMessage - 6);
      client.send(`${whole} `);
      assert.equal((await client.closed).code, 4400);
      await assert.rejects(client.connect(), { code: 4410 });
    });

    test('the id and the key of a session are never in the log, the metrics or the list of sessions, whatever happens to it', async () => {
      const own = await start('--admin', '127.0.0.1:0', '--threads', String(threads));
      const admin = await adminOf(own);
      const { client } = await connected(`${own.url}/talk`);
      const pid = await pidOf(client);
      await client.cut();
      await client.connect();
      await client.connect();
      await new SessionClient(`${own.url}/talk`, { session: client.session })
        .connect()
        .catch(() => {});
      await tryHandshake(`${own.url}/talk`, {
        protocols: `httpsocket.v1, session.${client.session}, key.${client.key}`,
        origin: 'http://evil.example',
      });
      await tryHandshake(`${own.url}/talk`, {
        protocols: `httpsocket.v1, session.${client.session}, key.${client.key}, key.${client.key}`,
      });
      await request(`${own.url}/talk`, {
        method: 'BREW',
        headers: { 'Session-ID': client.session },
      });
      const directKey = newKey();
      const direct = await tryHandshake(`${own.url}/lines`, {
        protocols: `httpsocket.v1, key.${directKey}`,
      });
      direct.socket.destroy();
      const seen = [await request(`${admin}/sessions`), await request(`${admin}/metrics`)].map(
        (a) => a.body,
      );
      assert.match(seen[0], /"session":"[0-9a-f]{8}"/);
      client.send('nonsense {');
      await client.closed;
      await own.logged(new RegExp(`program.exited .*pid=${pid} `));
      await own.stop();
      const all = [...own.log, ...seen].join('\n');
      assert.ok(all.includes('session.breach'));
      for (const secret of [client.session, client.key, directKey])
        assert.ok(
          !all.includes(secret),
          all.split('\n').find((line) => line.includes(secret)),
        );
    });
  });
}

describe('a page that goes beyond its window', () => {
  test('is cut off with 4400; one message alone may be larger than the window', async () => {
    const server = await start('--window', '64K');
    const { client, welcome } = await connected(`${server.url}/talk`);
    assert.equal(welcome.window, 65536);
    const pid = await pidOf(client);
    client.send(`say "${'x'.repeat(200_000)}"`);
    await client.next(/^echo/);
    process.kill(pid, 'SIGSTOP');
    for (let i = 0; i < 40; i++) client.send(`say "${'x'.repeat(60_000)}"`);
    assert.deepEqual(await client.closed, {
      code: 4400,
      reason: 'wire-protocol: more than the window',
    });
    process.kill(pid, 'SIGCONT');
    await until(() => !alive(pid));
    await server.stop();
  });
});

describe('a peer that is dead without a word', () => {
  test('is noticed by the server, whose program is told; it comes back and goes on', async () => {
    const server = await start('--ping-interval', '100ms', '--admin', '127.0.0.1:0');
    const admin = await adminOf(server);
    const proxy = await Proxy.start(server.port);
    const { client } = await connected(`${server.url}/talk`);
    client.url = `http://127.0.0.1:${proxy.port}/talk`;
    client.headers = { Host: `127.0.0.1:${server.port}` };
    await client.connect();
    await until(() => client.control.includes('.ping'));
    const began = Date.now();
    proxy.freeze();
    await until(
      async () => /"state":"detached"/.test((await request(`${admin}/sessions`)).body),
      undefined,
      30000,
    );
    assert.ok(Date.now() - began >= 5000, 'not before twice the interval and 5 s');
    assert.match(
      (await request(`${admin}/metrics`)).body,
      /^httpsocket_websocket_dead_peers_total 1$/m,
    );
    await client.connect();
    assert.equal(
      await client.next(/told.*detach.*dead/),
      'told [".detach", {"reason": "dead-peer"}]',
    );
    await finish(client);
    await proxy.stop();
    await server.stop();
  });
});

describe('frames of another kind inside a session', () => {
  test('a ping of RFC 6455 is answered, a text that is not UTF-8 is 1007, and the session waits for its client', async () => {
    const server = await start();
    const protocols = `httpsocket.v1, key.${newKey()}`;
    const answer = await tryHandshake(`${server.url}/lines`, { protocols });
    assert.equal((await answer.socket.next()).payload.toString().slice(0, 4), 'pid ');
    await answer.socket.send(frame(OP.PING, 'there?'));
    const pong = await answer.socket.next();
    assert.deepEqual([pong.op, pong.payload.toString()], [OP.PONG, 'there?']);
    await answer.socket.send(frame(OP.TEXT, Buffer.from([0x61, 0x20, 0x22, 0xff, 0x22])));
    const close = await answer.socket.next();
    assert.equal(close.payload.readUInt16BE(0), 1007);
    answer.socket.destroy();
    const again = await tryHandshake(`${server.url}/lines`, { protocols });
    assert.equal(
      JSON.parse(again.first.slice(9)).session,
      JSON.parse(answer.first.slice(9)).session,
    );
    again.socket.destroy();
    await server.stop();
  });
});
