// SPDX-License-Identifier: MIT
// Script access for other web servers: /.httpsocket/authorize by itself, and behind
// Debian's nginx as docs/access.md says.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { PAGE, host, metrics, startGuarded, startZones } from '../lib/access.mjs';
import { request } from '../lib/http-raw.mjs';
import { REPO, adminOf, makeRoot } from '../lib/server.mjs';
import { until } from '../lib/until.mjs';

let zones, root, server, admin;
before(async () => {
  zones = await startZones({
    'b.test': { records: '_script-access TXT "v=sa1; allow=a.example"' },
    'none.test': { records: '' },
  });
  root = makeRoot({ 'file.txt': 'text' });
  server = await startGuarded({
    names: ['b.test', 'none.test'],
    dns: zones.relay.port,
    root: root.root,
    args: ['--admin', '127.0.0.1:0'],
  });
  admin = Number(new URL(await adminOf(server)).port);
});
after(async () => {
  await server?.stop();
  await zones?.stop();
  root?.remove();
});

const ask = (headers, { method = 'GET', query = '' } = {}) =>
  request(admin, method, `/.httpsocket/authorize${query}`, headers);
const forwarded = (more = {}) => ({
  'X-Forwarded-Proto': 'http',
  'X-Forwarded-Host': 'b.test:8000',
  'X-Forwarded-Uri': '/feed?x=1',
  'X-Forwarded-For': '203.0.113.9',
  ...more,
});
const said = ({ status, headers }) =>
  `${status} ${headers['script-access-reason']} ${headers['access-control-allow-origin']}`;

test('a page that the record lets in: 204 with the headers for its browser', async () => {
  const answer = await ask(forwarded({ Origin: PAGE }));
  assert.equal(said(answer), `204 ok-record ${PAGE}`);
  assert.equal(answer.headers.vary, 'Origin');
});

test('one that it does not: the status of the refusal and its headers', async () => {
  const answer = await ask(forwarded({ Origin: 'https://c.example' }));
  assert.equal(said(answer), '403 origin-not-allowed https://c.example');
  assert.equal(answer.headers['retry-after'], '60');
  assert.equal(said(await ask(forwarded({ Origin: 'null' }))), '403 origin-opaque null');
});

test("no page's script and our own pages: 204, and nothing is asked", async () => {
  zones.relay.take();
  assert.equal(
    said(await ask(forwarded({ 'X-Forwarded-Host': 'none.test:8000' }))),
    '204 ok-no-origin undefined',
  );
  assert.equal(
    said(
      await ask(
        forwarded({ 'X-Forwarded-Host': 'none.test:8000', Origin: 'http://none.test:8000' }),
      ),
    ),
    '204 ok-same-origin undefined',
  );
  assert.deepEqual(zones.relay.take(), {});
});

test('as nginx tells it, and as its ingress does', async () => {
  const uri = {
    'X-Forwarded-Proto': 'http',
    'X-Forwarded-Host': 'b.test:8000',
    'X-Original-URI': '/feed',
    'X-Real-IP': '203.0.113.9',
    Origin: PAGE,
  };
  assert.equal((await ask(uri)).status, 204);
  assert.equal(
    (await ask({ 'X-Original-URL': 'http://b.test:8000/feed?x', Origin: PAGE })).status,
    204,
  );
  assert.equal(
    (await ask({ 'X-Original-URL': 'http://none.test:8000/feed', Origin: PAGE })).status,
    403,
  );
});

test('a preflight is answered whole', async () => {
  const asked = forwarded({
    'X-Forwarded-Method': 'OPTIONS',
    Origin: PAGE,
    'Access-Control-Request-Method': 'PUT',
    'Access-Control-Request-Headers': 'x-one',
  });
  const { status, headers } = await ask(asked);
  assert.equal(
    `${status} ${headers['access-control-allow-methods']} ${headers['access-control-allow-headers']}`,
    '204 PUT x-one',
  );
  assert.equal(
    (await ask({ ...asked, Origin: 'https://c.example' })).headers['access-control-allow-methods'],
    undefined,
  );
});

test("a host that is not ours, and what can't be read, is refused", async () => {
  assert.equal(
    (await ask(forwarded({ 'X-Forwarded-Host': 'evil.test', Origin: PAGE }))).status,
    421,
  );
  for (const bad of [
    { 'X-Forwarded-Uri': '' },
    { 'X-Original-URI': '/other' },
    { 'X-Original-URL': 'http://none.test:8000/' },
    { 'X-Forwarded-Uri': '/a%2fb' },
    { 'X-Forwarded-Uri': 'feed' },
    { 'X-Forwarded-For': 'somebody' },
  ])
    assert.equal((await ask(forwarded({ Origin: PAGE, ...bad }))).status, 400, JSON.stringify(bad));
});

