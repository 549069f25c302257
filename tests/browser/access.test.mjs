// SPDX-License-Identifier: MIT
// Script access in real browsers: pages of http://a.test connect to the server of b.test and
// others, whose records stand in zones on loopback. What reaches that server is counted on its way,
// in a proxy: handshakes and questions.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { metrics, startZones } from '../lib/access.mjs';
import { browserNames, launch } from '../lib/browsers.mjs';
import { Proxy } from '../lib/proxy.mjs';
import { adminOf, makeRoot, startServer } from '../lib/server.mjs';

const BAN_S = 11; // longer than the 10 s in which one URL is asked about once
const PAGE = `<!doctype html>
<meta charset=utf-8>
<title>page</title>
<script src="/.httpsocket/client.js"></script>
<script>
  // How a connection goes, as soon as it is either open or over.
  const connect = (url) => new Promise((resolve) => {
    window.connection = new ServerConnection(url);
    connection.onopen = () => resolve({ open: true });
    connection.onclose = ({ code, reason, retryAfter }) => resolve({ code, reason, retryAfter });
  });
  const closed = () => new Promise((resolve) => {
    connection.onclose = ({ code, reason, retryAfter }) => resolve({ code, reason, retryAfter });
  });
  // Tries again and again, as a page does that knows nothing of bans, until it has been refused
  // anew: the time to wait grows.
  const insist = async (url) => {
    for (let attempts = 0, last = Infinity; ; attempts++) {
      const { retryAfter } = await connect(url);
      if (retryAfter > last) return attempts;
      last = retryAfter;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
</script>
`;
const FEED = '#!/bin/sh\nprintf "\\n"\nwhile read -r line <&3; do :; done\n';
const refuse = (...fields) => ({
  text: `#!/bin/sh\nprintf 'Status: 401\\n${fields.map((field) => `${field}\\n`).join('')}\\n'\n`,
  mode: 0o755,
});
const ALLOW = '_script-access 1 TXT "v=sa1; allow=http://a.test:*"';

const SITE_A = {
  'page.html': PAGE,
  'refuse.sh': refuse(`Access-Control-Max-Age: ${BAN_S}`),
  'plain.sh': refuse(),
};
const SITE_B = {
  'feed.sh': { text: FEED, mode: 0o755 },
  'refuse.sh': refuse(`Access-Control-Max-Age: ${BAN_S}`),
  'plain.sh': refuse(),
  'wide/refuse.sh': refuse('Access-Control-Policy-Path: /wide'),
  'wide/other.sh': { text: FEED, mode: 0o755 },
};
const NAMES = ['b.test', 'none.test', 'gone.test', 'bad.test'];
const ZONES = {
  'b.test': { records: ALLOW },
  'none.test': { records: '' },
  'gone.test': { records: ALLOW },
  'bad.test': { records: '_script-access TXT "v=sa1; alow=a.test"' },
};

/** A httpsocketd behind a proxy that counts, whose origins are `names` at the proxy's port. */
async function startBehindProxy(names, root, args = []) {
  const proxy = await Proxy.start(0);
  const origins = names.flatMap((name) => ['--origin', `http://${name}:${proxy.port}`]);
  const server = await startServer({ root, args: [...origins, '--admin', '127.0.0.1:0', ...args] });
  const admin = new URL(await adminOf(server)).port;
  proxy.to(server.port);
  const counts = { links: 0, handshakes: 0 };
  proxy.on('link', () => counts.links++);
  proxy.on('websocket', () => counts.handshakes++);
  const url = (name, path = '') => `http://${name}:${proxy.port}${path}`;
  /** How often script access has decided there, whatever it was. */
  const verdicts = async () => {
    const all = Object.entries(await metrics(admin)).filter(([key]) =>
      key.startsWith('httpsocket_access_verdicts_total{'),
    );
    return all.reduce((sum, [, count]) => sum + count, 0);
  };
  return { url, counts, verdicts, proxy, stop: async () => (await proxy.stop(), server.stop()) };
}

