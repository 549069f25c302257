// SPDX-License-Identifier: MIT
// Behind a proxy: a program is told the scheme, host, port and path that the browser sees, if a
// trusted proxy says so; and a mount below a path works, whether the proxy cuts it off or not.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import WebSocket from 'ws';
import { after, before, describe, test } from '../lib/test.mjs';
import { request } from '../lib/http-raw.mjs';
import { makeRoot, program, startServer } from '../lib/server.mjs';
import { until } from '../lib/until.mjs';

const FILES = {
  'env.sh': program("#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nenv\n"),
  'go.sh': program('#!/bin/sh\nprintf "Location: $QUERY_STRING\\n\\n"\n'),
  'sub/index.html': 'sub\n',
  'talk.py': program('talk.py'),
};
const NAMES =
  'REQUEST_SCHEME HTTPS SERVER_NAME SERVER_PORT HTTP_HOST SCRIPT_NAME REQUEST_URI'.split(' ');

/** Those variables of the program that say where it is. */
async function place(port, headers, where = '/env') {
  const { status, body } = await request(port, 'GET', where, headers);
  assert.equal(status, 200, String(body));
  const all = Object.fromEntries(
    String(body)
      .split('\n')
      .map((line) => /^(\w+)=(.*)$/.exec(line)?.slice(1))
      .filter(Boolean),
  );
  return NAMES.map((name) => all[name] ?? '-').join(' ');
}

describe('a trusted proxy', () => {
  let server;
  before(async () => {
    server = await startServer({
      files: FILES,
      args: [
        ...['--trusted-proxy', '127.0.0.1', '--trusted-proxy', '203.0.113.9'],
        ...['--origin', 'http://a.example', '--origin', 'https://a.example'],
        ...['--origin', 'https://a.example:8443', '--origin', 'https://b.example'],
      ],
    });
  });
  after(() => server.ends());

  const X = (proto, host, more) => ({
    Host: 'a.example',
    ...(proto && { 'X-Forwarded-Proto': proto }),
    ...(host && { 'X-Forwarded-Host': host }),
    ...more,
  });
  const rows = {
    'scheme alone': [X('https'), 'https on a.example 443 a.example /env /env'],
    'scheme http': [X('http'), 'http - a.example 80 a.example /env /env'],
    'scheme and host': [X('https', 'b.example'), 'https on b.example 443 b.example /env /env'],
    'host with its port': [
      X('https', 'a.example:8443'),
      'https on a.example 8443 a.example:8443 /env /env',
    ],
    'a port beside': [
      X('https', '', { 'X-Forwarded-Port': '8443' }),
      'https on a.example 8443 a.example:8443 /env /env',
    ],
    'the usual port': [
      X('https', '', { 'X-Forwarded-Port': '443' }),
      'https on a.example 443 a.example /env /env',
    ],
    'a prefix': [
      X('https', '', { 'X-Forwarded-Prefix': '/app/' }),
      'https on a.example 443 a.example /app/env /app/env',
    ],
    'an evil prefix': [
      X('https', '', { 'X-Forwarded-Prefix': '//evil.example' }),
      'https on a.example 443 a.example /env /env',
    ],
    'what the client wrote stands before': [
      X('http, https', 'evil.example, b.example', { 'X-Forwarded-For': '6.6.6.6, 198.51.100.7' }),
      'https on b.example 443 b.example /env /env',
    ],
    'two proxies: the outer one': [
      X('https, http', 'b.example, a.example', { 'X-Forwarded-For': '198.51.100.7, 203.0.113.9' }),
      'https on b.example 443 b.example /env /env',
    ],
    nonsense: [
      X('gopher', 'a b', { 'X-Forwarded-Port': '0' }),
      'http - a.example 80 a.example /env /env',
    ],
    Forwarded: [
      { Host: 'a.example', Forwarded: 'for=198.51.100.7;proto=https;host="b.example"' },
      'https on b.example 443 b.example /env /env',
    ],
    'Forwarded by two': [
      {
        Host: 'a.example',
        Forwarded:
          'for=6.6.6.6;host=evil.example, For=198.51.100.7;Proto=https;Host=b.example, for=203.0.113.9;proto=http',
      },
      'https on b.example 443 b.example /env /env',
    ],
    "Forwarded beside X-Forwarded-For is the client's": [
      { Host: 'a.example', Forwarded: 'proto=https', 'X-Forwarded-For': '198.51.100.7' },
      'http - a.example 80 a.example /env /env',
    ],
  };
  for (const [name, [headers, expected]] of Object.entries(rows))
    test(`tells where the browser is: ${name}`, async () => {
      assert.equal(await place(server.port, headers), expected);
    });

  test('decides which page is our own', async () => {
    const handshake = {
      Upgrade: 'websocket',
      Connection: 'Upgrade',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    };
    const connects = async (proto, Origin) =>
      (await request(server.port, 'GET', '/talk', { ...X(proto), ...handshake, Origin })).status;
    for (const proto of ['http', 'https']) {
      assert.equal(await connects(proto, `${proto}://a.example`), 101);
      assert.ok((await connects(proto, 'https://b.example')) >= 400);
    }
  });

  test('may ask in absolute form for what its TLS has ended', async () => {
    assert.equal(
      await place(server.port, { Host: 'x' }, 'https://a.example/env'),
      'https on a.example 443 a.example /env /env',
    );
  });

  test('is not believed if it is not trusted', async () => {
    const other = await startServer({ files: FILES, args: ['--trusted-proxy', '10.0.0.0/8'] });
    const told = {
      ...X('https', 'b.example', { 'X-Forwarded-Prefix': '/app', 'X-Forwarded-Port': '1' }),
      Host: 'localhost',
    };
    const expected = `http - localhost ${other.port} localhost /env /env`;
    assert.equal(await place(other.port, told), expected);
    assert.equal(
      await place(other.port, { Host: 'localhost', Forwarded: 'proto=https;host=b.example' }),
      expected,
    );
    await other.ends();
  });
});

