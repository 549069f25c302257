// SPDX-License-Identifier: MIT
// access.mjs - a server of another origin's pages, whose record stands in a zone on loopback.
import { startKnot, startRelay } from './dns.mjs';
import { startServer } from './server.mjs';
import { visitor } from './visitor.mjs';
import { OP } from './ws-raw.mjs';

export const PAGE = 'https://a.example'; // the origin of the page whose script connects

/** Name servers with these zones, and a relay before them that sees every question. */
export async function startZones(zones) {
  const knot = await startKnot(zones);
  const relay = await startRelay(knot.port);
  return { knot, relay, stop: () => Promise.all([relay.stop(), knot.stop()]) };
}

/**
 * httpsocketd for `http://NAME:8000`, for each of `names`; it asks `dns` (a port) and validates
 * nothing. `stop()` sees that it has ended well.
 */
export async function startGuarded({ names, dns, root, args = [], ...more }) {
  const own = [
    ...names.flatMap((name) => ['--origin', `http://${name}:8000`]),
    '--dns',
    `127.0.0.1:${dns}`,
    '--dns-anchor',
    'none',
  ];
  const server = await startServer({ root, args: [...own, ...args], ...more });
  const stop = server.stop.bind(server);
  return Object.assign(server, {
    async stop(by) {
      const { code, signal } = await stop(by);
      if (code !== 0)
        throw new Error(`it ended with ${code ?? signal}:\n${server.log.slice(-40).join('\n')}`);
    },
  });
}

/** The URL of a path at a server, and the headers that say under which name it is meant. */
export const at = (server, path) => `http://127.0.0.1:${server.port}${path}`;
export const host = (name) => ({ Host: `${name}:8000` });

let keys = 0;
const newKey = () => `key-number-${String(++keys).padStart(16, '0')}`;

/**
 * A WebSocket handshake as a browser makes it. Resolves with {status, headers, body} if it is
 * answered by HTTP, else with {status: 101, headers, text, close, drop}: `text` resolves with the
 * first text message, `close` with {code, reason} once the server has closed. Where there is none,
 * they resolve with undefined.
 */
export async function tryHandshake(
  server,
  path,
  { name = 'b.test', origin = PAGE, session = true, key = newKey(), id, from, headers = {} } = {},
) {
  const offered = ['httpsocket.v1', `key.${key}`, ...(id ? [`session.${id}`] : [])].join(', ');
  const { socket, ...answer } = await visitor.offers(at(server, path), {
    from,
    origin,
    headers: { ...host(name), ...(session && { 'Sec-WebSocket-Protocol': offered }), ...headers },
  });
  return answer.status === 101 ? { ...answer, ...frames(socket) } : answer;
}

/** The first frame of either kind, or undefined at the end. */
function frames(socket) {
  const told = {};
  const first = (op) => new Promise((resolve) => (told[op] = resolve));
  const [text, close] = [first(OP.TEXT), first(OP.CLOSE)];
  const read = async () => {
    for (;;) {
      const { op, payload } = await socket.next();
      told[op]?.(payload);
    }
  };
  read().catch(() => Object.values(told).forEach((tell) => tell()));
  return {
    text: text.then((payload) => payload?.toString()),
    close: close.then((payload) => payload && closeOf(payload)),
    drop: () => socket.destroy(),
  };
}

const closeOf = (payload) => ({
  code: payload.readUInt16BE(0),
  reason: payload.subarray(2).toString(),
});

/** The metrics of a server: {name{labels}: number}. */
export async function metrics(admin) {
  const response = await fetch(`http://127.0.0.1:${admin}/metrics`);
  const lines = (await response.text()).split('\n').filter((line) => line && !line.startsWith('#'));
  return Object.fromEntries(
    lines.map((line) => [
      line.slice(0, line.lastIndexOf(' ')),
      Number(line.slice(line.lastIndexOf(' ') + 1)),
    ]),
  );
}
