// SPDX-License-Identifier: MIT
// TCPConnection in real browsers: bytes over a network that fails,
// backpressure, both interfaces, refusals.
//
// HTTPSOCKET_TCP_MIB=1024 HTTPSOCKET_TCP_CUTS=100 makes the two transfers as large as that.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import fs from 'node:fs';
import path from 'node:path';
import { browserNames, launch } from '../lib/browsers.mjs';
import { startChecksums } from '../lib/checksum.mjs';
import { Proxy, random } from '../lib/proxy.mjs';
import { REPO, startServer } from '../lib/server.mjs';
import { until } from '../lib/until.mjs';

const SITE = path.join(REPO, 'tests/browser/site');
const MIB = 1024 * 1024;
const SIZE = Number(process.env.HTTPSOCKET_TCP_MIB ?? 48) * MIB;
const CUTS = Number(process.env.HTTPSOCKET_TCP_CUTS ?? 20);
// A handshake takes so many bytes; Firefox makes a page wait up to a minute after one that failed.
const HANDSHAKE = 1200;
const PATIENCE = { timeout: 60_000 + (SIZE / MIB) * 3000 };

/** Bytes in memory of a process and all that it has started. */
function memoryOf(pid) {
  try {
    const children = fs
      .readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
      .trim()
      .split(/\s+/)
      .filter(Boolean);
    const own =
      Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) *
      1024;
    return children.reduce((sum, child) => sum + memoryOf(child), own);
  } catch {
    return 0; // it has just ended
  }
}

