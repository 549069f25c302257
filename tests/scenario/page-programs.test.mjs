// SPDX-License-Identifier: MIT
// page-programs.test.mjs - page programs on the running server: what a program is given, what becomes of what it writes, and how it ends.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import path from 'node:path';
import { after, afterEach, before, describe, test as testOf } from 'node:test';
import WebSocket from 'ws';
import { begin, request } from '../lib/request.mjs';
import { REPO, resources, startServer } from '../lib/server.mjs';
import { newKey, openPage, SessionClient } from '../lib/session-client.mjs';
import { until } from '../lib/until.mjs';

const PROGRAMS = path.join(REPO, 'tests/scenario/programs');
const ARGUMENTS = [
  '--eof-grace',
  '300ms',
  '--term-grace',
  '300ms',
  '--answer-timeout',
  '6s',
  '--goodbye-timeout',
  '300ms',
  '--attach-timeout',
  '6s',
  '--detach-timeout',
  '8s',
  '--drain-timeout',
  '5s',
];

const test = (name, run) => testOf(name, { timeout: 60000 }, run);

let server;
let atRest;

const start = (...more) =>
  startServer({ root: PROGRAMS, args: [...ARGUMENTS, ...more], threads: 2 });
const url = (name) => `${server.url}/${name}`;
const odd = (what) => `${server.url}/odd?${what}`;

/** Loads a page and connects to it. */
async function connected(target) {
  const page = await openPage(target);
  page.welcome = await page.client.connect();
  return page;
}

/** No process and no descriptor is left of what a test did. */
async function nothingIsLeft() {
  let now;
  await until(
    () => {
      now = resources(server.pid);
      return now.children.length === 0 && now.descriptors <= atRest.descriptors;
    },
    () =>
      `${JSON.stringify(now)}, at rest ${JSON.stringify(atRest)}\n${server.log.slice(-20).join('\n')}`,
  );
}

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

/** Ends a session from the page's side, and with it its program. */
async function finish(client) {
  client.send('.close {"reason":"test over"}');
  await client.closed;
}

before(async () => {
  server = await start();
  await request(url('environment'));
  await until(() => resources(server.pid).children.length === 0);
  atRest = resources(server.pid);
});

after(async () => {
  const end = await server.stop();
  assert.deepEqual(end, { code: 0, signal: null }, server.log.slice(-40).join('\n'));
});

afterEach(() => SessionClient.dropAll());

