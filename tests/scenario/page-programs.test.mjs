// SPDX-License-Identifier: MIT
// page-programs.test.mjs - page programs on the running server: what a program is given, what
// becomes of what it writes, and how it ends.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import path from 'node:path';
import WebSocket from 'ws';
import { openPlain } from '../lib/plain-client.mjs';
import { alive, Program } from '../lib/program.mjs';
import { PROGRAMS, startServer, stopAll } from '../lib/server.mjs';
import { newKey, Page, SessionClient } from '../lib/session-client.mjs';
import { after, afterEach, before, describe, test } from '../lib/test.mjs';
import { until } from '../lib/until.mjs';
import { visitor } from '../lib/visitor.mjs';

const ARGUMENTS =
  '--eof-grace 300ms --term-grace 300ms --answer-timeout 6s --goodbye-timeout 300ms ' +
  '--attach-timeout 6s --detach-timeout 8s --drain-timeout 5s';

let server;

const start = (more = '') => startServer({ args: `${ARGUMENTS} ${more}`.trim().split(' ') });
const asks = (where, how) => visitor.asks(server.at(where), how);
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** No process and no descriptor is left of what a test did. */
const nothingIsLeft = () => server.isAtRest();

/** Sends a body in chunks. */
const inChunks = (chunks) => (request) => {
  request.on('error', () => {});
  request.setHeader('Transfer-Encoding', 'chunked');
  for (const chunk of chunks) request.write(chunk);
  request.end();
};

/** A request that begins to send a body and stays at that. */
function uploads(url, header, bytes) {
  const request = http.request(url, { method: 'POST', agent: false });
  request.on('error', () => {});
  request.setHeader(...header);
  request.setHeader('Expect', '100-continue');
  request.on('continue', () => request.write(bytes));
  request.flushHeaders();
  return request;
}

before(async () => {
  server = await start();
  await asks('environment');
  await nothingIsLeft();
});
after(async () => (await server.ends(), stopAll()));
afterEach(() => SessionClient.dropAll());