async function freePort() {
  const probe = net.createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}

const TELLS = `proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $remote_addr;
proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $http_connection;`;

/** nginx with these lines in its server block; `port` and `stop()`. */
async function startNginx(lines) {
  const folder = makeRoot({});
  const port = await freePort();
  const at = (name) => path.join(folder.root, name);
  fs.writeFileSync(
    at('nginx.conf'),
    `daemon off; master_process off; pid ${at('pid')}; error_log stderr;
events {}
http {
access_log off; client_body_temp_path ${at('b')}; proxy_temp_path ${at('p')};
fastcgi_temp_path ${at('f')}; uwsgi_temp_path ${at('u')}; scgi_temp_path ${at('s')};
server { listen 127.0.0.1:${port}; proxy_http_version 1.1;
${TELLS}
${lines}
} }
`,
  );
  const child = spawn('/usr/sbin/nginx', ['-c', at('nginx.conf'), '-p', folder.root], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const exited = once(child, 'exit');
  const answers = () =>
    request(port, 'GET', '/nothing-here').then(
      () => true,
      () => false,
    );
  await until(answers, () => 'nginx');
  return { port, stop: () => (child.kill(), exited.then(folder.remove)) };
}

const WAYS = {
  'that cuts it off and says nothing': {
    nginx: (port) => `location /app/ { proxy_pass http://127.0.0.1:${port}/; }`,
    args: [],
    script: '/env',
  },
  'that cuts it off, with base-path': {
    nginx: (port) => `location /app/ { proxy_pass http://127.0.0.1:${port}/; }`,
    args: ['--base-path', '/app'],
    script: '/app/env',
  },
  'that leaves it, with base-path': {
    nginx: (port) => `location /app { proxy_pass http://127.0.0.1:${port}; }`,
    args: ['--base-path', '/app/'],
    script: '/app/env',
  },
  'that leaves it, and says X-Forwarded-Prefix': {
    nginx: (port) =>
      `location /app { proxy_pass http://127.0.0.1:${port}; proxy_set_header X-Forwarded-Prefix /app; ${TELLS} }`,
    args: ['--trusted-proxy', '127.0.0.1'],
    script: '/app/env',
  },
};

for (const [name, { nginx: lines, args, script }] of Object.entries(WAYS))
  describe(`below a path of nginx ${name}`, { skip: !fs.existsSync('/usr/sbin/nginx') }, () => {
    let server, nginx;
    before(async () => {
      server = await startServer({ files: FILES, args: [...args, '--stdio', '/lines=cat'] });
      nginx = await startNginx(lines(server.port));
    });
    after(async () => {
      await nginx?.stop();
      await server.ends();
    });
    const at = (where) => `http://127.0.0.1:${nginx.port}${where}`;
    const get = (where) => request(nginx.port, 'GET', where);

    test('the redirect to a folder keeps the mount', async () => {
      const { status, headers } = await get('/app/sub?x=1');
      assert.equal(status, 301);
      const next = new URL(headers.location, at('/app/sub?x=1'));
      assert.equal(next.href, at('/app/sub/?x=1'));
      assert.equal(String((await get(next.pathname)).body), 'sub\n');
    });

    test("a program's redirect keeps the mount, and is told it", async () => {
      const [, , , , , scriptName] = (await place(nginx.port, {}, '/app/env')).split(' ');
      assert.equal(scriptName, script);
      if (script === '/env') return; /* nobody said where it is */
      for (const [printed, expected] of [
        ['/sub/', '/app/sub/'],
        ['/app/sub/', '/app/sub/'],
        ['sub/', '/app/sub/'],
      ])
        assert.equal(
          new URL((await get(`/app/go?${printed}`)).headers.location, at('/app/go')).pathname,
          expected,
        );
      for (const other of ['https://b.example/x', '//b.example/x'])
        assert.equal((await get(`/app/go?${other}`)).headers.location, other);
    });

    test('client.js, a page of the server, and a session are found', async () => {
      assert.equal((await get('/app/.httpsocket/client.js')).status, 200);
      const page = await get('/app/lines');
      const [, module] = /from '([^']+)'/.exec(String(page.body));
      assert.equal((await get(new URL(module, at('/app/lines')).pathname)).status, 200);
      const { headers } = await get('/app/talk');
      const offers = [
        'httpsocket.v1',
        'key.0123456789abcdef0123456789abcdef',
        `session.${headers['session-id']}`,
      ];
      const origin = at('');
      const socket = new WebSocket(at('/app/talk').replace('http', 'ws'), offers, { origin });
      const first = await new Promise((resolve) => {
        socket.onmessage = ({ data }) => resolve(data);
        socket.onclose = ({ code, reason }) => resolve(`${code} ${reason}`);
      });
      assert.match(String(first), /^\.welcome/);
      socket.close();
    });
  });

test('base-path must be a path', async () => {
  for (const bad of ['app', '//evil', '/a/../b', '/a b', '/a?x'])
    await assert.rejects(startServer({ files: FILES, args: ['--base-path', bad] }), /base-path/);
});
