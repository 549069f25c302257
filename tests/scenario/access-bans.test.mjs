// SPDX-License-Identifier: MIT
// The program's 401: how it is told, whom it keeps away, for how long and from where down; and how
// another origin's page asks why.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { PAGE, at, host, tryHandshake, metrics, startGuarded, startZones } from '../lib/access.mjs';
import { request } from '../lib/http-raw.mjs';
import { adminOf, makeRoot } from '../lib/server.mjs';

// Refuses with the headers that the query has, `Name=value&Name=value`, `+`
// for a space; counts its starts.
const REFUSE =
  '#!/bin/sh\necho start >>"$DOCUMENT_ROOT/.starts"\nprintf "Status: 401 Unauthorized\\n"\n' +
  'printf "%s" "$QUERY_STRING" | tr "&" "\\n" | sed "s/=/: /; s/+/ /g"\nprintf "\\n\\nno\\n"\n';
const LISTEN = '#!/bin/sh\nprintf "Content-Type: text/plain\\n\\n"\nread line <&3\n';

let zones, root, server, admin;
before(async () => {
  zones = await startZones({
    'b.test': { records: '_script-access TXT "v=sa1; allow=*"' },
    'none.test': { records: '' },
  });
  root = makeRoot({
    no: { text: REFUSE, mode: 0o755 },
    yes: { text: LISTEN, mode: 0o755 },
    'file.txt': 'text',
  });
  server = await startGuarded({
    names: ['b.test', 'none.test'],
    dns: zones.relay.port,
    root: root.root,
    args: ['--admin', '127.0.0.1:0'],
  });
  admin = new URL(await adminOf(server)).port;
});
after(async () => {
  await server?.stop();
  await zones?.stop();
  root?.remove();
});

const starts = async () => (await metrics(admin)).httpsocket_programs_started_total;
const said = ({ status, headers }) =>
  `${status} ${headers['script-access-reason']} ${headers['retry-after']}`;
const ask = (path, { origin = PAGE, name = 'b.test' } = {}) =>
  request(server.port, 'GET', path, {
    ...host(name),
    ...(origin && { Origin: origin }),
    Accept: 'application/httpsocket-refusal',
  });

test('a 401 is passed on with a challenge, how long it is for, and leave for the browser side to read it', async () => {
  const { status, headers } = await tryHandshake(server, '/no/plain');
  assert.equal(status, 401);
  assert.equal(headers['script-access-reason'], 'script-denied');
  assert.match(headers['www-authenticate'], /^Script realm="b\.test:8000"$/);
  assert.equal(headers['access-control-max-age'], '60');
  assert.equal(headers['retry-after'], '60');
  assert.equal(headers['access-control-allow-origin'], PAGE);
  assert.equal(headers.vary, 'Origin');
});

test('what the program says itself stands: its challenge, its time, its path', async () => {
  const { headers } = await tryHandshake(
    server,
    '/no/own?WWW-Authenticate=Basic+realm=x&Access-Control-Max-Age=90&Access-Control-Policy-Path=/no/own&X-Other=1',
  );
  assert.equal(headers['www-authenticate'], 'Basic realm=x');
  assert.equal(headers['access-control-max-age'], '90');
  assert.equal(headers['retry-after'], '90');
  assert.equal(headers['access-control-policy-path'], '/no/own');
  assert.equal(headers['x-other'], '1');
});

test('for that time the client is refused without starting the program, with what remains', async () => {
  assert.equal((await tryHandshake(server, '/no/ban')).status, 401);
  const before = await starts();
  for (const how of [{}, { session: false }]) {
    const { status, headers } = await tryHandshake(server, '/no/ban', how);
    assert.equal(`${status} ${headers['script-access-reason']}`, '429 banned');
    assert.ok(headers['retry-after'] > 50 && headers['retry-after'] <= 60, headers['retry-after']);
  }
  assert.equal((await tryHandshake(server, '/no/ban?another=query')).status, 429);
  assert.equal(await starts(), before);
});

