// SPDX-License-Identifier: MIT
// sessions.test.mjs - what docs/protocol.md promises, on the wire, against the running server; with
// one worker, and with four, where a
// connection lands on any of them and is handed over to the one that has its session.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { Gate } from '../lib/gate.mjs';
import { Proxy } from '../lib/proxy.mjs';
import { program as programFile, startServer, stopAll } from '../lib/server.mjs';
import { newKey, Page, SessionClient } from '../lib/session-client.mjs';
import { after, before, describe, test } from '../lib/test.mjs';
import { until } from '../lib/until.mjs';
import { visitor } from '../lib/visitor.mjs';
import { frame, handshake, OP, RawWebSocket } from '../lib/ws-raw.mjs';

const GRACE =
  '--rate-programs off --attach-timeout 20s --detach-timeout 20s --goodbye-timeout 200ms ' +
  '--eof-grace 300ms --term-grace 300ms --log-level debug';
const RECONNECTS = 40;
const GIVEN_UP = 10;
const PATIENCE_OF_A_CLIENT_MS = 200;

const start = (more = '', options = { threads: 1 }) =>
  startServer({ args: `${GRACE} ${more}`.trim().split(' '), ...options });

/** The subprotocols of a new session. */
const anew = () => `httpsocket.v1, key.${newKey()}`;

after(async () => (SessionClient.dropAll(), stopAll()));

