// SPDX-License-Identifier: MIT
// Connections that are open: closed when their record is withdrawn, kept while DNS is out of order,
// decided again after a reload.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { tryHandshake, metrics, startGuarded, startZones } from '../lib/access.mjs';
import { adminOf, makeRoot } from '../lib/server.mjs';
import { until } from '../lib/until.mjs';

const ALLOW = '_script-access 10 TXT "v=sa1; allow=a.example"';
const LISTEN =
  '#!/bin/sh\nprintf "\\n"\nread line <&3\ncat <&3 >/dev/null\necho end >>"$DOCUMENT_ROOT/.ended"\n';

let zones, root;
const servers = [];
before(async () => {
  zones = await startZones({ 'b.test': { records: ALLOW }, 'c.test': { records: ALLOW } });
  root = makeRoot({ feed: { text: LISTEN, mode: 0o755 } });
});
after(async () => {
  for (const server of servers) await server.stop();
  await zones?.stop();
  root?.remove();
});

async function start(name, args = []) {
  const server = await startGuarded({
    names: [name],
    dns: zones.relay.port,
    root: root.root,
    threads: 1,
    args: ['--admin', '127.0.0.1:0', ...args],
  });
  servers.push(server);
  return { server, admin: new URL(await adminOf(server)).port };
}

describe('an open connection', { concurrency: true }, () => {
  test(
    "is closed within the record's TTL when that is withdrawn, as a session and in the plain form, and its program ends",
    { timeout: 60000 },
    async () => {
      const { server, admin } = await start('b.test');
      const session = await tryHandshake(server, '/feed');
      const plain = await tryHandshake(server, '/feed', { session: false });
      assert.match(await session.text, /^\.welcome/);
      const begin = performance.now();
      zones.knot.replace('b.test', '_script-access 10 TXT "v=sa1; allow=c.example"');
      for (const connection of [session, plain])
        assert.deepEqual(await connection.close, { code: 4403, reason: 'revoked retry=60' });
      assert.ok(
        performance.now() - begin < 14000,
        `${performance.now() - begin} ms for a TTL of 10 s`,
      );
      await until(
        () =>
          fs.existsSync(path.join(root.root, '.ended')) &&
          fs.readFileSync(path.join(root.root, '.ended'), 'utf8').length >= 8,
      );
      await server.logged(/access\.revoked .*origin-not-allowed/);
      assert.equal((await metrics(admin)).httpsocket_access_revoked_total, 2);
      assert.equal((await tryHandshake(server, '/feed')).status, 403);
    },
  );

  test(
    'stays open while DNS does not answer, and after it has come back',
    { timeout: 90000 },
    async () => {
      const own = await startZones({ 'c.test': { records: ALLOW } });
      const server = await startGuarded({
        names: ['c.test'],
        dns: own.relay.port,
        root: root.root,
        threads: 1,
        args: ['--admin', '127.0.0.1:0'],
      });
      servers.push(server);
      const admin = new URL(await adminOf(server)).port;
      const session = await tryHandshake(server, '/feed', { name: 'c.test' });
      assert.match(await session.text, /^\.welcome/);
      let closed = false;
      session.close.then(() => (closed = true));
      own.relay.silent = true;
      await until(
        async () => (await metrics(admin)).httpsocket_access_rechecks_total >= 2,
        undefined,
        40000,
      );
      assert.equal(closed, false);
      own.relay.silent = false;
      const rechecks = (await metrics(admin)).httpsocket_access_rechecks_total;
      await until(
        async () => (await metrics(admin)).httpsocket_access_rechecks_total > rechecks,
        undefined,
        40000,
      );
      assert.equal(closed, false);
      session.drop();
      await own.stop();
    },
  );

  test(
    'is decided about again after a reload: by the new rules, and by the record if they are gone',
    { timeout: 60000 },
    async () => {
      const conf = path.join(root.root, '.reload.conf');
      fs.writeFileSync(conf, '');
      const { server } = await start('c.test', ['--config', conf]);
      const one = await tryHandshake(server, '/feed', { name: 'c.test' });
      assert.match(await one.text, /^\.welcome/);
      fs.writeFileSync(conf, 'rules = "allow <*> exclude <a.example>"\n');
      server.child.kill('SIGHUP');
      assert.deepEqual(await one.close, { code: 4403, reason: 'revoked retry=60' });
      const refused = await tryHandshake(server, '/feed', { name: 'c.test' });
      assert.equal(
        `${refused.status} ${refused.headers['script-access-reason']}`,
        '403 static-deny',
      );
      fs.writeFileSync(conf, '');
      server.child.kill('SIGHUP');
      const reloads = () => server.log.filter((line) => line.includes('config.reloaded')).length;
      await until(() => reloads() === 2);
      const two = await tryHandshake(server, '/feed', { name: 'c.test' });
      assert.match(await two.text, /^\.welcome/);
      two.drop();
    },
  );

  test(
    'a check that is under way when the settings change keeps those that it began with',
    { timeout: 60000 },
    async () => {
      const own = await startZones({ 'c.test': { records: ALLOW } });
      const conf = path.join(root.root, '.late.conf');
      fs.writeFileSync(conf, '');
      const server = await startGuarded({
        names: ['c.test'],
        dns: own.relay.port,
        root: root.root,
        threads: 1,
        args: ['--config', conf],
      });
      servers.push(server);
      own.relay.silent = true;
      const late = tryHandshake(server, '/feed', { name: 'c.test' });
      await until(() => own.relay.questions.length > 0);
      fs.writeFileSync(conf, 'policy = config\nrules = "allow <a.example>"\n');
      server.child.kill('SIGHUP');
      await server.logged(/config\.reloaded/);
      const now = await tryHandshake(server, '/feed', { name: 'c.test' });
      assert.equal(now.status, 101); // by the rules, while the other one still waits for DNS
      now.drop();
      const { status, headers } = await late;
      assert.equal(
        `${status} ${headers['script-access-reason']} ${headers['retry-after']}`,
        '504 dns-timeout 10',
      );
      await own.stop();
    },
  );
});
