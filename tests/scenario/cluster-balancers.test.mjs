// SPDX-License-Identifier: MIT
// cluster-balancers.test.mjs - Debian's HAProxy and nginx with the files of examples/cluster,
// before three servers: requests go to any of them, and no cookie or address decides to which.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { HAPROXY, NGINX, startHaproxy, startNginx } from '../lib/balancer.mjs';
import { Cluster } from '../lib/cluster.mjs';
import { endDaemons } from '../lib/daemon.mjs';
import { Redis } from '../lib/redis.mjs';
import { request } from '../lib/request.mjs';
import { program, stopAll } from '../lib/server.mjs';
import { Page, SessionClient } from '../lib/session-client.mjs';
import { after, before, describe, test } from '../lib/test.mjs';
import { until } from '../lib/until.mjs';

const WHO = `#!/bin/sh
printf 'Content-Type: text/plain\\n\\n'
printf '%s %s %s %s' "$PPID" "$REMOTE_ADDR" "$HTTP_HOST" "\${HTTPS:-off}"
`;
const COUNT = 3;
const CLIENT = '127.0.0.9';

after(async () => (SessionClient.dropAll(), await stopAll(), await endDaemons()));

const parentOf = (pid) => /PPid:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1];

for (const [name, file, start] of [
  ['HAProxy', HAPROXY, startHaproxy],
  ['nginx', NGINX, startNginx],
])
  describe(`behind ${name}`, { skip: !fs.existsSync(file) }, () => {
    let redis, cluster, balancer;

    before(async () => {
      redis = await Redis.start();
      cluster = await Cluster.start({
        count: COUNT,
        broker: redis.url,
        files: { 'who.sh': { text: WHO, mode: 0o755 }, 'talk.py': program('talk.py') },
        threads: 1,
      });
      balancer = await start(cluster.places);
    });

    after(async () => (await balancer.stop(), await cluster.ends(), await redis.stop()));

    /** Which server's program answers, and what it was told. */
    async function asks(headers) {
      const { status, body } = await request(balancer.at('who.sh'), { headers, from: CLIENT });
      const [parent, address, host, https] = body.split(' ');
      const place = cluster.places.findIndex(({ server }) => server?.pid === Number(parent));
      return { status, place, address, host, https };
    }

    /** Waits until just these servers have answered, and nobody has been refused. */
    async function areServedBy(...places) {
      const seen = new Set();
      await until(async () => {
        const { status, place } = await asks();
        assert.equal(status, 200);
        return seen.add(place).size === places.length;
      });
      assert.deepEqual([...seen].sort(), places);
    }

    /** Waits until this one has answered so many times in a row for others. */
    async function isPassedOver(place) {
      let others = 0;
      await until(async () => {
        others = (await asks()).place === place ? 0 : others + 1;
        return others === 20;
      });
    }

    test('requests go to all servers', () => areServedBy(0, 1, 2));

    test('pages go on with their programs, whichever server their connections come to', async () => {
      const pages = await Promise.all(
        Array.from({ length: 6 }, () => Page.opens(balancer, 'talk.py')),
      );
      const homes = new Set();
      for (const [i, page] of pages.entries()) {
        const { pid } = await page.program();
        homes.add(parentOf(pid));
        for (let n = 0; n < 5; n++) {
          page.says(`x ${n}`);
          await page.hears(`echo ["x", ${n}]`);
          await page.cuts();
          await page.comesBack();
        }
        page.says(`y ${i}`);
        await page.hears(`echo ["y", ${i}]`);
        assert.equal(page.heard('started').length, 1);
      }
      assert.ok(homes.size > 1, 'pages of more than one server');
      assert.ok(cluster.servers.some((server) => server.lines(/ way\.open /).length));
      await Promise.all(pages.map((page) => page.closes()));
    });

    test('the program hears the client’s address, Host and scheme, whatever the client claims', async () => {
      const seen = await asks({
        'X-Forwarded-For': '6.6.6.6',
        'X-Forwarded-Proto': 'https',
        'X-Forwarded-Host': 'evil.example',
        'X-Forwarded-Prefix': '/evil',
        Forwarded: 'for=6.6.6.6;proto=https',
      });
      assert.deepEqual([seen.status, seen.address, seen.https], [200, CLIENT, 'off']);
      assert.equal(seen.host, `127.0.0.1:${balancer.port}`);
    });

    test('a server that was killed is passed over, and nobody notices; it comes back', async () => {
      await cluster.places[1].kill();
      await areServedBy(0, 2);
      await isPassedOver(1);
      await cluster.places[1].comesBack();
      await areServedBy(0, 1, 2);
    });

    test('a server that drains is passed over', async () => {
      await cluster.places[2].stop();
      await areServedBy(0, 1);
      await cluster.places[2].comesBack();
      await areServedBy(0, 1, 2);
    });
  });