for (const threads of [1, 4]) {
  describe(`with ${threads} worker${threads > 1 ? 's' : ''}`, () => {
    let server;
    const lines = (protocols, options) =>
      visitor.connects(server.at('lines'), { protocols, ...options });
    const talk = (protocols, options) =>
      visitor.connects(server.at('talk'), { protocols, ...options });
    before(async () => (server = await start('', { threads })));
    after(() => server.ends());

    describe('a handshake', () => {
      test('starts a program, and .welcome says all there is to know', async () => {
        const answer = await lines(anew());
        assert.equal(answer.protocol, 'httpsocket.v1');
        const { session, ...rest } = answer.welcome;
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
        answer.leaves();
      });

      test('is read in any order, in several headers, between the subprotocols of others', async () => {
        const key = newKey();
        for (const protocols of [
          `key.${key},httpsocket.v1`,
          `chat, httpsocket.v1,\tkey.${key} , soap`,
          [`httpsocket.v1`, `key.${key}`],
        ]) {
          const answer = await lines(protocols);
          assert.equal(answer.protocol, 'httpsocket.v1', `${protocols}: ${JSON.stringify(answer)}`);
          answer.leaves();
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
          const { status, code, reason } = await lines(protocols);
          assert.deepEqual(
            { status, code, reason },
            { status: 101, code: 4400, reason: `wire-protocol: ${why}` },
          );
        });
      }

      test('for an unknown session, whatever worker its id names: 4410 session-gone', async () => {
        for (let worker = 0; worker < 8; worker++) {
          const bytes = Buffer.concat([randomBytes(16), Buffer.from([0, worker])]);
          const unknown = bytes.toString('base64url');
          const { code, reason } = await talk(`httpsocket.v1, session.${unknown}, key.${key}`);
          assert.deepEqual({ code, reason }, { code: 4410, reason: 'session-gone' });
        }
      });

      test('where there is no program, no file, or no program but a file: 4404 no-program', async () => {
        for (const name of ['nothing', '', '.hidden', 'a/b/c']) {
          const { code, reason } = await visitor.connects(server.at(name), { protocols: anew() });
          assert.deepEqual({ code, reason }, { code: 4404, reason: 'no-program' }, name);
        }
      });

      test('from another origin, or from none, is refused by HTTP, with the reason, and starts nothing', async () => {
        const started = server.lines(/program\.started/).length;
        const expected = [
          ['http://evil.example', 'no-record'],
          ['null', 'origin-opaque'],
          [`https://127.0.0.1:${server.port}`, 'no-record'],
          [`http://127.0.0.1:${server.port}.evil.example`, 'origin-opaque'],
          [`${server.url}/`, 'origin-opaque'],
          ['', 'origin-missing'],
        ];
        for (const [origin, token] of expected) {
          const { status, headers, body } = await lines(anew(), { origin });
          assert.deepEqual([status, headers['script-access-reason']], [403, token], origin);
          assert.equal(body.split(':')[0], token);
          assert.equal(headers['cache-control'], 'no-store');
        }
        assert.equal(server.lines(/program\.started/).length, started);
      });

      test('from a session that another origin has made: refused, though the id and the key are right', async () => {
        const page = await Page.opens(server, 'talk');
        const Host = `localhost:${server.port}`;
        const other = { origin: `http://${Host}`, headers: { Host } };
        const { status, code } = await talk(page.offers(), other);
        assert.deepEqual({ status, code }, { status: 101, code: 4403 });
        await page.closes();
      });

      test('twice with the same key before the program has answered: one program, and the later connection gets it', async () => {
        const gate = new Gate();
        const where = server.at(`gate?${gate.root}`);
        const protocols = anew();
        const first = visitor.connects(where, { protocols });
        await gate.hasArrivals();
        const second = visitor.connects(where, { protocols });
        const { code, reason } = await first;
        assert.deepEqual({ code, reason }, { code: 4000, reason: 'replaced' });
        await gate.opens();
        const answer = await second;
        assert.equal(answer.welcome.resumed, false);
        assert.equal(gate.arrived.length, 1);
        assert.equal(await answer.hears(), `pid ${gate.arrived[0]}`);
        answer.leaves();
        gate.remove();
      });

      test('again with the same key after a .welcome that never came: the same session, with all its messages', async () => {
        const protocols = anew();
        const lost = await lines(protocols);
        const message = await lost.hears();
        lost.leaves();
        const again = await lines(protocols);
        assert.equal(again.welcome.session, lost.welcome.session);
        assert.equal(await again.hears(), message, 'what was not acknowledged comes again');
        again.leaves();
      });
    });

    describe('a session', { concurrency: 4 }, () => {
      test(`works on over ${RECONNECTS} reconnects, whatever worker they land on: same process, nothing lost or doubled`, async () => {
        const page = await Page.opens(server, 'talk');
        const program = await page.program();
        for (let i = 0; i < RECONNECTS; i++) {
          page.says(`say ${i}`);
          // So that it was received: what is cut off unsent is the client's to send again.
          await page.hears(`echo ["say", ${i}]`);
          await page.cuts();
          assert.equal((await page.comesBack()).received, i + 1);
        }
        const all = Array.from({ length: RECONNECTS }, (_, i) => `echo ["say", ${i}]`);
        assert.deepEqual(page.heard('echo'), all);
        assert.ok(program.isAlive);
        await page.closes();
      });

      test('sends again what was not acknowledged, and not what was', async () => {
        const page = await Page.opens(server, 'talk', { acknowledge: false });
        await page.hears(/attach/);
        for (let i = 0; i < 5; i++) page.says(`say ${i}`);
        for (let i = 0; i < 5; i++) await page.hears(/^echo/);
        const all = [...page.messages];
        page.says('.ack 4');
        await page.cuts();
        page.forgets(all.length - 4); // as if the rest had been lost on the way
        await page.comesBack();
        await page.hears(/told.*attach.*true/);
        assert.deepEqual(page.messages.slice(0, all.length), all);
        await page.closes();
      });

      test('received.N that says more than was sent, or less than was acknowledged, can not be served: 4410', async () => {
        const page = await Page.opens(server, 'talk', { acknowledge: false });
        await page.hears(/attach/);
        page.says('.ack 2', 'ask?1');
        await page.hears(/^!1/); // so the .ack has been read
        for (const n of [1, 1000]) {
          const { code, reason } = await talk(page.offers(`received.${n}`));
          assert.deepEqual([code, reason], [4410, 'session-gone'], `received.${n}`);
        }
        page.says('ask?2');
        await page.hears(/^!2/); // and the session is none the worse
        await page.closes();
      });

      test('is taken over by a new connection: 4000 replaced for the old one', async () => {
        const page = await Page.opens(server, 'talk');
        const program = await page.program();
        for (let i = 0; i < 10; i++) {
          const { closed } = page;
          await page.connect();
          assert.deepEqual(await closed, { code: 4000, reason: 'replaced' });
        }
        page.says('say "still"');
        await page.hears('echo ["say", "still"]');
        assert.ok(program.isAlive);
        await page.closes();
      });

      test('is not had by who knows only its id: 4409, and its page notices nothing', async () => {
        const page = await Page.opens(server, 'talk');
        const thief = () => new SessionClient(server.at('talk'), { session: page.session });
        for (let i = 0; i < 5; i++)
          await thief().isRefused({ code: 4409, reason: 'session-taken' });
        page.says('say 1');
        await page.hears(/^echo/);
        await page.closes();
        await page.isRefused({ code: 4410 });
      });

      test('is not had at another path: 4410', async () => {
        const page = await Page.opens(server, 'talk');
        const protocols = page.offers();
        for (const name of ['lines', 'talk/', 'talk.py', 'nothing'])
          assert.equal((await visitor.connects(server.at(name), { protocols })).code, 4410, name);
        await page.closes();
      });

      test('goes on though the file of its program has been replaced or has gone', async () => {
        const own = await start('', { threads, files: { 'talk.py': programFile('talk.py') } });
        const page = await Page.opens(own, 'talk');
        const program = await page.program();
        fs.rmSync(path.join(own.root, 'talk.py'));
        await page.cuts();
        await page.comesBack();
        fs.writeFileSync(path.join(own.root, 'talk.py'), 'no program any more');
        await page.cuts();
        await page.comesBack();
        assert.ok(program.isAlive);
        await page.closes();
        await own.ends();
      });

      test('calls, parts, failures and bytes go both ways', async () => {
        const page = await Page.opens(server, 'tally');
        const [call, bytes] = [Number.MAX_SAFE_INTEGER, randomBytes(300_000)];
        page.says(`parts?${call} 3`);
        await page.hearsNext(`+${call} 0`, `+${call} 1`, `+${call} 2`, `=${call}`);
        page.says('nothing?0 {}');
        await page.hearsNext('!0 {"message":"no call nothing"}');
        page.saysBytes('same?7', bytes);
        await page.hearsBytes('=7', bytes);
        page.says('ask "colour"');
        await page.hearsNext('colour?1 [1,2]');
        page.says('+1 "red"', '!1 {"message":"no more"}', '=1');
        await page.hearsNext(
          'answered ["+1", "\\"red\\""]',
          'answered ["!1", "{\\"message\\":\\"no more\\"}"]',
          'answered ["=1", ""]',
        );
        page.saysBytes('=1', 'bytes');
        await page.hearsNext('answered ["=1", "bytes"]');
        await page.closes();
      });

      test('commands to the page keep their place among the events, and are repeated after a drop', async () => {
        const page = await Page.opens(server, 'talk', { acknowledge: false });
        const program = await page.program();
        const all = [
          'before 1',
          '.listen {"on":"click","as":"hit"}',
          '.dom [{"op":"text"}]',
          'between 2',
          '.dom {"op":"text"}',
          '.unlisten {"as":"hit"}',
          'after 3',
        ];
        program.says(...all);
        await page.hears(/^before/, /^after/);
        assert.deepEqual(page.messages.slice(-all.length), all);
        await page.cuts();
        page.received -= 4; // as if these had not come
        const known = page.messages.length;
        await page.comesBack();
        await page.hears(/^after/);
        assert.deepEqual(page.messages.slice(known, known + 4), all.slice(-4));
        await page.closes();
      });

      test('what the page could not do reaches the program, in order, and the log', async () => {
        const page = await Page.opens(server, 'talk');
        const program = await page.program();
        page.says('.problem {"command":"listen","message":"no such field"}', 'say 1');
        await page.hears(/attach/);
        await page.hearsNext(
          'echo [".problem", {"command": "listen", "message": "no such field"}]',
          'echo ["say", 1]',
        );
        await server.logged(/warn page.problem .*problem=".*no such field/);
        await until(() => page.control.includes('.ack 2'));
        for (let i = 0; i < 100; i++) page.says('.problem {"n":1}');
        page.says('say 2');
        await page.hears(/say", 2/);
        assert.equal(page.heard('echo').filter((line) => /problem/.test(line)).length, 101);
        assert.ok(server.lines(/page\.problem.*n\\":1/).length < 100);
        assert.ok(program.isAlive);
        await page.closes();
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
          const page = await Page.opens(server, 'talk');
          const program = await page.program();
          page.says(message);
          const { code, reason } = await page.closed;
          assert.equal(code, 4400, reason);
          assert.match(reason, /^wire-protocol: .+/);
          await program.ends();
          await page.isRefused({ code: 4410 });
        });
      }

      test('.ack never falls: one that does is a breach', async () => {
        const page = await Page.opens(server, 'talk', { acknowledge: false });
        await page.hears(/attach/);
        page.says('.ack 2', '.ack 1');
        assert.equal((await page.closed).code, 4400);
      });

      test('an unknown control message is ignored; .ping is answered at once', async () => {
        const page = await Page.opens(server, 'talk');
        page.says('.future {"a":1}', '.ping');
        await until(() => page.control.includes('.pong'));
        await page.closes();
      });

      test('.close {} ends it: end of file for the program, 1000 for the client', async () => {
        const page = await Page.opens(server, 'talk');
        const program = await page.program();
        assert.equal((await page.closes()).code, 1000);
        await program.logs(/program.stderr .*line="end of file"/);
        await program.ends();
      });

      test('a client that lost the close frame of the end hears the true end when it comes back', async () => {
        const gone = { code: 4410, reason: 'session-gone' };
        for (const [said, how] of [
          ['exit 3', { code: 4500, reason: 'program-failed status=3' }],
          ['exit 0', { code: 1000, reason: 'program-exit' }],
        ]) {
          const page = await Page.opens(server, 'talk');
          await page.hears(/told.*attach/);
          await page.cuts();
          const raw = await RawWebSocket.connect(server.port);
          const headers = {
            Host: new URL(page.origin).host,
            Origin: page.origin,
            'Sec-WebSocket-Protocol': page.offers(`received.${page.received}`),
          };
          raw.socket.write(handshake(headers, { line: 'GET /talk HTTP/1.1' }));
          await raw.until((inbox) => (inbox.includes('"resumed": true') ? true : null));
          await raw.send(frame(OP.TEXT, `.ack ${page.received + 2}`), frame(OP.TEXT, said));
          await raw.until((inbox) => (inbox.includes('.close ') ? true : null));
          raw.destroy(); // with the server's close frame unanswered
          const thief = { session: page.session };
          await new SessionClient(server.at('talk'), thief).isRefused(gone);
          for (let i = 0; i < 2; i++) await page.isRefused(how);
        }
      });

      test('.bye, then the connection is gone: the program waits for as long as a goodbye lasts, and is let go', async () => {
        const page = await Page.opens(server, 'talk');
        const program = await page.program();
        await page.leaves();
        await program.ends();
        await page.isRefused({ code: 4410 });
      });

      test('.bye, and back in time: it goes on, and the goodbye is forgotten', async () => {
        const patient = await start('--goodbye-timeout 20s --detach-timeout 30s');
        const page = await Page.opens(patient, 'talk');
        await page.hears(/told.*attach/);
        await page.leaves();
        await page.comesBack();
        assert.equal(await page.hears(/detach/), 'told [".detach", {"reason": "goodbye"}]');
        await page.cuts();
        await page.comesBack();
        assert.match(await page.hears(/detach/), /"(lost|replaced)"/);
        await page.closes();
        await patient.ends();
      });

      test('a program that exits while the page is away: its last words wait, then its code', async () => {
        const gate = new Gate();
        const page = await Page.opens(server, 'tally');
        page.says(`wait ${JSON.stringify(gate.path)}`);
        await page.isRead();
        await page.cuts();
        await gate.opens();
        await server.logged(/program.exited .*status=3/);
        await page.connect();
        await page.hearsNext('last "words"');
        await page.isClosed(4500, 'program-failed status=3');
        const told = page.control.filter((text) => text.startsWith('.close'));
        assert.deepEqual(told, ['.close {"code":4500,"reason":"program-failed status=3"}']);
        await page.isRefused({ code: 4410 }); // and now it is over
        gate.remove();
      });

      test('a program that is killed: 4500 program-failed, and no other session is touched', async () => {
        const other = await Page.opens(server, 'talk');
        const page = await Page.opens(server, 'talk');
        (await page.program()).kill('SIGKILL');
        await page.isClosed(4500, 'program-failed signal=9');
        other.says('say 1');
        await other.hears(/^echo/);
        await other.closes();
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
          const page = await Page.opens(server, 'talk');
          const program = await page.program();
          if (line.includes('\udcff')) page.says('write "a \\"\\u0000\\"\\n"');
          else program.writes(line);
          await page.isClosed(4500, 'program-failed reason=protocol');
          await program.logs(/error program\.(protocol_error|unsupported) /);
        });
      }
    });

    test('16 MiB go through in one message, either way; one byte more is refused with a code that says not to come back', async () => {
      const page = await Page.opens(server, 'tally');
      const most = page.welcome.maxMessage;
      assert.equal(most, 16 << 20);
      const whole = `put "${'x'.repeat(most - 6)}"`;
      assert.equal(Buffer.byteLength(whole), most);
      page.says(whole, '.ping');
      await until(() => page.control.includes('.ack 1'), undefined, 30000);
      page.says('report?1');
      assert.equal((await page.hearsOf('=1')).count, 1);
      page.says(`bytes ${most - 6}`);
      assert.equal((await page.hears(/^bytes/)).body.length, most - 6);
      page.says(`${whole} `);
      assert.equal((await page.closed).code, 4400);
      await page.isRefused({ code: 4410 });
    });

    describe('the id and the key of a session', () => {
      /** All that may happen to a session; gives the secrets of it. */
      async function lives(server) {
        const page = await Page.opens(server, 'talk');
        const program = await page.program();
        const { session, key } = page;
        const talk = (protocols, options) =>
          visitor.connects(server.at('talk'), { protocols, ...options });
        await page.cuts();
        await page.comesBack();
        await page.comesBack();
        await new SessionClient(server.at('talk'), { session }).connect().catch(() => {});
        await talk(page.offers(), { origin: 'http://evil.example' });
        await talk(page.offers(`key.${key}`));
        const brew = { method: 'BREW', headers: { 'Session-ID': session } };
        await visitor.asks(server.at('talk'), brew);
        return { page, program, secrets: [session, key] };
      }

      test('are never in the log, the metrics or the list of sessions, whatever happens to it', async () => {
        const own = await start('--admin 127.0.0.1:0', { threads });
        const { page, program, secrets } = await lives(own);
        secrets.push(newKey());
        const protocols = `httpsocket.v1, key.${secrets.at(-1)}`;
        (await visitor.connects(own.at('lines'), { protocols })).leaves();
        const seen = [await own.asksAdmin('sessions'), await own.asksAdmin('metrics')];
        assert.match(seen[0], /"session":"[0-9a-f]{8}"/);
        page.says('nonsense {');
        await page.closed;
        await program.logs(/program.exited /);
        await own.ends();
        const all = [...own.log, ...seen.join('\n').split('\n')];
        assert.ok(all.some((line) => line.includes('session.breach')));
        for (const secret of secrets) assert.ok(!all.some((line) => line.includes(secret)));
      });
    });
  });
}

describe('a page that goes beyond its window', () => {
  test('is cut off with 4400; one message alone may be larger than the window', async () => {
    const server = await start('--window 64K');
    const page = await Page.opens(server, 'talk');
    assert.equal(page.welcome.window, 65536);
    const program = await page.program();
    page.says(`say "${'x'.repeat(200_000)}"`);
    await page.hears(/^echo/);
    program.kill('SIGSTOP');
    for (let i = 0; i < 40; i++) page.says(`say "${'x'.repeat(60_000)}"`);
    await page.isClosed(4400, 'wire-protocol: more than the window');
    program.kill('SIGCONT');
    await program.ends();
    await server.ends();
  });
});

describe('a peer that is dead without a word', () => {
  test('is noticed by the server, whose program is told; it comes back and goes on', async (t) => {
    const server = await start('--ping-interval 100ms --admin 127.0.0.1:0');
    const line = await Proxy.start(server.port);
    t.after(() => line.stop());
    const page = await Page.opens(server, 'talk');
    page.url = `${line.url}/talk`;
    page.headers = { Host: `127.0.0.1:${server.port}` };
    await page.comesBack();
    await until(() => page.control.includes('.ping'));
    const began = Date.now();
    line.freeze();
    const detached = async () => /"state":"detached"/.test(await server.asksAdmin('sessions'));
    await until(detached, undefined, 30000);
    assert.ok(Date.now() - began >= 5000, 'not before twice the interval and 5 s');
    assert.equal(await server.metric('websocket_dead_peers_total'), 1);
    await page.comesBack();
    assert.equal(
      await page.hears(/told.*detach.*dead/),
      'told [".detach", {"reason": "dead-peer"}]',
    );
    await page.closes();
    await server.ends();
  });
});

describe('frames of another kind inside a session', () => {
  test('a ping of RFC 6455 is answered, a text that is not UTF-8 is 1007, and the session waits for its client', async () => {
    const server = await start();
    const protocols = anew();
    const { socket, ...answer } = await visitor.connects(server.at('lines'), { protocols });
    assert.match(await answer.hears(), /^pid /);
    await socket.send(frame(OP.PING, 'there?'));
    const pong = await socket.next();
    assert.deepEqual([pong.op, pong.payload.toString()], [OP.PONG, 'there?']);
    await socket.send(frame(OP.TEXT, Buffer.from([0x61, 0x20, 0x22, 0xff, 0x22])));
    const close = await socket.next();
    assert.equal(close.payload.readUInt16BE(0), 1007);
    socket.destroy();
    const again = await visitor.connects(server.at('lines'), { protocols });
    assert.equal(again.welcome.session, answer.welcome.session);
    again.leaves();
    await server.ends();
  });
});

test('connections that a client has given up do not replace the one that it made after them, in whatever order a server that stood still reads them', async () => {
  const server = await start('', { threads: 4 });
  const pages = await Promise.all(Array.from({ length: 12 }, () => Page.opens(server, 'talk')));
  for (const page of pages) await page.cuts();
  process.kill(server.pid, 'SIGSTOP');
  const givenUp = pages.flatMap((page) => {
    const protocols = { 'Sec-WebSocket-Protocol': page.offers(`received.${page.received}`) };
    const fields = { Host: `127.0.0.1:${server.port}`, Origin: server.url, ...protocols };
    return Array.from({ length: GIVEN_UP }, () => {
      const socket = net.connect({ port: server.port, host: '127.0.0.1' });
      socket.write(handshake(fields, { line: 'GET /talk HTTP/1.1' }));
      return socket;
    });
  });
  await new Promise((resolve) => setTimeout(resolve, PATIENCE_OF_A_CLIENT_MS));
  givenUp.forEach((socket, i) => i % 2 && socket.end()); // the others are black holes
  const back = pages.map((page) => page.comesBack());
  const answers = givenUp.map((s) => Promise.race([once(s, 'data'), once(s.resume(), 'close')]));
  process.kill(server.pid, 'SIGCONT');
  await Promise.all([...back, ...answers]);
  for (const [i, page] of pages.entries()) {
    page.says(`n ${i}`);
    await page.hears(`echo ["n", ${i}]`);
  }
  for (const socket of givenUp) socket.destroy();
  await server.ends();
});