test('a ban is for one origin, one address and one path', async () => {
  assert.equal((await tryHandshake(server, '/no/one')).status, 401);
  assert.equal(
    (await tryHandshake(server, '/no/one', { origin: 'https://c.example' })).status,
    401,
  );
  assert.equal((await tryHandshake(server, '/no/one', { from: '127.0.0.2' })).status, 401);
  assert.equal((await tryHandshake(server, '/no/two')).status, 401);
  assert.equal((await tryHandshake(server, '/no/one')).status, 429);
});

test('with a Policy-Path it is for every path below that, by segments', async () => {
  assert.equal(
    (await tryHandshake(server, '/no/room/a/b?Access-Control-Policy-Path=/no/room')).status,
    401,
  );
  for (const path of [
    '/no/room/a/b',
    '/no/room',
    '/no/room/',
    '/no/room/other',
    '/no/room/%6Fther',
  ])
    assert.equal((await tryHandshake(server, path)).status, 429, path);
  assert.equal((await tryHandshake(server, '/no/roomier')).status, 401);
});

test('a Policy-Path that is no ancestor is ignored', async () => {
  for (const [i, policy] of [
    '/yes',
    '/no/elsewhere',
    '/no/%2e%2e',
    '/no//x',
    'no',
    '/no/anc',
  ].entries())
    assert.equal(
      (await tryHandshake(server, `/no/ancestor/${i}?Access-Control-Policy-Path=${policy}`)).status,
      401,
      policy,
    );
  const other = await tryHandshake(server, '/yes');
  assert.equal(other.status, 101);
  other.drop();
  assert.equal((await tryHandshake(server, '/no/ancestor/x')).status, 401);
});

test('zero bans nobody; more than a day is a day', async () => {
  const { headers } = await tryHandshake(server, '/no/zero?Access-Control-Max-Age=0');
  assert.equal(headers['retry-after'], undefined);
  assert.equal((await tryHandshake(server, '/no/zero')).status, 401);
  assert.equal(
    (await tryHandshake(server, '/no/long?Access-Control-Max-Age=99999999')).headers['retry-after'],
    '86400',
  );
});

test('our own page is told by a close code, 401 and ban alike', async () => {
  const own = { origin: 'http://b.test:8000' };
  assert.deepEqual(
    await (
      await tryHandshake(server, '/no/own-page?Access-Control-Max-Age=70', own)
    ).close,
    { code: 4401, reason: 'script-denied retry=70' },
  );
  const again = await (await tryHandshake(server, '/no/own-page', own)).close;
  assert.equal(again.code, 4429);
  assert.match(again.reason, /^banned retry=(70|69|68)$/);
});

test('a 401 bans no neighbour behind the same address', async () => {
  const own = { origin: 'http://b.test:8000' };
  const as = (Cookie) => ({ ...own, headers: { Cookie } });
  const refused = async (how) => (await (await tryHandshake(server, '/no/nat', how)).close).code;
  assert.equal(await refused(as('id=mallory')), 4401);
  assert.equal(await refused(as('id=alice')), 4401); // asked, not banned
  assert.equal(await refused({ ...own, headers: { Authorization: 'Basic YQ==' } }), 4401);
  assert.equal(await refused(own), 4401);
  for (const again of [as('id=mallory'), as('id=alice'), own])
    assert.equal(await refused(again), 4429);
  const policy = '/no/nat2/x?Access-Control-Policy-Path=/no/nat2';
  assert.equal((await (await tryHandshake(server, policy, as('id=mallory'))).close).code, 4401);
  assert.equal((await (await tryHandshake(server, '/no/nat2', as('id=alice'))).close).code, 4401);
  assert.equal((await (await tryHandshake(server, '/no/nat2', as('id=mallory'))).close).code, 4429);
});

test('a client without an Origin is banned too', async () => {
  const device = { origin: null, session: false };
  assert.equal((await tryHandshake(server, '/no/device', device)).status, 401);
  assert.equal((await tryHandshake(server, '/no/device', device)).status, 429);
});