describe('what a program is given', () => {
  const told = async (where, how) => JSON.parse((await asks(where, how)).body);

  test('the meta-variables of CGI/1.1', async () => {
    const headers = { 'X-Test': 'one' };
    const { env } = await told('environment/more/path%20info?a=1&b=%20', { headers });
    const expected = {
      GATEWAY_INTERFACE: 'CGI/1.1',
      SERVER_PROTOCOL: 'HTTP/1.1',
      REQUEST_METHOD: 'GET',
      SCRIPT_NAME: '/environment',
      SCRIPT_FILENAME: path.join(PROGRAMS, 'environment.py'),
      PATH_INFO: '/more/path info',
      PATH_TRANSLATED: path.join(PROGRAMS, 'more/path info'),
      DOCUMENT_ROOT: PROGRAMS,
      QUERY_STRING: 'a=1&b=%20',
      REQUEST_URI: '/environment/more/path%20info?a=1&b=%20',
      SERVER_NAME: '127.0.0.1',
      SERVER_PORT: String(server.port),
      REMOTE_ADDR: '127.0.0.1',
      HTTP_HOST: `127.0.0.1:${server.port}`,
      HTTP_X_TEST: 'one',
    };
    for (const [name, value] of Object.entries(expected)) assert.equal(env[name], value, name);
    assert.match(env.REMOTE_PORT, /^\d+$/);
    assert.match(env.SERVER_SOFTWARE, /^httpsocket\//);
    assert.ok(!('CONTENT_LENGTH' in env) && !('CONTENT_TYPE' in env) && !('HTTPS' in env));
  });

  test('the session, descriptor 3, its own folder and process group, and nothing else', async () => {
    const { env, ...rest } = await told('environment');
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

  test('a query without `=` is no argument (as it was for php-cgi), nor anything but QUERY_STRING', async () => {
    const query = '-s+-d+allow_url_include%3D1';
    const { env, ...rest } = await told(`environment?${query}`);
    assert.deepEqual(rest.arguments, []);
    assert.equal(env.QUERY_STRING, query);
    const names = Object.keys(env).filter((name) => env[name].includes('allow_url'));
    assert.deepEqual(names.sort(), ['QUERY_STRING', 'REQUEST_URI']);
  });

  test('headers named as the loader, the shell or an interpreter read theirs do not reach it', async () => {
    const names = ['LD-Preload', 'LD-Library-Path', 'Path', 'Pythonpath', 'Node-Options', 'IFS'];
    const headers = Object.fromEntries(names.map((name) => [name, '/tmp/evil']));
    const { env } = await told('environment', { headers });
    const reached = Object.keys(env).filter((name) => env[name].includes('/tmp/evil'));
    const expected = names.map((name) => `HTTP_${name.toUpperCase().replaceAll('-', '_')}`);
    assert.deepEqual(reached.sort(), expected.sort());
  });

  test('never HTTP_PROXY, no name that could stand for another, no key of a session; a repeated header as one', async () => {
    const headers = {
      Proxy: 'http://evil.example',
      X_Under: 'no',
      'X-Many': ['a', 'b'],
      Cookie: ['c=1', 'd=2'],
      'Sec-WebSocket-Protocol': 'httpsocket.v1, key.secret',
      Authorization: 'Basic eDp5',
    };
    const { env } = await told('environment', { headers });
    for (const never of ['PROXY', 'X_UNDER', 'SEC_WEBSOCKET_PROTOCOL', 'CONNECTION'])
      assert.ok(!(`HTTP_${never}` in env), never);
    assert.equal(env.HTTP_X_MANY, 'a, b');
    assert.equal(env.HTTP_COOKIE, 'c=1; d=2');
    assert.equal(env.HTTP_AUTHORIZATION, 'Basic eDp5');
  });

  test('the body on stdin, with a length', async () => {
    const body = randomBytes(3_000_000);
    const headers = { 'Content-Length': body.length, 'Content-Type': 'application/x-test' };
    const answer = await told('environment', { method: 'POST', body, headers });
    assert.equal(answer.env.CONTENT_LENGTH, '3000000');
    assert.equal(answer.env.CONTENT_TYPE, 'application/x-test');
    assert.equal(answer.length, body.length);
    assert.equal(answer.sha256, sha256(body));
  });

  test('a chunked body, whose length is known when the program starts', async () => {
    const chunks = Array.from({ length: 30 }, () => randomBytes(10_000));
    const answer = await told('environment', { method: 'POST', body: inChunks(chunks) });
    assert.equal(answer.env.CONTENT_LENGTH, '300000');
    assert.equal(answer.sha256, sha256(Buffer.concat(chunks)));
  });

  test('an empty chunked body', async () => {
    const answer = await told('environment', { method: 'POST', body: inChunks([]) });
    assert.equal(answer.env.CONTENT_LENGTH, '0');
    assert.equal(answer.length, 0);
  });

  test('an upload that breaks off: a chunked one starts no program, another is cut short for it', async () => {
    for (const header of [
      ['Transfer-Encoding', 'chunked'],
      ['Content-Length', '1000000'],
    ]) {
      const upload = uploads(server.at('odd?counts-body'), header, Buffer.alloc(10000));
      await once(upload, 'continue');
      upload.destroy();
      await nothingIsLeft();
    }
  });

  test('a chunked body above body-max: 413, and no program', async () => {
    const small = await start('--body-max 10000');
    const body = inChunks([Buffer.alloc(50000)]);
    const answer = await visitor.asks(small.at('odd?counts-body'), { method: 'POST', body });
    assert.equal(answer.status, 413);
    await small.ends();
    assert.deepEqual(small.lines(/program\.started/), []);
  });

  after(nothingIsLeft);
});

describe('the answer', () => {
  test('names its session three times and is not stored', async () => {
    const page = await Page.loads(server, 'talk');
    const { status, headers, body } = page.answer;
    assert.equal(status, 200);
    assert.match(page.session, /^[A-Za-z0-9_-]{24}$/);
    assert.equal(headers['server-timing'], `session;desc="${page.session}"`);
    assert.equal(headers['cache-control'], 'private, no-cache');
    const meta = `<head><meta name="httpsocket-session" content="${page.session}"><title>`;
    assert.ok(body.includes(meta), body);
    await page.connect();
    await page.closes();
  });

  test('is streamed as it comes, while the program already talks', async () => {
    const { response } = await visitor.begins(server.at('odd?streams'));
    const parts = [];
    response.on('data', (part) => parts.push(part.toString()));
    await once(response, 'data');
    const session = response.headers['session-id'];
    const client = await SessionClient.connects(server, 'odd?streams', { session });
    assert.match(parts.join(''), /first $/);
    client.says('go');
    await once(response, 'end');
    assert.match(parts.join(''), /first second$/);
    await client.hears(/^went \d+$/);
    await client.closes();
  });

  test('ends when Content-Length is reached, though stdout stays open; the program lives on', async () => {
    const page = await Page.opens(server, 'odd?held-open');
    assert.equal(page.answer.body, '12345');
    assert.equal(page.answer.headers['content-length'], '5');
    await page.closes();
  });

  test('Status 401 refuses the page: passed on, no session, the program ends', async () => {
    const answer = await asks('odd?refuses');
    assert.equal(answer.status, 401);
    assert.equal(answer.headers['www-authenticate'], 'Basic realm="x"');
    assert.equal(answer.headers['session-id'], undefined);
    assert.ok(!answer.body.includes('httpsocket-session'));
    await nothingIsLeft();
  });

  test('Location alone redirects', async () => {
    const answer = await asks('odd?redirects');
    assert.equal(answer.status, 302);
    assert.equal(answer.headers.location, '/elsewhere');
    assert.equal(answer.headers['session-id'], undefined);
  });

  test('HEAD runs the program with REQUEST_METHOD=HEAD; no body, no session', async () => {
    const answer = await asks('environment', { method: 'HEAD' });
    assert.equal(answer.status, 200);
    assert.equal(answer.body, '');
    assert.equal(answer.headers['session-id'], undefined);
    await asks('talk', { method: 'HEAD' });
    await nothingIsLeft();
  });

  after(nothingIsLeft);
});

describe('the conversation', () => {
  test('events, in order, both ways, with the process that made the page', async () => {
    const page = await Page.opens(server, 'talk');
    const program = await page.program();
    const word = 'bl\\u00e5b\\u00e6r'; // as the program writes it
    for (let i = 0; i < 500; i++) page.says(`event${i} {"i":${i},"text":"blåbær"}`);
    for (let i = 0; i < 500; i++)
      await page.hears(`echo ["event${i}", {"i": ${i}, "text": "${word}"}]`);
    assert.ok(program.isAlive);
    await page.closes();
    await program.ends();
  });

  test('calls, several answers, errors', async () => {
    const page = await Page.opens(server, 'talk');
    page.says('add?1 [1,2,3]', 'count?2 3', 'what?3');
    await page.hears('=1 6');
    await page.hearsNext('+2 0', '+2 1', '+2 2', '=2');
    await page.hears('!3 {"message":"no such call"}');
    await page.closes();
  });

  test('bytes, an empty event of them too', async () => {
    const page = await Page.opens(server, 'talk');
    const bytes = randomBytes(1_500_000);
    page.saysBytes('photo', bytes); // more than the window: it goes alone
    await page.hearsBytes('bytes', bytes);
    page.saysBytes('photo', '');
    await page.hearsBytes('bytes', '');
    await page.closes();
  });

  test('.attach and .detach tell of the connection; the same process goes on', async () => {
    const page = await Page.opens(server, 'talk');
    const program = await page.program();
    const attach = { resumed: false, origin: server.url, address: '127.0.0.1' };
    assert.deepEqual(await page.hearsOf('told'), ['.attach', attach]);
    await page.cuts();
    await page.comesBack();
    const [name, { reason }] = await page.hearsOf('told');
    assert.equal(name, '.detach');
    // Whichever the server sees first: the old connection's end or the new one.
    assert.match(reason, /^(lost|replaced)$/);
    assert.equal((await page.hearsOf('told'))[1].resumed, true);
    assert.ok(program.isAlive);
    await page.closes();
  });

  test('end of file is the end: after the page closes, the program reads it and ends', async () => {
    const page = await Page.opens(server, 'talk');
    const program = await page.program();
    await page.closes();
    await program.logs(/program.stderr .*line="end of file"/);
    await program.logs(/program.exited .*status=0/);
  });

  test('after a goodbye the program ends within seconds', async () => {
    const page = await Page.opens(server, 'talk');
    const program = await page.program();
    page.says('.bye {"reason":"left"}');
    page.ws.close();
    await program.ends();
  });

  test('a page that never connects: its program ends after the time for that', async () => {
    const page = await Page.loads(server, 'talk');
    await nothingIsLeft();
    await page.isRefused({ code: 4410, reason: 'session-gone' });
  });

  test('stderr goes to the log line by line, long ones in pieces, with program and session', async () => {
    const page = await Page.opens(server, 'talk');
    const program = await page.program();
    page.says(`complain ${JSON.stringify(`først\nsecond\n${'ø'.repeat(1000)}\nlast`)}`, 'exit 0');
    await page.closed;
    await program.logs(/program.stderr .*line=last/);
    const lines = server.lines(new RegExp(`program.stderr.*pid=${program.pid} `));
    const texts = lines.map((line) => /line="?(.*?)"?$/.exec(line)[1]);
    assert.match(lines[0], /program=\S*talk\.py .*session=[0-9a-f]{8} /);
    assert.equal(texts[0], 'først');
    assert.equal(texts[1], 'second');
    assert.equal(texts.slice(2, -1).join(''), 'ø'.repeat(1000));
  });

  test('a session belongs to its path, its origin and its key', async () => {
    const page = await Page.opens(server, 'talk');
    const { session, key } = page;
    const other = (options, where = 'talk') =>
      new SessionClient(server.at(where), { session, ...options });
    const malformed = { code: 4400, reason: 'wire-protocol: key.KEY is malformed' };
    await other({}).isRefused({ code: 4409, reason: 'session-taken' });
    await other({ key }, 'environment').isRefused({ code: 4410 });
    await other({ key, origin: 'http://evil.example' }).isRefused({ status: 403 });
    await other({ key: 'short' }).isRefused(malformed);
    await page.closes();
  });

  after(nothingIsLeft);
});

describe('how a program ends its session', () => {
  test('status 0: what it wrote last arrives, then 1000 program-exit', async () => {
    const page = await Page.opens(server, 'talk');
    (await page.program()).says('last 1', 'last 2');
    page.says('exit 0');
    await page.hears('last 1', 'last 2');
    await page.isClosed(1000, 'program-exit');
  });

  test('another status: 4500 with the status', async () => {
    const page = await Page.opens(server, 'talk');
    page.says('exit 7');
    await page.isClosed(4500, 'program-failed status=7');
  });

  test('killed: 4500 with the signal', async () => {
    const page = await Page.opens(server, 'talk');
    page.says('kill 9');
    await page.isClosed(4500, 'program-failed signal=9');
  });

  test('while the page is away: the page comes back, gets the rest, and learns it', async () => {
    const page = await Page.opens(server, 'talk');
    const program = await page.program();
    page.acknowledge = false;
    program.says('one 1');
    await page.hears(/^one/);
    page.says('exit 0');
    await page.cuts();
    await program.logs(/program.exited /);
    page.acknowledge = true;
    await page.connect();
    await page.isClosed(1000, 'program-exit');
  });

  test('.close with a reason', async () => {
    const page = await Page.opens(server, 'odd?closes-session');
    await page.hears('bye 1');
    await page.isClosed(1000, 'game-over');
  });

  test('an ordinary CGI program leaves no session behind', async () => {
    const page = await Page.loads(server, 'environment');
    await nothingIsLeft();
    await page.isRefused({ code: 4410 });
  });

  test('one that exits after it has said something: the page still comes and gets it', async () => {
    const page = await Page.loads(server, 'odd?exits-with-words');
    await nothingIsLeft();
    await page.connect();
    await page.hearsNext('first 1', 'second "2"');
    await page.isClosed(1000, 'program-exit');
  });

  after(nothingIsLeft);
});

describe('a program without a page', () => {
  const direct = (what, options) => new SessionClient(server.at(`odd?${what}`), options);

  test('an empty header block accepts', async () => {
    const client = direct('accepts');
    assert.equal((await client.connect()).resumed, false);
    client.says('hello {"a":1}');
    await client.hearsNext('hello {"a":1}');
    await client.cuts();
    await client.comesBack();
    client.says('again 2');
    await client.hearsNext('again 2');
    await client.closes();
  });

  test('who got no .welcome comes again with the same key and finds the same program', async () => {
    const key = newKey();
    const first = await SessionClient.connects(server, 'odd?accepts', { key });
    await first.cuts();
    const second = await SessionClient.connects(server, 'odd?accepts', { key });
    assert.equal(second.session, first.session);
    await second.closes();
  });

  test('a client that comes again with its key while the program still thinks waits in its own place', async () => {
    const key = newKey();
    const started = () => server.lines(/program.started .*odd\.py/);
    const startedBefore = started().length;
    const refused = direct('accepts-late', { key }).isRefused({ code: 4000, reason: 'replaced' });
    await until(() => started().length === startedBefore + 1);
    const second = direct('accepts-late', { key });
    const welcomed = second.connect();
    await refused;
    const program = new Program(Number(/pid=(\d+)/.exec(started().at(-1))[1]), { server });
    await program.logs(/program.stderr .*line=waiting/);
    program.kill('SIGUSR1');
    assert.equal((await welcomed).resumed, false);
    second.says('hello 1');
    await second.hearsNext('hello 1');
    assert.equal(started().length, startedBefore + 1);
    await second.closes();
  });

  test('a client that goes while the program still thinks: the program is let go', async () => {
    const client = direct('accepts-late');
    client.connect().catch(() => {});
    await server.hasChildren(1);
    client.ws.terminate();
    await nothingIsLeft();
  });

  test('a status refuses: a page sees the code, anybody else the status and its headers', async () => {
    const away = (where) => server.at(`odd/${where}?refuses`); // a 401 bans from its path
    const denied = { code: 4401, reason: 'script-denied retry=90' };
    await new SessionClient(away('one')).isRefused(denied);
    const plain = new WebSocket(away('two').replace('http', 'ws'));
    const [, response] = await once(plain, 'unexpected-response');
    assert.equal(response.statusCode, 401);
    assert.equal(response.headers['www-authenticate'], 'Basic realm="x"');
    assert.equal(response.headers['access-control-max-age'], '90');
    response.destroy();
    await nothingIsLeft();
  });

  test('no answer in time, no answer at all, a bad one, and no program', async () => {
    const answer = { code: 4502, reason: 'program-answer' };
    await direct('never-answers').isRefused({ code: 4504, reason: 'program-timeout' });
    await direct('exits-badly').isRefused(answer);
    await direct('bad-head').isRefused(answer);
    const nowhere = new SessionClient(server.at('nothing-here'));
    await nowhere.isRefused({ code: 4404, reason: 'no-program' });
  });

  test('the plain form: text and bytes as messages, no session', async () => {
    const client = await openPlain(server.at('odd?accepts'));
    assert.equal(client.protocol, '');
    for (const text of ['hei "du"', '', 'a\nb\u2028c', '\u0000', '😀']) {
      client.send(text);
      assert.deepEqual(await client.next(), { text });
    }
    client.close();
    await client.closed;
    await nothingIsLeft();
  });

  test('the plain form: bytes both ways', async () => {
    const client = await openPlain(server.at('plain'));
    const bytes = randomBytes(200_000);
    client.send(bytes);
    assert.ok((await client.next()).bytes.equals(bytes));
    client.send('numbers');
    assert.equal((await client.next()).text, '[1,2]');
    client.send('other');
    await server.logged(/program.plain_form .*line=other/);
    client.send('exit');
    assert.equal((await client.closed).code, 1000);
  });

  test('the plain form: the program fails', async () => {
    const client = await openPlain(server.at('plain'));
    client.send('fail');
    assert.equal((await client.closed).code, 4500);
  });

  after(nothingIsLeft);
});

describe('odd programs', () => {
  const opens = (what) => Page.opens(server, `odd?${what}`);
  const status = async (what) => {
    const answer = await asks(`odd?${what}`);
    return [answer.status, answer.body];
  };

  test('never reads its stdin: the page is served all the same', async () => {
    const { response } = await visitor.begins(server.at('odd?never-reads'), {
      method: 'POST',
      headers: { 'Content-Length': 4_000_000 },
      body: (request) => request.on('error', () => {}).write(Buffer.alloc(4_000_000)),
    });
    assert.equal(response.statusCode, 200);
    response.on('error', () => {});
    response.resume();
    await nothingIsLeft();
  });

  test('never reads descriptor 3: the page waits, the server holds no more than the window', async () => {
    const page = await opens('never-reads');
    const block = `x "${'y'.repeat(60000)}"`;
    const acks = () => page.control.filter((text) => text.startsWith('.ack'));
    const acknowledged = () => Number((acks().at(-1) ?? '.ack 0').slice(5));
    for (let i = 1; i * block.length <= page.welcome.window; i++) page.says(block);
    await until(() => acknowledged() > 0);
    for (let i = 0; i < 10; i++) page.says(block);
    await page.isClosed(4400, 'wire-protocol: more than the window');
    const taken = acknowledged() * block.length;
    assert.ok(taken < 500_000, 'no more than what a socket holds was taken');
    await nothingIsLeft();
  });

  test('never answers: 504, and it is ended', async () => {
    assert.deepEqual(await status('never-answers'), [504, 'the program did not answer in time\n']);
    await nothingIsLeft();
  });

  test('writes rubbish on descriptor 3: logged with its beginning, the session has failed', async () => {
    const page = await opens('rubbish');
    await page.hearsNext('ok {"n":1}');
    await page.isClosed(4500, 'program-failed reason=protocol');
    await server.logged(/error program.protocol_error .*what is this\?/);
  });

  test('ends in the middle of a line: the same', async () => {
    const page = await opens('half-line');
    await page.hearsNext('ok {"n":1}');
    await page.isClosed(4500, 'program-failed reason=protocol');
  });

  test('exits without an answer: 502', async () => {
    assert.deepEqual(await status('exits-early'), [502, 'the program ended without an answer\n']);
    assert.deepEqual(await status('exits-badly'), [502, 'the program ended without an answer\n']);
    await server.logged(/program.exited .*status=7/);
  });

  test('dies in the middle of its answer: the client sees that it is not whole', async () => {
    await assert.rejects(asks('odd?dies-in-the-answer'), { code: 'ECONNRESET' });
    await server.logged(/program.exited .*signal=11/);
  });

  test('half a header block, a bad one, a huge one: 502', async () => {
    for (const what of ['half-head', 'bad-head', 'huge-head']) {
      const [code, body] = await status(what);
      assert.equal(code, 502, `${what}: ${code} ${body}`);
      assert.match(body, /^[^\n]{10,}\n$/);
    }
  });

  test('a slow header block is no bad one', async () => {
    const answer = await asks('odd?slow-head');
    assert.equal(answer.headers['x-slow'], 'yes');
    assert.equal(answer.body, 'slow');
  });

  test('more than its Content-Length: cut and logged', async () => {
    assert.deepEqual(await status('too-long'), [200, '12345']);
    await server.logged(/program.answer_excess/);
    await nothingIsLeft();
  });

  test('less than its Content-Length: the client sees it, and it is logged', async () => {
    await assert.rejects(asks('odd?too-short'), { code: 'ECONNRESET' });
    await server.logged(/program.answer_short .*missing=91/);
  });

  test('leaves grandchildren that hold its pipes and ignore SIGTERM: the group is killed', async () => {
    const answer = await asks('odd?grandchildren');
    assert.equal(answer.status, 200);
    await server.logged(/program.signalled .*signal=KILL/);
    await nothingIsLeft();
  });

  test('leaves a grandchild of another group: nothing waits for it, and it ends too', async () => {
    const began = Date.now();
    const answer = await asks('odd?escaped');
    assert.equal(answer.status, 200);
    assert.ok(Date.now() - began < 20_000, 'within the 30 s of the grandchild');
    await nothingIsLeft();
    await until(() => !alive(Number(/\d+$/.exec(answer.body)[0])));
  });

  test('ignores SIGTERM: SIGKILL', async () => {
    const page = await opens('ignores-sigterm');
    await page.hears(/^ready$/);
    await page.closes();
    await nothingIsLeft();
    await server.logged(/program.exited .*signal=9/);
  });

  test('floods stdout: a client that does not read makes it wait; then all of it comes', async () => {
    const { response } = await visitor.begins(server.at('odd?floods-stdout'));
    await once(response, 'readable');
    let length = 0;
    for await (const part of response) length += part.length;
    assert.equal(length, 512 * 65536);
    await nothingIsLeft();
  });

  test('floods stderr: it waits, and every line is logged', async () => {
    const page = await opens('floods-stderr');
    await page.hears(/^done$/);
    await page.closes();
    await nothingIsLeft();
    const logged = () => server.lines(/program.stderr .*line="line \d+ x/).length;
    await until(
      () => logged() >= 8000,
      () => `8000 lines, but ${logged()}`,
    );
    assert.equal(logged(), 8000);
  });

  test('floods descriptor 3: it waits, and every event comes in order', async () => {
    const page = await opens('floods-events');
    for (let i = 0; i < 100000; i++) await page.hearsNext(`n ${i}`);
    await page.closes();
    await nothingIsLeft();
  });

  test('closes descriptor 3 and runs on: the session is over, and so is it', async () => {
    const page = await opens('closes-events');
    await page.hearsNext('last');
    await page.isClosed(1000, 'program-exit');
    await nothingIsLeft();
  });

  test('wants a command that this server does not know: it is told by the log, the page by its close', async () => {
    const page = await Page.loads(server, 'odd?wants-wings');
    await page.connect().catch(() => {});
    await server.logged(/program.unsupported .*command=fly/);
    await nothingIsLeft();
  });

  test('a client that breaks off its download: the program sees the end within seconds', async () => {
    const { request: sent, response } = await visitor.begins(server.at('odd?streams'));
    await once(response, 'data');
    response.on('error', () => {});
    sent.destroy();
    await nothingIsLeft();
  });

  after(nothingIsLeft);
});

describe('limits and the end of the server', () => {
  test('too many programs: 503 with Retry-After, 1013 for a page', async () => {
    const small = await start('--programs-max 2 --programs-per-client 1');
    const first = await Page.opens(small, 'talk');
    const { status, headers } = await visitor.asks(small.at('talk'));
    assert.equal(status, 503);
    assert.match(headers['retry-after'], /^\d+$/);
    const second = new SessionClient(small.at('odd?accepts'));
    await second.isRefused({ code: 1013, reason: 'overload retry=5' });
    await first.closes();
    await until(async () => (await visitor.asks(small.at('environment'))).status === 200);
    await small.ends();
  });

  test('a drain: every page learns 1012, every program gets its end of file, exit status 0', async () => {
    const other = await start();
    const pages = await Promise.all([1, 2, 3].map(() => Page.opens(other, 'talk')));
    await Page.loads(other, 'talk');
    const programs = await Promise.all(pages.map((page) => page.program()));
    const stopped = other.ends();
    for (const page of pages) {
      const { code, reason } = await page.closed;
      assert.equal(code, 1012);
      assert.match(reason, /^draining retry=\d+$/);
    }
    await stopped;
    for (const { isAlive, pid } of programs) {
      assert.ok(!isAlive);
      assert.ok(other.lines(/end of file/).some((line) => line.includes(`pid=${pid} `)));
    }
  });

  test('a stop without patience kills what is left: connected, streaming, waiting, spooling', async () => {
    const other = await start('--drain-timeout 0ms');
    await Page.opens(other, 'odd?ignores-sigterm');
    const { response } = await visitor.begins(other.at('odd?streams'));
    response.on('error', () => {});
    new SessionClient(other.at('odd?accepts-late')).connect().catch(() => {});
    uploads(other.at('odd?counts-body'), ['Transfer-Encoding', 'chunked'], 'x');
    await until(() => other.lines(/program\.started/).length === 3);
    const started = other.lines(/program\.started/);
    const pids = started.map((line) => Number(/pid=(\d+)/.exec(line)[1]));
    await other.ends();
    for (const pid of pids) assert.ok(!alive(pid));
  });

  test('a file that is no program after all: 500 and a line in the log', async () => {
    assert.equal((await asks('broken')).status, 500);
    await server.logged(/error program.start_failed .*broken/);
    await nothingIsLeft();
  });
});
