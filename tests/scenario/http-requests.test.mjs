// SPDX-License-Identifier: MIT
// Requests as clients, proxies and health checks write them: what the target, Host and the version
// of a handshake say, and what a program is told of it, or may print.
import assert from 'node:assert/strict';
import { after, before, test } from '../lib/test.mjs';
import { RawHttp, request } from '../lib/http-raw.mjs';
import { program, startServer } from '../lib/server.mjs';

const ENV = program(`#!/bin/sh
printf 'Content-Type: text/plain\\n\\n'
env | sort
`);
const HOP = program(`#!/bin/sh
printf 'Content-Type: text/plain\\nConnection: close, X-Hop\\nX-Hop: 1\\nKeep-Alive: 5\\n'
printf 'Transfer-Encoding: chunked\\nUpgrade: h2c\\nProxy-Connection: close\\nX-Kept: 1\\n\\nhello'
`);
const PAGE = program(`#!/bin/sh
printf 'Content-Type: text/html\\nX-Own: 1\\n'
[ -z "$QUERY_STRING" ] || printf 'Content-Length: 16\\n'
printf '\\n<title>x</title>'
`);

let server;
before(async () => {
  server = await startServer({
    files: { 'env.sh': ENV, 'hop.sh': HOP, 'page.sh': PAGE, 'index.html': 'home' },
    args: ['--admin', '127.0.0.1:0'],
  });
});
after(() => server.ends());

/** The answer to one raw request, given as lines. */
async function asks(...lines) {
  const client = await RawHttp.connect(server.port);
  const head = lines[0].startsWith('HEAD ');
  const answer = await client.ask(`${lines.join('\r\n')}\r\n\r\n`, { head });
  client.destroy();
  return answer;
}
const variables = ({ body }) =>
  Object.fromEntries(
    String(body)
      .split('\n')
      .map((line) => /^(\w+)=(.*)$/.exec(line)?.slice(1))
      .filter(Boolean),
  );

test('an absolute-form target is in the place of Host, for the program too', async () => {
  const env = variables(
    await asks(`GET http://localhost:${server.port}/env HTTP/1.1`, 'Host: evil.example'),
  );
  assert.equal(env.HTTP_HOST, `localhost:${server.port}`);
  assert.equal(env.SERVER_NAME, 'localhost');
  const foreign = await asks('GET http://evil.example/env HTTP/1.1', 'Host: localhost');
  assert.equal(foreign.status, 421);
});

test('an origin is our own by the target, not by Host', async () => {
  const origin = 'Origin: http://evil.example';
  const { headers } = await asks(
    `GET http://localhost:${server.port}/ HTTP/1.1`,
    'Host: evil.example',
    origin,
  );
  assert.equal(headers['access-control-allow-origin'], undefined);
});

test('a target of https is refused on a connection without TLS', async () => {
  assert.equal((await asks('GET https://localhost/ HTTP/1.1', 'Host: localhost')).status, 421);
  assert.equal((await asks('OPTIONS https://localhost HTTP/1.1', 'Host: localhost')).status, 421);
  assert.equal((await asks('GET http://localhost/ HTTP/1.1', 'Host: localhost')).status, 200);
});

test('a wrong Sec-WebSocket-Version is 426 with Upgrade and what it is upgraded to', async () => {
  const { status, headers } = await asks(
    'GET / HTTP/1.1',
    'Host: localhost',
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Version: 8',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  );
  assert.equal(status, 426);
  assert.equal(headers.upgrade, 'websocket');
  assert.match(headers.connection, /\bUpgrade\b/);
  assert.equal(headers['sec-websocket-version'], '13');
});

test('a health check of HTTP/1.0 without Host finds the server up', async () => {
  for (const method of ['OPTIONS', 'GET', 'HEAD']) {
    const { status } = await asks(`${method} / HTTP/1.0`);
    assert.ok(status < 400, `${method}: ${status}`);
  }
  assert.ok((await asks('OPTIONS * HTTP/1.0')).status < 400);
  const env = variables(await asks('GET /env HTTP/1.0'));
  assert.equal(env.SERVER_NAME, '127.0.0.1');
  assert.equal((await asks('GET / HTTP/1.1')).status, 400, 'HTTP/1.1 needs a Host');
  assert.equal((await asks('GET / HTTP/1.0', 'Host: evil.example')).status, 421);
});

test('OPTIONS of the root finds the server up where nothing or a stdio program is', async () => {
  for (const args of [
    ['--origin', 'https://a.example'],
    ['--stdio', 'cat'],
  ]) {
    const other = await startServer({ files: { 'a.txt': '' }, args });
    const client = await RawHttp.connect(other.port);
    const { status, headers } = await client.ask('OPTIONS / HTTP/1.0\r\n\r\n');
    assert.deepEqual([status, headers.allow], [204, 'GET, HEAD, OPTIONS']);
    client.destroy();
    await other.ends();
  }
});

test('what a program prints about the connection is left out and logged', async () => {
  const { status, headers, body } = await request(server.port, 'GET', '/hop');
  assert.equal(status, 200);
  assert.equal(String(body), 'hello');
  assert.equal(headers['x-kept'], '1');
  for (const name of ['x-hop', 'keep-alive', 'upgrade', 'proxy-connection'])
    assert.equal(headers[name], undefined, name);
  await server.logged(/program\.header_left_out.*hop\.sh.*header=Keep-Alive/);
});

test('php-cgi finds what it wants to see before it runs a file', async () => {
  const env = variables(await asks('GET /env HTTP/1.1', 'Host: localhost'));
  assert.equal(env.REDIRECT_STATUS, '200');
  assert.match(env.SCRIPT_FILENAME, /\/env\.sh$/);
});

test('HEAD of a page has the headers of its GET, but for the session, and leaves none', async () => {
  const volatile = ['date', 'connection', 'session-id', 'server-timing'];
  for (const path of ['/page', '/page?length']) {
    const [get, head] = [
      await request(server.port, 'GET', path),
      await request(server.port, 'HEAD', path),
    ];
    for (const name of volatile) (delete get.headers[name], delete head.headers[name]);
    assert.deepEqual(head.headers, get.headers, path);
    assert.equal(head.headers['x-own'], '1');
  }
  await server.hasMetric('sessions', 0);
});

test('OPTIONS of a program leaves no session', async () => {
  const { status, headers } = await request(server.port, 'OPTIONS', '/page');
  assert.equal(status, 200);
  assert.equal(headers['session-id'], undefined);
  await server.hasMetric('sessions', 0);
});