test('a 401 for an ordinary page bans nobody', async () => {
  for (let i = 0; i < 2; i++) {
    const { status, headers } = await request(server.port, 'GET', '/no/page', host('b.test'));
    assert.equal(`${status} ${headers['script-access-reason']}`, '401 undefined');
  }
  assert.equal(
    (await tryHandshake(server, '/no/page', { origin: 'http://b.test:8000' })).status,
    101,
  );
});

test('under a ban a session is resumed no sooner than a new one may begin', async () => {
  const own = { origin: 'http://b.test:8000' };
  const first = await tryHandshake(server, '/yes', { ...own, key: 'z'.repeat(24) });
  const { session } = JSON.parse((await first.text).slice('.welcome '.length));
  first.drop();
  assert.equal((await tryHandshake(server, '/no/x?Access-Control-Policy-Path=/', own)).status, 101);
  const again = await tryHandshake(server, '/yes', { ...own, key: 'z'.repeat(24), id: session });
  assert.equal((await again.close)?.code, 4429);
});

test('who asks why is told the 401 and what remains, and no program is started', async () => {
  await tryHandshake(server, '/no/asked/here?Access-Control-Policy-Path=/no/asked');
  const before = await starts();
  for (const path of ['/no/asked/here', '/no/asked/there?x=1']) {
    const answer = await ask(path);
    assert.match(said(answer), /^401 script-denied (60|59|58)$/);
    assert.equal(answer.headers['access-control-policy-path'], '/no/asked');
    assert.equal(answer.headers['access-control-allow-origin'], PAGE);
    assert.match(answer.headers['access-control-expose-headers'], /Access-Control-Policy-Path/);
    assert.equal(answer.headers['cache-control'], 'no-store');
  }
  assert.equal(await starts(), before);
});

test('who asks and has nothing against him is told so; that there is no program, too', async () => {
  const before = await starts();
  const answer = await ask('/yes', { origin: 'https://d.example' });
  assert.equal(said(answer), '204 ok-record undefined');
  assert.equal(answer.headers['access-control-allow-origin'], 'https://d.example');
  assert.equal(
    said(await ask('/nothing', { origin: 'https://d.example' })),
    '404 no-program undefined',
  );
  assert.equal(await starts(), before);
});

test('who asks and is refused by the record is told that, at the price of no question', async () => {
  for (let i = 0; i < 8; i++)
    await tryHandshake(server, '/yes', { name: 'none.test', key: `worker-of-this-key-is-${i}` });
  zones.relay.take();
  const answer = await ask('/yes', { name: 'none.test' });
  assert.equal(said(answer), '403 no-record 60');
  assert.equal(answer.headers['access-control-allow-origin'], PAGE);
  assert.deepEqual(zones.relay.take(), {});
});

test('who asks without an Origin, or as nobody, is told what a handshake would be', async () => {
  assert.equal(said(await ask('/yes', { origin: null })), '403 origin-missing 60');
  const nobody = await ask('/yes', { origin: 'null' });
  assert.equal(said(nobody), '403 origin-opaque 60');
  assert.equal(nobody.headers['access-control-allow-origin'], 'null');
});

test('another Accept asks for the page itself', async () => {
  const { body } = await request(server.port, 'GET', '/file.txt', {
    ...host('b.test'),
    Accept: 'application/httpsocket-refusal, */*',
  });
  assert.equal(body.toString(), 'text');
});

test('the metrics count verdicts by reason, and bans', async () => {
  const all = await metrics(admin);
  assert.ok(all['httpsocket_access_verdicts_total{reason="banned"}'] >= 8);
  assert.ok(all['httpsocket_access_verdicts_total{reason="ok-record"}'] >= 8);
  assert.ok(all['httpsocket_access_verdicts_total{reason="no-record"}'] >= 8);
  assert.ok(all.httpsocket_access_bans_total >= 10);
  assert.ok(all['httpsocket_access_table_bytes{table="bans"}'] >= 65536 * 16);
});
