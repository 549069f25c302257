// SPDX-License-Identifier: MIT
// Bytes of TCPConnections over real sockets: both ways, half-closed, through
// drops, with readers that don't read.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { HERE, echo, startGateway, startTarget } from '../lib/gateway.mjs';
import { Proxy } from '../lib/proxy.mjs';
import { makeRoot } from '../lib/server.mjs';
import { after, before, describe, test } from '../lib/test.mjs';
import { until } from '../lib/until.mjs';

const MIB = 1 << 20;

let gateway, root;
const targets = [];
before(async () => {
  root = makeRoot({ 'index.html': '<!doctype html>' });
  gateway = await startGateway({ root: root.root });
});
after(async () => {
  await gateway?.stop();
  for (const target of targets) await target.stop();
  root?.remove();
});

async function target(serve, options) {
  const started = await startTarget(serve, options);
  targets.push(started);
  return started;
}

async function textOf(socket) {
  let text = '';
  for await (const data of socket) text += data;
  return text;
}

describe('a TCPConnection', () => {
  test('says where it leads, carries bytes both ways, and ends when both sides have', async () => {
    const { port } = await target(echo);
    const { client, streams, welcome } = await gateway.page();
    assert.ok(welcome.streams > 0 && welcome.streamWindow > 0);
    const stream = await streams.connect('B.test', port, { noDelay: true, keepAliveDelay: 5000 });
    const opened = await stream.opened;
    assert.deepEqual(
      [opened.remoteAddress, opened.remotePort, opened.localAddress],
      [HERE, port, '127.0.0.1'],
    );
    assert.ok(opened.localPort > 0);
    await stream.write('hello');
    assert.equal((await stream.read(5)).toString(), 'hello');
    stream.finish();
    assert.deepEqual(await stream.closed, {});
    const line = await gateway.logged(new RegExp(`tcp\\.closed .*target=B\\.test:${port}`));
    assert.match(
      line,
      /info tcp\.closed reason=closed origin=http:\/\/a\.test:8000 client=127\.0\.0\.1 .*address=127\.0\.0\.2 sent=5 received=5 ms=\d+/,
    );
    client.ws.close();
  });

  test('lets the page go on when the target has ended, and the target when the page has', async () => {
    const { port, next } = await target();
    const { client, streams } = await gateway.page();
    await targetEndsFirst(await streams.connect('b.test', port), await next());
    await pageEndsFirst(await streams.connect('b.test', port), await next());
    client.ws.close();
  });

  async function targetEndsFirst(stream, socket) {
    socket.end('last words');
    assert.equal((await stream.read(100)).toString(), 'last words');
    await stream.write('and mine');
    stream.finish();
    assert.equal(await textOf(socket), 'and mine');
    assert.deepEqual(await stream.closed, {});
  }

  async function pageEndsFirst(stream, socket) {
    stream.finish();
    socket.resume();
    await once(socket, 'end');
    socket.end('an answer to nothing');
    assert.equal((await stream.read(100)).toString(), 'an answer to nothing');
    assert.deepEqual(await stream.closed, {});
  }

  test('is reset for the page when the target resets it, and the other way round', async () => {
    const { port, next } = await target();
    const { client, streams } = await gateway.page();
    const stream = await streams.connect('b.test', port);
    (await next()).resetAndDestroy();
    assert.equal((await stream.closed).reason, 'connection-reset');
    const other = await streams.connect('b.test', port);
    const socket = await next();
    const broken = once(socket, 'error');
    other.reset();
    assert.equal((await broken)[0].code, 'ECONNRESET');
    assert.equal((await other.closed).reason, 'cancelled');
    client.ws.close();
  });

  describe('over a network that fails', () => {
    const size = 24 * MIB;
    const sha256 = () => createHash('sha256');

    /** A target that sends this, and then the digest of what it gets. */
    const swaps = (noise) =>
      target((socket) => {
        const hash = sha256();
        socket.on('data', (data) => hash.update(data));
        socket.on('end', () => socket.end(hash.digest('hex')));
        socket.write(noise);
      });

    /** A network that cuts each connection after some bytes, of either direction in turn. */
    async function cuttingProxy() {
      const proxy = await Proxy.start(gateway.port);
      let seed = 20261123;
      const below = (n) => ((seed = (seed * 1103515245 + 12345) & 0x7fffffff), seed % n);
      let links = 0;
      proxy.plan(() => ({ [++links % 2 ? 'downAfter' : 'upAfter']: 100000 + below(MIB) }));
      return proxy;
    }

    /** Connects again until the stream has closed; resolves with the number of cuts. */
    async function reconnects(client, stream) {
      let done = false;
      stream.closed.then(() => (done = true));
      for (let cuts = 0; ; cuts++) {
        await Promise.race([client.closed, stream.closed]);
        if (done) return cuts;
        while (
          await client.connect().then(
            () => false,
            () => true,
          )
        );
      }
    }

    /** Takes so many bytes as a digest, what follows as text. */
    function taker() {
      const taken = { got: 0, tail: '', down: sha256() };
      taken.onData = (data) => {
        const rest = Math.min(data.length, size - taken.got);
        taken.down.update(data.subarray(0, rest));
        taken.tail += data.subarray(rest).toString();
        taken.got += rest;
      };
      return taken;
    }

    test("survives cuts of the page's connection with every byte in its place, up and down", async () => {
      const noise = randomBytes(size);
      const expected = sha256().update(noise).digest('hex');
      const { port } = await swaps(noise);
      const proxy = await cuttingProxy();
      const { client, streams, welcome } = await gateway.page({ via: proxy.port });
      const taken = taker();
      const stream = streams.open({ kind: 'tcp', host: 'b.test', port }, taken);
      const cuts = reconnects(client, stream);
      await stream.opened;
      await stream.writeAll(noise, 100_000);
      assert.deepEqual(await stream.closed, {});
      assert.ok((await cuts) >= 10, `${await cuts} cuts`);
      assert.equal(client.session, welcome.session);
      assert.deepEqual([taken.got, taken.tail], [size, expected]);
      assert.equal(taken.down.digest('hex'), expected);
      client.ws.close();
      await proxy.stop();
    }, 120);
  });

  test('comes whole beside nine others, though its page tells only each quarter of a window', async () => {
    const size = 4 * MIB;
    const { port } = await target((socket) => socket.end(Buffer.alloc(size, 'x')));
    const { client, streams, welcome } = await gateway.page({ window: MIB });
    assert.equal(welcome.streamWindow, MIB);
    const ten = await Promise.all(
      Array.from({ length: 10 }, () => streams.connect('b.test', port)),
    );
    const all = await Promise.all(ten.map((stream) => stream.readAll()));
    assert.deepEqual(new Set(all.map((bytes) => bytes.length)), new Set([size]));
    client.ws.close();
  });

  test('keeps the target waiting, and no more than a window, while the page does not read', async () => {
    const size = 64 * MIB;
    const { port, next } = await target((socket) => socket.write(Buffer.alloc(size)));
    const { client, streams, welcome } = await gateway.page({ window: MIB });
    const before = gateway.resident;
    const stream = await streams.connect('b.test', port);
    const socket = await next();
    const received = async () => (await gateway.metrics()).httpsocket_tcp_received_bytes_total;
    const begun = await received();
    await until(() => stream.in.held === MIB);
    let last = -1;
    await until(async () => last === (last = await received()));
    assert.ok((await received()) - begun <= MIB + welcome.streamWindow);
    assert.ok(gateway.resident - before < 16 * MIB);
    assert.ok(socket.writableLength > 0);
    stream.onData = () => {};
    await stream.read(MIB);
    await until(() => stream.in.received === size);
    stream.reset();
    client.ws.close();
  });

  test('keeps the page waiting, and no more than a window, while the target does not read', async () => {
    const { port, next } = await target((socket) => socket.pause());
    const { client, streams, welcome } = await gateway.page();
    const stream = await streams.connect('b.test', port);
    const socket = await next();
    const before = gateway.resident;
    const bytes = Buffer.alloc(64 * MIB, 'x');
    const writing = stream.writeAll(bytes, 100_000);
    let last = -1;
    await until(
      async () => stream.out.sent === stream.out.limit && last === (last = stream.out.sent),
    );
    assert.ok(stream.out.written < 32 * MIB);
    assert.ok(gateway.resident - before < 16 * MIB);
    assert.ok(welcome.streamWindow < 2 * MIB);
    let arrived = 0;
    socket.on('data', (data) => (arrived += data.length)).resume();
    await once(socket, 'end');
    await writing;
    assert.equal(arrived, bytes.length);
    socket.end();
    assert.deepEqual(await stream.closed, {});
    client.ws.close();
  });
});
