// SPDX-License-Identifier: MIT
// Who may connect from another origin: the daemon's handshakes, with its
// record in a zone on loopback.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { PAGE, at, host, tryHandshake, startGuarded, startZones } from '../lib/access.mjs';
import { makeRoot } from '../lib/server.mjs';

const LISTEN =
  '#!/bin/sh\nprintf "\\n"\nread line <&3\nprintf "hello 1\\n" >&3\ncat <&3 >/dev/null\n';
const PLAIN =
  '#!/bin/sh\nprintf "\\n"\nwhile read -r line <&3; do case "$line" in "message "*) printf "%s\\n" "$line" >&3;; esac; done\n';

let zones, root, server;
before(async () => {
  zones = await startZones({
    'b.test': { records: '_script-access TXT "v=sa1; allow=a.example; via=web"' },
    'none.test': { records: '' },
    'deny.test': { records: '_script-access TXT "v=sa1; allow=*; deny=a.example"' },
    'broken.test': { records: '_script-access TXT "v=sa1; alow=a.example"' },
    'slow.test': { records: '_script-access TXT "v=sa1; deny=a.example; max-age=777"' },
  });
  root = makeRoot({
    feed: { text: LISTEN, mode: 0o755 },
    plain: { text: PLAIN, mode: 0o755 },
    'file.txt': 'text',
  });
  server = await startGuarded({
    names: ['b.test', 'none.test', 'deny.test', 'broken.test', 'slow.test'],
    dns: zones.relay.port,
    root: root.root,
  });
});
after(async () => {
  await server?.stop();
  await zones?.stop();
  root?.remove();
});

test('a page of another origin is let in by our record', async () => {
  zones.relay.take();
  const connection = await tryHandshake(server, '/feed');
  assert.equal(connection.status, 101);
  assert.match(await connection.text, /^\.welcome /);
  connection.drop();
  assert.deepEqual(zones.relay.take(), { 'TXT _script-access.b.test': 1 });
});

test('the verdict is known the next time: no question more', async () => {
  zones.relay.take();
  for (let i = 0; i < 4; i++) {
    const connection = await tryHandshake(server, '/feed', { key: `always-the-same-worker-${i}` });
    assert.equal(connection.status, 101);
    connection.drop();
  }
  const asked = zones.relay.take()['TXT _script-access.b.test'] ?? 0;
  assert.ok(asked <= 1, `${asked} questions for two workers, one of which knew`);
});

const refusals = [
  ['without a record', 'none.test', '403 no-record 60'],
  ['that the record denies', 'deny.test', '403 origin-denied 60'],
  ["by a record that can't be read", 'broken.test', '403 record-syntax 60'],
  ['by a record that says how long', 'slow.test', '403 origin-denied 777'],
];
for (const [what, name, expected] of refusals)
  test(`a page of another origin is refused ${what}, in plain HTTP that its browser side may read`, async () => {
    const { status, headers, body } = await tryHandshake(server, '/feed', { name });
    assert.equal(
      `${status} ${headers['script-access-reason']} ${headers['retry-after']}`,
      expected,
    );
    assert.equal(headers['access-control-allow-origin'], PAGE);
    assert.equal(headers.vary, 'Origin');
    assert.match(headers['access-control-expose-headers'], /Script-Access-Reason.*Retry-After/);
    assert.equal(headers['cache-control'], 'no-store');
    assert.match(body, new RegExp(`^${headers['script-access-reason']}: `));
  });

test('a page that the record does not name is refused', async () => {
  const { status, headers } = await tryHandshake(server, '/feed', { origin: 'https://c.example' });
  assert.equal(`${status} ${headers['script-access-reason']}`, '403 origin-not-allowed');
});

test('an origin that names nobody is refused', async () => {
  const { status, headers } = await tryHandshake(server, '/feed', { origin: 'null' });
  assert.equal(`${status} ${headers['script-access-reason']}`, '403 origin-opaque');
});

test('a session without an Origin is refused, the plain form is not', async () => {
  const session = await tryHandshake(server, '/feed', { origin: null });
  assert.equal(
    `${session.status} ${session.headers['script-access-reason']}`,
    '403 origin-missing',
  );
  const plain = await tryHandshake(server, '/plain', { origin: null, session: false });
  assert.equal(plain.status, 101);
  plain.drop();
});

test('the plain form with an Origin is checked like a session', async () => {
  const allowed = await tryHandshake(server, '/plain', { session: false });
  assert.equal(allowed.status, 101);
  allowed.drop();
  assert.equal(
    (await tryHandshake(server, '/plain', { session: false, name: 'none.test' })).status,
    403,
  );
});

test('a Host that is not ours is misdirected', async () => {
  const { status, headers } = await tryHandshake(server, '/feed', { name: 'elsewhere.test' });
  assert.equal(`${status} ${headers['script-access-reason']}`, '421 host-foreign');
});

test('our own page needs no record', async () => {
  zones.relay.take();
  const connection = await tryHandshake(server, '/feed', {
    name: 'none.test',
    origin: 'http://none.test:8000',
  });
  assert.match(await connection.text, /^\.welcome /);
  connection.drop();
  assert.deepEqual(zones.relay.take(), {});
});

test('who has been let in hears of the rest by a close code: there is no program', async () => {
  const connection = await tryHandshake(server, '/nothing');
  assert.deepEqual(await connection.close, { code: 4404, reason: 'no-program' });
});

test('a resume is checked as strictly as the first request', async () => {
  const first = await tryHandshake(server, '/feed', { name: 'b.test', key: 'x'.repeat(24) });
  const { session } = JSON.parse((await first.text).slice('.welcome '.length));
  first.drop();
  const theirs = await tryHandshake(server, '/feed', {
    origin: 'https://c.example',
    key: 'x'.repeat(24),
    id: session,
  });
  assert.equal(
    `${theirs.status} ${theirs.headers['script-access-reason']}`,
    '403 origin-not-allowed',
  );
  const again = await tryHandshake(server, '/feed', { key: 'x'.repeat(24), id: session });
  assert.equal(JSON.parse((await again.text).slice('.welcome '.length)).resumed, true);
  again.drop();
});

test('a session of ours is not given to a page of another origin that is let in', async () => {
  const own = await tryHandshake(server, '/feed', {
    origin: 'http://b.test:8000',
    key: 'y'.repeat(24),
  });
  const { session } = JSON.parse((await own.text).slice('.welcome '.length));
  const theirs = await tryHandshake(server, '/feed', { key: 'y'.repeat(24), id: session });
  assert.deepEqual(await theirs.close, { code: 4403, reason: 'origin-not-allowed' });
  own.drop();
});

test('a session of a worker that is not there any more is gone, and who has been let in sees it', async () => {
  const first = await tryHandshake(server, '/feed', { key: 'v'.repeat(24) });
  const { session } = JSON.parse((await first.text).slice('.welcome '.length));
  first.drop();
  const ids = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz']
    .map((letter) => letter + session.slice(1))
    .filter((id) => id !== session);
  for (const id of [
    ...ids,
    ...ids
      .map((id) => session.slice(0, 1) + id[0] + session.slice(2))
      .filter((id) => id !== session),
  ]) {
    const connection = await tryHandshake(server, '/feed', { key: 'v'.repeat(24), id });
    assert.deepEqual(await connection.close, { code: 4410, reason: 'session-gone' });
  }
});