describe('what a program is given', () => {
  const told = async (target, options) => JSON.parse((await request(target, options)).body);

  test('the meta-variables of CGI/1.1', async () => {
    const { env } = await told(`${url('environment/more/path%20info')}?a=1&b=%20`, {
      headers: { 'X-Test': 'one' },
    });
    assert.equal(env.GATEWAY_INTERFACE, 'CGI/1.1');
    assert.equal(env.SERVER_PROTOCOL, 'HTTP/1.1');
    assert.equal(env.REQUEST_METHOD, 'GET');
    assert.equal(env.SCRIPT_NAME, '/environment');
    assert.equal(env.SCRIPT_FILENAME, path.join(PROGRAMS, 'environment.py'));
    assert.equal(env.PATH_INFO, '/more/path info');
    assert.equal(env.PATH_TRANSLATED, path.join(PROGRAMS, 'more/path info'));
    assert.equal(env.DOCUMENT_ROOT, PROGRAMS);
    assert.equal(env.QUERY_STRING, 'a=1&b=%20');
    assert.equal(env.REQUEST_URI, '/environment/more/path%20info?a=1&b=%20');
    assert.equal(env.SERVER_NAME, '127.0.0.1');
    assert.equal(env.SERVER_PORT, String(server.port));
    assert.equal(env.REMOTE_ADDR, '127.0.0.1');
    assert.match(env.REMOTE_PORT, /^\d+$/);
    assert.match(env.SERVER_SOFTWARE, /^httpsocket\//);
    assert.equal(env.HTTP_HOST, `127.0.0.1:${server.port}`);
    assert.equal(env.HTTP_X_TEST, 'one');
    assert.ok(!('CONTENT_LENGTH' in env) && !('CONTENT_TYPE' in env) && !('HTTPS' in env));
  });

  test('the session, descriptor 3, its own folder and process group, and nothing else', async () => {
    const { env, ...rest } = await told(url('environment'));
    assert.equal(env.HTTPSOCKET_FD, '3');
    assert.match(env.HTTPSOCKET_SESSION, /^[A-Za-z0-9_-]{24}$/);
    assert.ok(!('HTTPSOCKET_CONNECT' in env) && !('PATH_INFO' in env));
    assert.equal(env.QUERY_STRING, '');
    assert.equal(rest.directory, PROGRAMS);
    assert.equal(rest.own_group, true);
    assert.deepEqual(rest.descriptors, [0, 1, 2, 3]);
    assert.equal(rest.socket, true);
    assert.deepEqual(rest.blocked_signals, []);
    assert.equal(rest.arguments.length, 0);
  });

  test('never HTTP_PROXY, no name that could stand for another, no key of a session; a repeated header as one', async () => {
    const { env } = await told(url('environment'), {
      headers: {
        Proxy: 'http://evil.example',
        X_Under: 'no',
        'X-Many': ['a', 'b'],
        Cookie: ['c=1', 'd=2'],
        'Sec-WebSocket-Protocol': 'httpsocket.v1, key.secret',
        Authorization: 'Basic eDp5',
      },
    });
    assert.ok(
      !('HTTP_PROXY' in env) && !('HTTP_X_UNDER' in env) && !('HTTP_SEC_WEBSOCKET_PROTOCOL' in env),
    );
    assert.ok(!('HTTP_CONNECTION' in env));
    assert.equal(env.HTTP_X_MANY, 'a, b');
    assert.equal(env.HTTP_COOKIE, 'c=1; d=2');
    assert.equal(env.HTTP_AUTHORIZATION, 'Basic eDp5');
  });

  test('the body on stdin, with a length', async () => {
    const body = randomBytes(3_000_000);
    const answer = await told(url('environment'), {
      method: 'POST',
      body,
      headers: { 'Content-Length': body.length, 'Content-Type': 'application/x-test' },
    });
    assert.equal(answer.env.CONTENT_LENGTH, '3000000');
    assert.equal(answer.env.CONTENT_TYPE, 'application/x-test');
    assert.equal(answer.length, body.length);
    assert.equal(answer.sha256, createHash('sha256').update(body).digest('hex'));
  });

  test('a chunked body, whose length is known when the program starts', async () => {
    const body = randomBytes(300_000);
    const answer = await told(url('environment'), {
      method: 'POST',
      body: (r) => {
        r.setHeader('Transfer-Encoding', 'chunked');
        for (let at = 0; at < body.length; at += 10000) r.write(body.subarray(at, at + 10000));
        r.end();
      },
    });
    assert.equal(answer.env.CONTENT_LENGTH, '300000');
    assert.equal(answer.sha256, createHash('sha256').update(body).digest('hex'));
  });

  test('an empty chunked body', async () => {
    const answer = await told(url('environment'), {
      method: 'POST',
      body: (r) => (r.setHeader('Transfer-Encoding', 'chunked'), r.end()),
    });
    assert.equal(answer.env.CONTENT_LENGTH, '0');
    assert.equal(answer.length, 0);
  });

  test('an upload that breaks off: a chunked one starts no program, another is cut short for it', async () => {
    for (const header of [
      ['Transfer-Encoding', 'chunked'],
      ['Content-Length', '1000000'],
    ]) {
      const client = http.request(odd('counts-body'), { method: 'POST', agent: false });
      client.on('error', () => {});
      client.setHeader(...header);
      client.write(Buffer.alloc(10000));
      await once(client, 'socket');
      await until(() => resources(server.pid).descriptors > atRest.descriptors);
      client.destroy();
      await nothingIsLeft();
    }
  });

  test('a chunked body above body-max: 413, and no program', async () => {
    const small = await start('--body-max', '10000');
    const answer = await request(`${small.url}/odd?counts-body`, {
      method: 'POST',
      body: (r) => {
        r.on('error', () => {});
        r.setHeader('Transfer-Encoding', 'chunked');
        r.end(Buffer.alloc(50000));
      },
    });
    assert.equal(answer.status, 413);
    await small.stop();
    assert.ok(!small.log.some((line) => line.includes('program.started')));
  });

  after(nothingIsLeft);
});

describe('the answer', () => {
  test('names its session three times and is not stored', async () => {
    const { answer, session, client } = await openPage(url('talk'));
    assert.equal(answer.status, 200);
    assert.match(session, /^[A-Za-z0-9_-]{24}$/);
    assert.equal(answer.headers['server-timing'], `session;desc="${session}"`);
    assert.equal(answer.headers['cache-control'], 'private, no-cache');
    assert.ok(
      answer.body.includes(`<head><meta name="httpsocket-session" content="${session}"><title>`),
      answer.body,
    );
    await client.connect();
    await finish(client);
  });

  test('is streamed as it comes, while the program already talks', async () => {
    const { response } = await begin(odd('streams'));
    const parts = [];
    response.on('data', (part) => parts.push(part.toString()));
    await once(response, 'data');
    const client = new SessionClient(odd('streams'), { session: response.headers['session-id'] });
    await client.connect();
    assert.match(parts.join(''), /first $/);
    client.send('go');
    await once(response, 'end');
    assert.match(parts.join(''), /first second$/);
    await client.next(/^went \d+$/);
    await finish(client);
  });

  test('ends when Content-Length is reached, though stdout stays open; the program lives on', async () => {
    const answer = await request(odd('held-open'));
    assert.equal(answer.body, '12345');
    assert.equal(answer.headers['content-length'], '5');
    const client = new SessionClient(odd('held-open'), { session: answer.headers['session-id'] });
    await client.connect();
    await finish(client);
  });

  test('Status 401 refuses the page: passed on, no session, the program ends', async () => {
    const answer = await request(odd('refuses'));
    assert.equal(answer.status, 401);
    assert.equal(answer.headers['www-authenticate'], 'Basic realm="x"');
    assert.equal(answer.headers['session-id'], undefined);
    assert.ok(!answer.body.includes('httpsocket-session'));
    await nothingIsLeft();
  });

  test('Location alone redirects', async () => {
    const answer = await request(odd('redirects'));
    assert.equal(answer.status, 302);
    assert.equal(answer.headers.location, '/elsewhere');
    assert.equal(answer.headers['session-id'], undefined);
  });

  test('HEAD runs the program with REQUEST_METHOD=HEAD; no body, no session', async () => {
    const answer = await request(url('environment'), { method: 'HEAD' });
    assert.equal(answer.status, 200);
    assert.equal(answer.body, '');
    assert.equal(answer.headers['session-id'], undefined);
    await request(url('talk'), { method: 'HEAD' });
    await nothingIsLeft();
  });

  after(nothingIsLeft);
});

describe('the conversation', () => {
  test('events, in order, both ways, with the process that made the page', async () => {
    const { client } = await connected(url('talk'));
    const pid = await pidOf(client);
    for (let i = 0; i < 500; i++) client.send(`event${i} {"i":${i},"text":"blåbær"}`);
    for (let i = 0; i < 500; i++)
      assert.equal(
        await client.next(/^echo/),
        `echo ${JSON.stringify([`event${i}`, { i, text: 'blåbær' }])
          .replaceAll(',', ', ')
          .replaceAll(':', ': ')
          .replaceAll('å', '\\u00e5')
          .replaceAll('æ', '\\u00e6')}`,
      );
    assert.ok(alive(pid));
    await finish(client);
    await until(() => !alive(pid));
  });

  test('calls, several answers, errors', async () => {
    const { client } = await connected(url('talk'));
    client.send('add?1 [1,2,3]');
    client.send('count?2 3');
    client.send('what?3');
    assert.equal(await client.next(/^=1/), '=1 6');
    for (const line of ['+2 0', '+2 1', '+2 2', '=2']) assert.equal(await client.next(/2/), line);
    assert.equal(await client.next(/^!/), '!3 {"message":"no such call"}');
    await finish(client);
  });

  test('bytes, an empty event of them too', async () => {
    const { client } = await connected(url('talk'));
    const bytes = randomBytes(1_500_000);
    client.sendBytes('photo', bytes); // more than the window: it goes alone
    const { head, body } = await client.next(/^bytes/);
    assert.equal(head, 'bytes');
    assert.ok(body.equals(bytes));
    client.sendBytes('photo', '');
    assert.equal((await client.next(/^bytes/)).body.length, 0);
    await finish(client);
  });

  test('.attach and .detach tell of the connection; the same process goes on', async () => {
    const { client } = await connected(url('talk'));
    const pid = await pidOf(client);
    assert.deepEqual(JSON.parse((await client.next(/^told/)).slice(5)), [
      '.attach',
      { resumed: false, origin: server.url, address: '127.0.0.1' },
    ]);
    await client.cut();
    const welcome = await client.connect();
    assert.equal(welcome.resumed, true);
    const [name, { reason }] = JSON.parse((await client.next(/^told/)).slice(5));
    assert.equal(name, '.detach');
    assert.match(reason, /^(lost|replaced)$/); // whichever the server sees first: the old connection's end or the new one
    assert.deepEqual(JSON.parse((await client.next(/^told/)).slice(5))[1].resumed, true);
    assert.ok(alive(pid));
    await finish(client);
  });

  test('end of file is the end: after the page closes, the program reads it and ends', async () => {
    const { client } = await connected(url('talk'));
    const pid = await pidOf(client);
    await finish(client);
    await server.logged(new RegExp(`program.stderr .*pid=${pid} .*line="end of file"`));
    await server.logged(new RegExp(`program.exited .*pid=${pid} .*status=0`));
  });

  test('after a goodbye the program ends within seconds', async () => {
    const { client } = await connected(url('talk'));
    const pid = await pidOf(client);
    client.send('.bye {"reason":"left"}');
    client.ws.close();
    await until(() => !alive(pid));
  });

  test('a page that never connects: its program ends after the time for that', async () => {
    const { session } = await openPage(url('talk'));
    await nothingIsLeft();
    await assert.rejects(new SessionClient(url('talk'), { session }).connect(), {
      code: 4410,
      reason: 'session-gone',
    });
  });

  test('stderr goes to the log line by line, long ones in pieces, with program and session', async () => {
    const { client } = await connected(url('talk'));
    const pid = await pidOf(client);
    client.send(`complain ${JSON.stringify(`først\nsecond\n${'ø'.repeat(1000)}\nlast`)}`);
    client.send('exit 0');
    await client.closed;
    await server.logged(new RegExp(`program.stderr .*pid=${pid} .*line=last`));
    const lines = server.log.filter(
      (line) => line.includes('program.stderr') && line.includes(`pid=${pid} `),
    );
    const texts = lines.map((line) => /line="?(.*?)"?$/.exec(line)[1]);
    assert.match(lines[0], /program=\S*talk\.py .*session=[0-9a-f]{8} /);
    assert.equal(texts[0], 'først');
    assert.equal(texts[1], 'second');
    assert.equal(texts.slice(2, -1).join(''), 'ø'.repeat(1000));
  });

  test('a session belongs to its path, its origin and its key', async () => {
    const { client, session } = await connected(url('talk'));
    const attempt = (options, target = url('talk')) =>
      new SessionClient(target, { session, ...options }).connect();
    await assert.rejects(attempt({}), { code: 4409, reason: 'session-taken' });
    await assert.rejects(attempt({ key: client.key }, url('environment')), { code: 4410 });
    await assert.rejects(attempt({ key: client.key, origin: 'http://evil.example' }), {
      status: 403,
    });
    await assert.rejects(attempt({ key: 'short' }), {
      code: 4400,
      reason: 'wire-protocol: key.KEY is malformed',
    });
    await finish(client);
  });

  after(nothingIsLeft);
});

describe('how a program ends its session', () => {
  test('status 0: what it wrote last arrives, then 1000 program-exit', async () => {
    const { client } = await connected(url('talk'));
    client.send('write "last 1\\nlast 2\\n"');
    client.send('exit 0');
    await client.next(/^last 2$/);
    assert.deepEqual(await client.closed, { code: 1000, reason: 'program-exit' });
  });

  test('another status: 4500 with the status', async () => {
    const { client } = await connected(url('talk'));
    client.send('exit 7');
    assert.deepEqual(await client.closed, { code: 4500, reason: 'program-failed status=7' });
  });

  test('killed: 4500 with the signal', async () => {
    const { client } = await connected(url('talk'));
    client.send('kill 9');
    assert.deepEqual(await client.closed, { code: 4500, reason: 'program-failed signal=9' });
  });

  test('while the page is away: the page comes back, gets the rest, and learns it', async () => {
    const { client } = await connected(url('talk'));
    const pid = await pidOf(client);
    client.send('write "one 1\\n"');
    await client.next(/^one/);
    client.acknowledge = false;
    client.send('exit 0');
    await client.cut();
    await server.logged(new RegExp(`program.exited .*pid=${pid} `));
    client.acknowledge = true;
    await client.connect();
    assert.deepEqual(await client.closed, { code: 1000, reason: 'program-exit' });
  });

  test('.close with a reason', async () => {
    const { client } = await connected(odd('closes-session'));
    await client.next(/^bye 1$/);
    assert.deepEqual(await client.closed, { code: 1000, reason: 'game-over' });
  });

  test('an ordinary CGI program leaves no session behind', async () => {
    const { session } = await openPage(url('environment'));
    await nothingIsLeft();
    await assert.rejects(new SessionClient(url('environment'), { session }).connect(), {
      code: 4410,
    });
  });

  test('one that exits after it has said something: the page still comes and gets it', async () => {
    const { client } = await openPage(odd('exits-with-words'));
    await nothingIsLeft();
    await client.connect();
    assert.equal(await client.next(), 'first 1');
    assert.equal(await client.next(), 'second "2"');
    assert.deepEqual(await client.closed, { code: 1000, reason: 'program-exit' });
  });

  after(nothingIsLeft);
});

describe('a program without a page', () => {
  const direct = (what, options) => new SessionClient(odd(what), options);

  test('an empty header block accepts', async () => {
    const client = direct('accepts');
    const welcome = await client.connect();
    assert.equal(welcome.resumed, false);
    client.send('hello {"a":1}');
    assert.equal(await client.next(), 'hello {"a":1}');
    await client.cut();
    assert.equal((await client.connect()).resumed, true);
    client.send('again 2');
    assert.equal(await client.next(), 'again 2');
    await finish(client);
  });

  test('who got no .welcome comes again with the same key and finds the same program', async () => {
    const key = newKey();
    const first = direct('accepts', { key });
    await first.connect();
    await first.cut();
    const second = direct('accepts', { key });
    const welcome = await second.connect();
    assert.equal(welcome.session, first.session);
    await finish(second);
  });

  test('a client that comes again with its key while the program still thinks waits in its own place', async () => {
    const key = newKey();
    const startedBefore = server.log.filter((line) =>
      /program.started .*odd\.py/.test(line),
    ).length;
    const first = direct('accepts-late', { key });
    const refused = assert.rejects(first.connect(), { code: 4000, reason: 'replaced' });
    const started = () => server.log.filter((line) => /program.started .*odd\.py/.test(line));
    await until(() => started().length === startedBefore + 1);
    const second = direct('accepts-late', { key });
    const welcomed = second.connect();
    await refused;
    const pid = Number(/pid=(\d+)/.exec(started().at(-1))[1]);
    await server.logged(new RegExp(`program.stderr .*pid=${pid} .*line=waiting`));
    process.kill(pid, 'SIGUSR1');
    assert.equal((await welcomed).resumed, false);
    second.send('hello 1');
    assert.equal(await second.next(), 'hello 1');
    assert.equal(started().length, startedBefore + 1);
    await finish(second);
  });

  test('a client that goes while the program still thinks: the program is let go', async () => {
    const client = direct('accepts-late');
    client.connect().catch(() => {});
    await until(() => resources(server.pid).children.length === 1);
    client.ws.terminate();
    await nothingIsLeft();
  });

  test('a status refuses: a page sees the code, anybody else the status and its headers', async () => {
    const away = (where) => `${server.url}/odd/${where}?refuses`; // a 401 bans from its path
    await assert.rejects(new SessionClient(away('one')).connect(), {
      code: 4401,
      reason: 'script-denied retry=90',
    });
    const plain = new WebSocket(away('two').replace('http', 'ws'));
    const [, response] = await once(plain, 'unexpected-response');
    assert.equal(response.statusCode, 401);
    assert.equal(response.headers['www-authenticate'], 'Basic realm="x"');
    assert.equal(response.headers['access-control-max-age'], '90');
    response.destroy();
    await nothingIsLeft();
  });

  test('no answer in time, no answer at all, a bad one, and no program', async () => {
    await assert.rejects(direct('never-answers').connect(), {
      code: 4504,
      reason: 'program-timeout',
    });
    await assert.rejects(direct('exits-badly').connect(), { code: 4502, reason: 'program-answer' });
    await assert.rejects(direct('bad-head').connect(), { code: 4502, reason: 'program-answer' });
    await assert.rejects(new SessionClient(url('nothing-here')).connect(), {
      code: 4404,
      reason: 'no-program',
    });
  });

  test('the plain form: text and bytes as messages, no session', async () => {
    const ws = new WebSocket(odd('accepts').replace('http', 'ws'));
    await once(ws, 'open');
    assert.equal(ws.protocol, '');
    for (const text of ['hei "du"', '', 'a\nb\u2028c', '\u0000', '😀']) {
      ws.send(text);
      const [data, binary] = await once(ws, 'message');
      assert.equal(binary, false);
      assert.equal(data.toString(), text);
    }
    const code = once(ws, 'close');
    ws.close();
    await code;
    await nothingIsLeft();
  });

  test('the plain form: bytes both ways', async () => {
    const ws = new WebSocket(url('plain').replace('http', 'ws'));
    await once(ws, 'open');
    const bytes = randomBytes(200_000);
    ws.send(bytes);
    const [data, binary] = await once(ws, 'message');
    assert.ok(binary);
    assert.ok(data.equals(bytes));
    ws.send('numbers');
    assert.equal((await once(ws, 'message'))[0].toString(), '[1,2]');
    ws.send('other');
    await server.logged(/program.plain_form .*line=other/);
    ws.send('exit');
    assert.equal((await once(ws, 'close'))[0], 1000);
  });

  test('the plain form: the program fails', async () => {
    const ws = new WebSocket(url('plain').replace('http', 'ws'));
    await once(ws, 'open');
    ws.send('fail');
    assert.equal((await once(ws, 'close'))[0], 4500);
  });

  after(nothingIsLeft);
});

describe('odd programs', () => {
  const status = async (what, options) => {
    const answer = await request(odd(what), options);
    return [answer.status, answer.body];
  };

  test('never reads its stdin: the page is served all the same', async () => {
    const { response } = await begin(odd('never-reads'), {
      method: 'POST',
      headers: { 'Content-Length': 4_000_000 },
      body: (r) => {
        r.on('error', () => {});
        r.write(Buffer.alloc(4_000_000));
      },
    });
    assert.equal(response.statusCode, 200);
    response.on('error', () => {});
    response.resume();
    await nothingIsLeft();
  });

  test('never reads descriptor 3: the page waits, the server holds no more than the window', async () => {
    const { client, welcome } = await connected(odd('never-reads'));
    const block = `x "${'y'.repeat(60000)}"`;
    const acknowledged = () =>
      Number((client.control.filter((c) => c.startsWith('.ack')).at(-1) ?? '.ack 0').slice(5));
    for (let i = 1; i * block.length <= welcome.window; i++) client.send(block);
    await until(() => acknowledged() > 0);
    for (let i = 0; i < 10; i++) client.send(block);
    assert.deepEqual(await client.closed, {
      code: 4400,
      reason: 'wire-protocol: more than the window',
    });
    assert.ok(
      acknowledged() * block.length < 500_000,
      'no more than what a socket holds was taken',
    );
    await nothingIsLeft();
  });

  test('never answers: 504, and it is ended', async () => {
    assert.deepEqual(await status('never-answers'), [504, 'the program did not answer in time\n']);
    await nothingIsLeft();
  });

  test('writes rubbish on descriptor 3: logged with its beginning, the session has failed', async () => {
    const { client } = await connected(odd('rubbish'));
    assert.equal(await client.next(), 'ok {"n":1}');
    assert.deepEqual(await client.closed, { code: 4500, reason: 'program-failed reason=protocol' });
    await server.logged(/error program.protocol_error .*what is this\?/);
  });

  test('ends in the middle of a line: the same', async () => {
    const { client } = await openPage(odd('half-line'));
    await client.connect();
    assert.equal(await client.next(), 'ok {"n":1}');
    assert.deepEqual(await client.closed, { code: 4500, reason: 'program-failed reason=protocol' });
  });

  test('exits without an answer: 502', async () => {
    assert.deepEqual(await status('exits-early'), [502, 'the program ended without an answer\n']);
    assert.deepEqual(await status('exits-badly'), [502, 'the program ended without an answer\n']);
    await server.logged(/program.exited .*status=7/);
  });

  test('dies in the middle of its answer: the client sees that it is not whole', async () => {
    await assert.rejects(request(odd('dies-in-the-answer')), { code: 'ECONNRESET' });
    await server.logged(/program.exited .*signal=11/);
  });

  test('half a header block, a bad one, one that is not its to send, a huge one: 502', async () => {
    for (const what of ['half-head', 'bad-head', 'forbidden-head', 'huge-head']) {
      const [code, body] = await status(what);
      assert.equal(code, 502, `${what}: ${code} ${body}`);
      assert.match(body, /^[^\n]{10,}\n$/);
    }
  });

  test('a slow header block is no bad one', async () => {
    const answer = await request(odd('slow-head'));
    assert.equal(answer.headers['x-slow'], 'yes');
    assert.equal(answer.body, 'slow');
  });

  test('more than its Content-Length: cut and logged', async () => {
    assert.deepEqual(await status('too-long'), [200, '12345']);
    await server.logged(/program.answer_excess/);
    await nothingIsLeft();
  });

  test('less than its Content-Length: the client sees it, and it is logged', async () => {
    await assert.rejects(request(odd('too-short')), { code: 'ECONNRESET' });
    await server.logged(/program.answer_short .*missing=91/);
  });

  test('leaves grandchildren that hold its pipes and ignore SIGTERM: the group is killed', async () => {
    const answer = await request(odd('grandchildren'));
    assert.equal(answer.status, 200);
    await server.logged(/program.signalled .*signal=KILL/);
    await nothingIsLeft();
  });

  test('leaves a grandchild of another group: nothing waits for it', async () => {
    const began = Date.now();
    const answer = await request(odd('escaped'));
    assert.equal(answer.status, 200);
    assert.ok(Date.now() - began < 20_000, 'within the 30 s of the grandchild');
    process.kill(Number(/\d+$/.exec(answer.body)));
    await nothingIsLeft();
  });

  test('ignores SIGTERM: SIGKILL', async () => {
    const { client } = await connected(odd('ignores-sigterm'));
    await client.next(/^ready$/);
    await finish(client);
    await nothingIsLeft();
    await server.logged(/program.exited .*signal=9/);
  });

  test('floods stdout: a client that does not read makes it wait; then all of it comes', async () => {
    const { response } = await begin(odd('floods-stdout'));
    await once(response, 'readable');
    let length = 0;
    for await (const part of response) length += part.length;
    assert.equal(length, 512 * 65536);
    await nothingIsLeft();
  });

  test('floods stderr: it waits, and every line is logged', async () => {
    const { client } = await connected(odd('floods-stderr'));
    await client.next(/^done$/);
    await finish(client);
    await nothingIsLeft();
    const lines = server.log.filter((line) => /program.stderr .*line="line \d+ x/.test(line));
    assert.equal(lines.length, 8000);
  });

  test('floods descriptor 3: it waits, and every event comes in order', async () => {
    const { client } = await openPage(odd('floods-events'));
    await client.connect();
    for (let i = 0; i < 100000; i++) {
      const message = await client.next();
      if (message !== `n ${i}`) assert.equal(message, `n ${i}`);
    }
    await finish(client);
    await nothingIsLeft();
  });

  test('closes descriptor 3 and runs on: the session is over, and so is it', async () => {
    const { client } = await openPage(odd('closes-events'));
    await client.connect();
    assert.equal(await client.next(), 'last');
    assert.deepEqual(await client.closed, { code: 1000, reason: 'program-exit' });
    await nothingIsLeft();
  });

  test('wants a command that this server does not know: it is told by the log, the page by its close', async () => {
    const { client } = await openPage(odd('wants-wings'));
    await client.connect().catch(() => {});
    await server.logged(/program.unsupported .*command=fly/);
    await nothingIsLeft();
  });

  test('a client that breaks off its download: the program sees the end within seconds', async () => {
    const { request: sent, response } = await begin(odd('streams'));
    await once(response, 'data');
    response.on('error', () => {});
    sent.destroy();
    await nothingIsLeft();
  });

  after(nothingIsLeft);
});

describe('limits and the end of the server', () => {
  test('too many programs: 503 with Retry-After, 1013 for a page', async () => {
    const small = await start('--programs-max', '2', '--programs-per-client', '1');
    const first = await openPage(`${small.url}/talk`);
    await first.client.connect();
    const answer = await request(`${small.url}/talk`);
    assert.equal(answer.status, 503);
    assert.match(answer.headers['retry-after'], /^\d+$/);
    await assert.rejects(new SessionClient(`${small.url}/odd?accepts`).connect(), {
      code: 1013,
      reason: 'overload retry=5',
    });
    await finish(first.client);
    await until(async () => (await request(`${small.url}/environment`)).status === 200);
    assert.equal((await small.stop()).code, 0);
  });

  test('a drain: every page learns 1012, every program gets its end of file, exit status 0', async () => {
    const other = await start();
    const pages = await Promise.all([1, 2, 3].map(() => openPage(`${other.url}/talk`)));
    await Promise.all(pages.map(({ client }) => client.connect()));
    await openPage(`${other.url}/talk`);
    const pids = await Promise.all(pages.map(({ client }) => pidOf(client)));
    const ends = pages.map(({ client }) => client.closed);
    const stopped = other.stop();
    for (const end of await Promise.all(ends)) {
      assert.equal(end.code, 1012);
      assert.match(end.reason, /^draining retry=\d+$/);
    }
    assert.deepEqual(await stopped, { code: 0, signal: null }, other.log.join('\n'));
    for (const pid of pids) {
      assert.ok(!alive(pid));
      assert.ok(
        other.log.some((line) => line.includes('end of file') && line.includes(`pid=${pid} `)),
      );
    }
  });

  test('a stop without patience kills what is left: connected, streaming, waiting, spooling', async () => {
    const other = await start('--drain-timeout', '0ms');
    const { client } = await openPage(`${other.url}/odd?ignores-sigterm`);
    await client.connect();
    const { response } = await begin(`${other.url}/odd?streams`);
    response.on('error', () => {});
    new SessionClient(`${other.url}/odd?accepts-late`).connect().catch(() => {});
    const upload = http.request(`${other.url}/odd?counts-body`, { method: 'POST', agent: false });
    upload.on('error', () => {});
    upload.setHeader('Transfer-Encoding', 'chunked');
    upload.write('x');
    await until(() => other.log.filter((line) => line.includes('program.started')).length === 3);
    const pids = other.log
      .filter((line) => line.includes('program.started'))
      .map((line) => Number(/pid=(\d+)/.exec(line)[1]));
    assert.deepEqual(await other.stop(), { code: 0, signal: null }, other.log.join('\n'));
    for (const pid of pids) assert.ok(!alive(pid));
  });

  test('a file that is no program after all: 500 and a line in the log', async () => {
    const answer = await request(url('broken'));
    assert.equal(answer.status, 500);
    await server.logged(/error program.start_failed .*broken/);
    await nothingIsLeft();
  });
});