test('each client is counted for itself: by the last of X-Forwarded-For', async () => {
  const own = await startGuarded({
    names: ['b.test'],
    dns: zones.relay.port,
    root: root.root,
    args: ['--admin', '127.0.0.1:0', '--rate-client', '6,1'],
  });
  const port = Number(new URL(await adminOf(own)).port);
  const from = async (list) =>
    (
      await request(
        port,
        'GET',
        '/.httpsocket/authorize',
        forwarded({ Origin: PAGE, 'X-Forwarded-For': list }),
      )
    ).status;
  assert.equal(await from('10.0.0.1, 203.0.113.1'), 204);
  assert.equal(await from('10.0.0.1, 203.0.113.2'), 204);
  assert.equal(await from('10.0.0.2, 203.0.113.1'), 429);
  assert.equal(await from('2001:db8:1:2::1'), 204);
  assert.equal(await from('2001:db8:1:2::ffff'), 429);
  assert.equal((await metrics(port))['httpsocket_access_verdicts_total{reason="rate-limited"}'], 2);
  await own.stop();
});

// ---- nginx ----

async function freePort() {
  const probe = net.createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}

/** The configuration that docs/access.md prints, with its addresses replaced. */
function recipe(ports) {
  const page = fs.readFileSync(path.join(REPO, 'docs/access.md'), 'utf8');
  const [text] = /^server \{\n[^]*?^\}\n/m.exec(page.replace(/^ {4}/gm, ''));
  return text
    .replace('listen 80;', `listen 127.0.0.1:${ports.nginx};`)
    .replaceAll('127.0.0.1:9100', `127.0.0.1:${admin}`)
    .replaceAll('127.0.0.1:3000', `127.0.0.1:${ports.backend}`);
}

async function startNginx(dir, ports) {
  fs.writeFileSync(
    path.join(dir, 'nginx.conf'),
    `daemon off; master_process off; pid ${dir}/pid; error_log stderr;
events {}
http {
access_log off; client_body_temp_path ${dir}/body; proxy_temp_path ${dir}/proxy;
fastcgi_temp_path ${dir}/f; uwsgi_temp_path ${dir}/u; scgi_temp_path ${dir}/s;
${recipe(ports)}
}
`,
  );
  const log = [];
  const child = spawn('/usr/sbin/nginx', ['-c', path.join(dir, 'nginx.conf'), '-p', dir], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  child.stderr.on('data', (data) => log.push(data.toString()));
  const exited = once(child, 'exit');
  const listens = () =>
    new Promise((resolve) => {
      const probe = net
        .connect(ports.nginx, '127.0.0.1', () => (probe.destroy(), resolve(true)))
        .on('error', () => resolve(false));
    });
  await until(
    async () => {
      if (child.exitCode !== null) throw new Error(log.join(''));
      return listens();
    },
    () => log.join(''),
  );
  return async () => {
    child.kill('SIGTERM');
    await exited;
  };
}

test('behind nginx, as docs/access.md has it: the policy decides every cross-site request', async () => {
  const seen = [];
  const backend = http
    .createServer(
      (request, response) => (
        seen.push(`${request.method} ${request.url}`),
        response.end('backend')
      ),
    )
    .listen(0, '127.0.0.1');
  await once(backend, 'listening');
  const ports = { nginx: await freePort(), backend: backend.address().port };
  const stop = await startNginx(root.root, ports);
  const get = (headers, method = 'GET') =>
    request(ports.nginx, method, '/api?x=1', { ...host('b.test'), ...headers });

  const ordinary = await get({});
  assert.equal(`${ordinary.status} ${ordinary.body}`, '200 backend');
  const allowed = await get({ Origin: PAGE });
  assert.equal(
    `${allowed.status} ${allowed.body} ${allowed.headers['access-control-allow-origin']}`,
    `200 backend ${PAGE}`,
  );
  assert.match(allowed.headers.vary, /Origin/);
  const reached = seen.length;
  const refused = await get({ Origin: 'https://c.example' });
  assert.equal(
    `${refused.status} ${refused.headers['script-access-reason']}`,
    '403 origin-not-allowed',
  );
  assert.equal(refused.headers['retry-after'], '60');
  assert.equal((await get({ Origin: PAGE, ...host('none.test') })).status, 403);
  const preflight = await get({ Origin: PAGE, 'Access-Control-Request-Method': 'PUT' }, 'OPTIONS');
  assert.equal(
    `${preflight.status} ${preflight.headers['access-control-allow-methods']} ${preflight.headers['access-control-allow-origin']}`,
    `204 PUT ${PAGE}`,
  );
  assert.equal(
    (await get({ Origin: 'https://c.example', 'Access-Control-Request-Method': 'PUT' }, 'OPTIONS'))
      .headers['access-control-allow-methods'],
    undefined,
  );
  assert.equal(seen.length, reached);
  await stop();
  backend.close();
});