for (const name of browserNames) {
  describe(`script access in ${name}`, () => {
    let browser, zones, sites, a, b;

    before(async () => {
      sites = [SITE_A, SITE_B].map(makeRoot);
      zones = await startZones(ZONES);
      a = await startBehindProxy(['a.test'], sites[0].root);
      b = await startBehindProxy(NAMES, sites[1].root, [
        '--dns',
        `127.0.0.1:${zones.relay.port}`,
        '--dns-anchor',
        'none',
      ]);
    });
    after(async () => {
      await a?.stop();
      await b?.stop();
      await zones?.stop();
      for (const site of sites) site.remove();
    });
    // A browser of its own for each test: what one has been refused is nothing to the other.
    async function open() {
      const tab = await browser.newPage();
      await tab.goto(a.url('a.test', '/page.html'));
      return tab;
    }
    const inBrowser = (what, run) =>
      test(what, async (t) => {
        browser = await launch(name, undefined, { hosts: ['a.test', ...NAMES] });
        try {
          await run(await open(), t);
        } finally {
          await browser.close();
        }
      });
    const connect = (tab, url) => tab.evaluate((u) => connect(u), url);
    /** What reached the other server while `run` ran. */
    async function reached(server, run) {
      const before = { ...server.counts, verdicts: await server.verdicts() };
      const result = await run();
      return {
        result,
        handshakes: server.counts.handshakes - before.handshakes,
        links: server.counts.links - before.links,
        verdicts: (await server.verdicts()) - before.verdicts,
      };
    }

    inBrowser('a page connects to a server whose record names its origin', async (tab) => {
      assert.deepEqual(await connect(tab, b.url('b.test', '/feed.sh')), { open: true });
    });

    for (const [host, reason] of [
      ['none.test', 'no-record'],
      ['bad.test', 'record-syntax'],
    ])
      inBrowser(
        `it is refused by ${host}, learns why by one question, and tries no more`,
        async (tab) => {
          const url = b.url(host, '/feed.sh');
          const { result, handshakes, links, verdicts } = await reached(b, () => connect(tab, url));
          assert.deepEqual(result, { code: 4403, reason, retryAfter: 60 });
          assert.equal(handshakes, 1);
          assert.ok(links <= 2, `${links} connections: the handshake and the question`);
          assert.equal(verdicts, 2);
          await tab.reload();
          const again = await reached(b, () => connect(tab, url));
          assert.deepEqual(
            [again.result.code, again.result.reason, again.handshakes, again.links],
            [4403, reason, 0, 0],
          );
        },
      );

    inBrowser(
      `after a 401 no connection is made for ${BAN_S} s, by none of the tabs, nor after a reload; then there is one`,
      async (tab, t) => {
        const url = b.url('b.test', '/refuse.sh');
        const other = await open();
        const first = await reached(b, () => connect(tab, url));
        const since = Date.now();
        assert.deepEqual(first.result, { code: 4401, reason: 'script-denied', retryAfter: BAN_S });
        assert.equal(first.handshakes, 1);
        const banned = await reached(b, async () => {
          await tab.reload();
          return Promise.all([tab, other].map((each) => connect(each, url)));
        });
        assert.deepEqual([banned.links, banned.verdicts], [0, 0]);
        for (const { code, reason, retryAfter } of banned.result) {
          assert.deepEqual([code, reason], [4401, 'script-denied']);
          assert.ok(retryAfter > 0 && retryAfter <= BAN_S, String(retryAfter));
        }
        // Both go on trying for the whole time, until one of them gets through and is refused anew.
        const tried = new Promise((resolve) =>
          b.proxy.once('websocket', () => resolve(Date.now() - since)),
        );
        const insisting = await reached(b, () =>
          Promise.all([tab, other].map((each) => each.evaluate((u) => insist(u), url))),
        );
        assert.ok((await tried) >= (BAN_S - 1) * 1000, `tried after ${await tried} ms`);
        assert.ok(Math.max(...insisting.result) > 10, `${insisting.result} attempts`);
        assert.ok(insisting.handshakes <= 2, `${insisting.handshakes} handshakes`);
        t.diagnostic(
          `${insisting.result} attempts in two tabs, ${insisting.handshakes} handshakes, the first ${await tried} ms after the refusal`,
        );
      },
    );

    inBrowser('a plain 401 keeps it away for a minute', async (tab) => {
      const { result } = await reached(b, () => connect(tab, b.url('b.test', '/plain.sh')));
      assert.deepEqual(result, { code: 4401, reason: 'script-denied', retryAfter: 60 });
      const again = await reached(b, () => connect(tab, b.url('b.test', '/plain.sh?again')));
      assert.deepEqual([again.result.code, again.links], [4401, 0], 'whatever the query');
      const elsewhere = await reached(b, () => connect(tab, b.url('b.test', '/feed.sh')));
      assert.deepEqual([elsewhere.result, elsewhere.handshakes], [{ open: true }, 1]);
    });

    inBrowser('a Policy-Path keeps it away from what is below', async (tab) => {
      assert.equal((await connect(tab, b.url('b.test', '/wide/refuse.sh'))).code, 4401);
      const { result, links } = await reached(b, () =>
        connect(tab, b.url('b.test', '/wide/other.sh')),
      );
      assert.deepEqual([result.code, links], [4401, 0]);
    });

    inBrowser(
      'its own server refuses by the close code: no question, and the same ban',
      async (tab) => {
        const { result, handshakes } = await reached(a, () => connect(tab, '/refuse.sh'));
        assert.deepEqual(result, { code: 4401, reason: 'script-denied', retryAfter: BAN_S });
        assert.equal(handshakes, 1);
        const again = await reached(a, () => connect(tab, '/refuse.sh'));
        assert.deepEqual([again.result.code, again.links], [4401, 0]);
      },
    );

    inBrowser('a record that is withdrawn closes what is open, and keeps it away', async (tab) => {
      const url = b.url('gone.test', '/feed.sh');
      zones.knot.replace('gone.test', ALLOW);
      assert.deepEqual(await connect(tab, url), { open: true });
      const closed = tab.evaluate(() => closed());
      zones.knot.replace('gone.test', '_script-access 1 TXT "v=sa1; deny=a.test"');
      assert.deepEqual(await closed, { code: 4403, reason: 'revoked', retryAfter: 60 });
      const again = await reached(b, () => connect(tab, url));
      assert.deepEqual([again.result.code, again.result.reason, again.links], [4403, 'revoked', 0]);
    });
  });
}