for (const name of browserNames) {
  describe(`TCPConnection in ${name}`, () => {
    let browser, server, target, proxy, page;

    before(async () => {
      target = await startChecksums();
      browser = await launch(name);
      // What the sanitizer keeps of freed memory is not the server's.
      const env = { ASAN_OPTIONS: `${process.env.ASAN_OPTIONS ?? ''}:quarantine_size_mb=4` };
      server = await startServer({
        root: SITE,
        args: ['--self-ports', String(target.port), '--ping-interval', '1s'],
        env,
      });
    });
    after(async () => {
      await browser?.close();
      await server?.stop();
      target?.stop();
    });
    afterEach(async () => {
      await proxy?.stop();
      if (page && !page.isClosed()) await page.close();
      target.clear();
    });

    async function open(file = 'tcp.html') {
      proxy = await Proxy.start(server.port);
      page = await browser.newPage();
      await page.goto(`http://localhost:${proxy.port}/${file}`);
    }

    /**
     * Cuts the connection `CUTS` times while `transfer` is under way, each after a random number of
     * bytes; tells how much memory it took.
     */
    async function underCuts(t, direction, transfer) {
      const seed = Number(process.env.SEED ?? Date.now() % 2 ** 32);
      t.diagnostic(`SEED=${seed}`);
      const rand = random(seed);
      // Each part of the transfer has its cut, somewhere in it: cuts that are drawn one after the
      // other might not all fit in.
      const links = [];
      const carried = () => links.reduce((sum, link) => sum + link[direction], 0);
      proxy.plan((link) => {
        links.push(link);
        if (proxy.cuts >= CUTS) return {};
        const next = Math.floor(((proxy.cuts + rand()) * SIZE) / CUTS);
        return { [`${direction}After`]: Math.max(HANDSHAKE, next - carried()) };
      });
      await page.evaluate(() => void (window.progress = 0));
      const most = { browser: [0, 0], server: [0, 0] };
      const watch = setInterval(async () => {
        const half = (await page.evaluate(() => window.progress).catch(() => 0)) < SIZE / 2 ? 0 : 1;
        for (const [who, pid] of [
          ['browser', browser.process().pid],
          ['server', server.pid],
        ])
          most[who][half] = Math.max(most[who][half], memoryOf(pid));
      }, 100);
      const begun = performance.now();
      const result = await transfer().finally(() => clearInterval(watch));
      const seconds = (performance.now() - begun) / 1000;
      const [pageGrew, serverGrew] = [most.browser, most.server].map(([first, second]) =>
        Math.round((second - first) / MIB),
      );
      t.diagnostic(
        `${SIZE / MIB} MiB, ${proxy.cuts} cuts, ${seconds.toFixed(1)} s; most memory in the second half against the first: browser +${pageGrew} MiB, ` +
          `server +${serverGrew} MiB (server at most ${Math.round(Math.max(...most.server) / MIB)} MiB)`,
      );
      assert.equal(proxy.cuts, CUTS);
      assert.ok(serverGrew < 32, `the server grew by ${serverGrew} MiB`);
      assert.ok(pageGrew < 128, `the browser grew by ${pageGrew} MiB`);
      return result;
    }

    test('a download over cuts at random bytes has the right checksum', PATIENCE, async (t) => {
      await open();
      const got = await underCuts(t, 'down', () =>
        page.evaluate((port, bytes) => download(port, bytes, { byob: true }), target.port, SIZE),
      );
      assert.equal(got, target.sent.text);
      assert.equal(target.sent.bytes, SIZE);
    });

    test('an upload over cuts at random bytes has the right checksum', PATIENCE, async (t) => {
      await open();
      const { answer, sent } = await underCuts(t, 'up', () =>
        page.evaluate((port, bytes) => upload(port, bytes), target.port, SIZE),
      );
      assert.equal(answer, sent);
      assert.match(sent, new RegExp(`^${SIZE} `));
    });

    test('opened tells both ends; a reader that lets the stream choose its buffers reads the same', async () => {
      await open();
      const info = await page.evaluate(async (port) => {
        const t = tcp(port);
        const { remoteAddress, remotePort, localAddress, localPort } = await t.opened;
        t.disconnect();
        return {
          remoteAddress,
          remotePort,
          localAddress,
          localPort,
          state: [t.network, t.peer, t.port],
        };
      }, target.port);
      assert.equal(info.remotePort, target.port);
      assert.match(info.remoteAddress, /^(127\.0\.0\.1|::1)$/);
      assert.ok(info.localPort > 0 && info.localAddress);
      assert.deepEqual(info.state, ['tcp', info.remoteAddress, target.port]);
      assert.equal(
        await page.evaluate((port) => download(port, 1_000_000), target.port),
        target.sent.text,
      );
    });

    test('a reader that stalls stops the target; events and other streams go on, and it gets all in the end', async () => {
      await open('counter.py');
      await page.waitForFunction(() => server.readyState === 1);
      const through = await page.evaluate(async (port) => {
        const bytes = 20_000_000;
        const open = async (line) => {
          const t = new TCPConnection('localhost', port, { receiveBufferSize: 100_000 });
          const { readable, writable } = await t.opened;
          const writer = writable.getWriter();
          writer.write(new TextEncoder().encode(line));
          return { reader: readable.getReader(), writer };
        };
        const stalled = await open(`down ${bytes}\n`);
        const busy = await open('down 3000000\n');
        const count = async ({ reader }) => {
          let sum = 0;
          for (let part; !(part = await reader.read()).done;) sum += part.value.length;
          return sum;
        };
        const other = await count(busy);
        // Its program answers meanwhile.
        const report = await server.call('report', null, { timeout: 120_000 });
        return { other, pid: report.pid, rest: await count(stalled) };
      }, target.port);
      assert.equal(through.other, 3_000_000);
      assert.ok(through.pid > 0);
      assert.equal(through.rest, 20_000_000);
    });

    test('a target that reads nothing stops the writer; abort ends it at once', async () => {
      await open();
      const { written, code, cause } = await page.evaluate(async (port) => {
        const t = tcp(port);
        const { writable } = await t.opened;
        const writer = writable.getWriter();
        await writer.write(utf8('hold\n'));
        let written = 0;
        const stuck = Symbol('stuck');
        for (;;) {
          const writing = writer.write(new Uint8Array(1_000_000)).then(
            () => {},
            () => {},
          );
          const how = await Promise.race([
            writing,
            new Promise((resolve) => setTimeout(resolve, 1500, stuck)),
          ]);
          if (how === stuck) break;
          written += 1_000_000;
        }
        await writer.abort('enough');
        const error = await t.closed.catch((e) => e);
        return { written, code: error.code, cause: error.cause };
      }, target.port);
      assert.ok(written < 40_000_000, `${written} bytes went where nobody reads`);
      assert.deepEqual([code, cause], ['aborted', 'enough']);
      await server.logged(/tcp\.closed reason=aborted/);
    });

    test('half-close: what the target says after our end arrives', async () => {
      await open();
      const text = await page.evaluate(async (port) => {
        const t = tcp(port);
        const { readable, writable } = await t.opened;
        const writer = writable.getWriter();
        writer.write(utf8('echo\nall said'));
        await writer.close();
        const text = await textOf(readable);
        await t.closed;
        return text;
      }, target.port);
      assert.equal(text, 'all said');
    });

    test('the simple interface: onopen, onread, send, disconnect, onclose', async () => {
      await open();
      const events = await page.evaluate(
        (port) =>
          new Promise((resolve) => {
            const events = [];
            const t = tcp(port);
            let text = '';
            t.onopen = () => events.push('open');
            t.onread = (bytes) => {
              text += new TextDecoder().decode(bytes);
              if (text === 'hello, world') t.disconnect();
            };
            t.onerror = (error) => events.push(error.code);
            t.onclose = ({ code }) => resolve([...events, text, code, t.readyState]);
            t.send('echo\nhello, ');
            t.send(utf8('world'));
          }),
        target.port,
      );
      assert.deepEqual(events, ['open', 'hello, world', 'closed', 3]);
    });

    test('a reset of the target is told as connection-reset', async () => {
      await open();
      const error = await page.evaluate((port) => {
        const t = tcp(port);
        t.send('drop\n');
        return t.closed.then(() => null, told);
      }, target.port);
      assert.deepEqual(error, { name: 'NetworkError', code: 'connection-reset', retryAfter: null });
    });

    test('a refusal comes as its token; who was refused stays away, in all tabs and after a reload', async () => {
      await open();
      const asked = () =>
        server.log.filter((line) => /tcp\.closed.*self-port-closed/.test(line)).length;
      const before = asked();
      const refused = () => page.evaluate(() => refusal(tcp(9)));
      const first = await refused();
      assert.deepEqual(
        [first.name, first.code, first.retryAfter],
        ['NetworkError', 'self-port-closed', 60],
      );
      await page.reload();
      const second = await refused();
      assert.equal(second.code, 'self-port-closed');
      assert.ok(second.retryAfter <= 60 && second.retryAfter > 0);
      const tab = await browser.newPage();
      await tab.goto(page.url());
      assert.equal((await tab.evaluate(() => refusal(tcp(9)))).code, 'self-port-closed');
      await tab.close();
      await server.logged(/tcp\.closed.*self-port-closed/);
      assert.equal(asked() - before, 1, 'it was asked once');
      const codes = await page.evaluate(async () => {
        const targets = [
          ['127.0.0.1', 7],
          ['printer.local', 7],
          ['localhost', 25],
          ['no_name', 7],
        ];
        return Promise.all(
          targets.map(async ([host, port]) => (await refusal(new TCPConnection(host, port))).code),
        );
      });
      assert.deepEqual(codes, [
        'target-ip-literal',
        'target-special-name',
        'port-blocked',
        'target-syntax',
      ]);
    });

    test('nobody listens at the target: target-refused, and when to try again', async () => {
      const other = await startChecksums();
      other.stop();
      const own = await startServer({ root: SITE, args: ['--self-ports', String(other.port)] });
      try {
        page = await browser.newPage();
        await page.goto(`http://localhost:${own.port}/tcp.html`);
        const error = await page.evaluate((port) => refusal(tcp(port)), other.port);
        assert.deepEqual(error, { name: 'NetworkError', code: 'target-refused', retryAfter: 10 });
      } finally {
        await own.stop();
      }
    });

    test('via: another connection, or a URL that several share; a session that ends takes its connections along', async () => {
      await open('counter.py');
      await page.waitForFunction(() => server.readyState === 1);
      let sessions = 0;
      proxy.on('websocket', () => sessions++);
      const result = await page.evaluate(async (port) => {
        const open = (via) => new TCPConnection('localhost', port, { via });
        const shared = [open('/.httpsocket/connect'), open('/.httpsocket/connect')];
        await Promise.all(shared.map((t) => t.opened));
        const feed = new ServerConnection('/counter.py');
        const carried = open(feed);
        await carried.opened;
        feed.close('done with it');
        const failed = await carried.closed.catch((error) => error.code);
        const others = shared.map((t) => t.readyState);
        for (const t of shared) t.disconnect();
        await Promise.all(shared.map((t) => t.closed));
        return { failed, others };
      }, target.port);
      assert.deepEqual(result, { failed: 'session-over', others: [1, 1] });
      assert.equal(sessions, 2);
    });

    test('a page that leaves takes its connections along within seconds', async () => {
      await open();
      await page.evaluate((port) => tcp(port).opened.then(() => {}), target.port);
      await until(() => target.sockets.size === 1);
      await page.close();
      await until(
        () => target.sockets.size === 0,
        () => `${target.sockets.size} connections are left`,
        30_000,
      );
    });
  });
}
