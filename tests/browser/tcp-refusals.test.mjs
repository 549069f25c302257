// SPDX-License-Identifier: MIT
// What script access refuses reaches a page as the token of its TCPConnection: by DNS, by the
// page's own program, by the target. All tokens are in tests/scenario/gateway-refusals.test.mjs;
// here stands what a browser makes of them.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startZones } from '../lib/access.mjs';
import { browserNames, launch } from '../lib/browsers.mjs';
import { echo, HERE, startTarget } from '../lib/gateway.mjs';
import { Proxy } from '../lib/proxy.mjs';
import { makeRoot, startServer } from '../lib/server.mjs';

const HEAD = `<!doctype html><meta charset=utf-8><title>page</title>
<script src="/.httpsocket/client.js"></script><script>
  const ask = (host, port, options) => {
    const t = new TCPConnection(host, port, options);
    return t.opened.then(
      ({ remoteAddress }) => { t.disconnect(); return remoteAddress; },
      ({ code, retryAfter }) => [code, retryAfter].join(' ').trim());
  };
</script>`;
const program = (consent) => ({
  text: `#!/bin/sh\necho '.tcp ${consent}' >&3\ncat <<'PAGE'\nContent-Type: text/html\n\n${HEAD}\nPAGE\nexec >&-\ncat <&3 >/dev/null\n`,
  mode: 0o755,
});
const record = (text) => `@ 10 A ${HERE}\n_script-access 10 TXT "v=sa1; ${text}"`;

for (const name of browserNames) {
  describe(`refused TCPConnections in ${name}`, () => {
    let browser, zones, proxy, server, target, site;

    before(async () => {
      site = makeRoot({
        'page.html': HEAD,
        closed: program('{"allow":false,"retryAfter":7}'),
        open: program('{"allow":true}'),
      });
      target = await startTarget(echo);
      proxy = await Proxy.start(0);
      const origin = `http://a.test:${proxy.port}`;
      const open = record(`allow=${origin}; port=*`);
      zones = await startZones({
        'b.test': { records: open },
        'none.test': { records: `@ A ${HERE}` },
        'other.test': { records: record('allow=http://x.test; port=*; max-age=300') },
        'port.test': { records: record(`allow=${origin}; port=7000`) },
        'private.test': { records: open.replace(HERE, '10.0.0.1') },
        'victim.test': { records: open.replace(HERE, '127.0.0.9') },
        '0.0.127.in-addr.arpa': { records: '2 PTR b.test.\n2 PTR port.test.' },
      });
      const dns = [
        '--dns',
        `127.0.0.1:${zones.relay.port}`,
        '--dns-anchor',
        'none',
        '--private',
        '127.0.0.0/8',
      ];
      server = await startServer({ root: site.root, args: ['--origin', origin, ...dns] });
      proxy.to(server.port);
      browser = await launch(name, undefined, { hosts: ['a.test'] });
    });
    after(async () => {
      await browser?.close();
      await proxy?.stop();
      await server?.stop();
      await zones?.stop();
      await target?.stop();
      site?.remove();
    });

    async function on(path, run) {
      const page = await browser.newPage();
      await page.goto(`http://a.test:${proxy.port}/${path}`);
      const ask = (host, port = target.port, options = {}) =>
        page.evaluate((h, p, o) => ask(h, p, o), host, port, options);
      await run(ask, page).finally(() => page.close());
    }

    test('who consents is reached; who does not is a token, with the time to stay away', () =>
      on('page.html', async (ask) => {
        assert.equal(await ask('b.test'), HERE);
        const expected = {
          'none.test': 'no-record 60',
          'other.test': 'origin-not-allowed 300',
          'port.test': 'port-not-listed 60',
          'private.test': 'addr-class 60',
          'victim.test': 'addr-no-consent 60',
          'a.test': 'self-port-closed 60',
        };
        const told = await Promise.all(
          Object.keys(expected).map(async (host) => [host, await ask(host)]),
        );
        assert.deepEqual(Object.fromEntries(told), expected);
      }));

    test('a target that speaks no TLS: tls-failed', () =>
      on('page.html', async (ask) => {
        const plain = await startTarget((socket) => socket.end('220 no TLS here\r\n'));
        try {
          assert.equal(await ask('b.test', plain.port, { secure: true }), 'tls-failed 10');
        } finally {
          await plain.stop();
        }
      }));

    test('what is not asked again is not asked at all: the server hears nothing of it', () =>
      on('page.html', async (ask) => {
        await server.logged(/tcp\.closed.*none\.test/);
        const before = server.log.length;
        assert.match(await ask('none.test'), /^no-record \d+$/); // since the test above
        assert.equal(await ask('b.test'), HERE);
        assert.deepEqual(
          server.log.slice(before).filter((line) => /tcp\.closed.*none\.test/.test(line)),
          [],
        );
      }));

    test('a program that refuses is script-denied; the time is for the whole origin, and for that target alone', async () => {
      await on('closed', async (ask) => assert.match(await ask('b.test'), /^script-denied \d+$/));
      await on('page.html', async (ask) =>
        assert.match(await ask('b.test'), /^script-denied \d+$/),
      );
      const other = await startTarget(echo);
      await on('open', async (ask) => assert.equal(await ask('b.test', other.port), HERE)).finally(
        () => other.stop(),
      );
    });
  });
}
