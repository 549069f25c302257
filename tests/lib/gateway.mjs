// SPDX-License-Identifier: MIT
// gateway.mjs - a server of `http://a.test:8000` and targets on loopback,
// with their DNS.
import { once } from 'node:events';
import net from 'node:net';

import { metrics, startGuarded, startZones } from './access.mjs';
import { adminOf } from './server.mjs';
import { SessionClient } from './session-client.mjs';
import { Streams } from './streams.mjs';

export const PAGE = 'http://a.test:8000';
export const ALLOW = `"v=sa1; allow=${PAGE}; port=*"`;
// The gateway refuses its own addresses; these are not its own.
export const HERE = '127.0.0.2',
  THERE = '127.0.0.3';

/** Zones of a target at HERE that allows everything; a test may add zones. */
export const zonesOf = (more = {}) => ({
  'b.test': { records: `@ 10 A ${HERE}\n_script-access 10 TXT ${ALLOW}` },
  '0.0.127.in-addr.arpa': { records: '2 PTR b.test.\n3 PTR b.test.' },
  ...more,
});

/** A TCP server on `host`; `connections` are the sockets so far. `serve` gets each. */
export async function startTarget(
  serve = () => {},
  { host = HERE, port = 0, createServer = net.createServer, ...options } = {},
) {
  const connections = [];
  const server = createServer({ allowHalfOpen: true, ...options }, (socket) => {
    connections.push(socket);
    socket.on('error', () => {});
    serve(socket);
  });
  server.listen(port, host);
  await once(server, 'listening');
  return {
    port: server.address().port,
    connections,
    server,
    async next() {
      while (connections.length === 0)
        await once(server, createServer === net.createServer ? 'connection' : 'secureConnection');
      return connections.shift();
    },
    async stop() {
      server.close();
      server.dropAllConnections?.();
      for (const socket of connections) socket.destroy();
    },
  };
}

export const echo = (socket) => socket.pipe(socket);

/** The server; `page(path)` connects a page of it: {client, streams}. */
export async function startGateway({ zones = zonesOf(), root, args = [], ...more }) {
  const dns = await startZones(zones);
  const server = await startGuarded({
    names: ['a.test'],
    dns: dns.relay.port,
    root,
    args: ['--private', '127.0.0.0/8', '--admin', '127.0.0.1:0', ...args],
    ...more,
  });
  const admin = new URL(await adminOf(server)).port;
  const clients = [];
  const stop = server.stop;
  return Object.assign(server, {
    dns,
    metrics: () => metrics(admin),
    async page({ path = '/.httpsocket/connect', window, via = server.port, ...options } = {}) {
      const client = new SessionClient(`http://127.0.0.1:${via}${path}`, {
        origin: PAGE,
        headers: { Host: 'a.test:8000' },
        ...options,
      });
      const streams = new Streams(client, { window });
      const welcome = await client.connect();
      clients.push(client);
      return { client, streams, welcome };
    },
    async stop() {
      for (const client of clients) client.ws.terminate();
      await stop();
      await dns.stop();
    },
  });
}

/** Why a stream was refused: `REASON` or `REASON retryAfter`. */
export async function refusal(stream) {
  const { reason, retryAfter } = await stream.closed;
  return retryAfter ? `${reason} ${retryAfter}` : reason;
}
