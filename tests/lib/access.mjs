// SPDX-License-Identifier: MIT
// access.mjs - a server of another origin's pages, whose record stands in a zone on loopback.
import http from 'node:http';
import { once } from 'node:events';
import { startKnot, startRelay } from './dns.mjs';
import { startServer } from './server.mjs';

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
 * answered by HTTP, else with {status: 101, headers, socket, close}: `close` resolves with {code,
 * reason} once the server has closed, `text` with the first text message.
 */
export async function tryHandshake(
  server,
  path,
  { name = 'b.test', origin = PAGE, session = true, key = newKey(), id, from, headers = {} } = {},
) {
  const offered = ['httpsocket.v1', `key.${key}`, ...(id ? [`session.${id}`] : [])];
  const request = http.request(at(server, path), {
    agent: false,
    localAddress: from,
    headers: {
      ...host(name),
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'Sec-WebSocket-Version': '13',
      ...(origin !== null && { Origin: origin }),
      ...(session && { 'Sec-WebSocket-Protocol': offered.join(', ') }),
      ...headers,
    },
  });
  request.end();
  return Promise.race([answered(request), upgraded(request)]);
}

async function answered(request) {
  const [response] = await once(request, 'response');
  const parts = [];
  for await (const part of response) parts.push(part);
  return {
    status: response.statusCode,
    headers: response.headers,
    body: Buffer.concat(parts).toString(),
  };
}

async function upgraded(request) {
  const [response, socket, head] = await once(request, 'upgrade');
  const frames = readFrames(socket, head);
  return {
    status: 101,
    headers: response.headers,
    socket,
    text: frames.find(1).then((frame) => frame?.payload.toString()),
    close: frames.find(8).then(
      (frame) =>
        frame && {
          code: frame.payload.readUInt16BE(0),
          reason: frame.payload.subarray(2).toString(),
        },
    ),
    drop: () => socket.destroy(),
  };
}

/**
 * `find(op)` resolves with the first frame of that kind, or undefined at the end. The server's
 * frames here are short or have 16 bits of length.
 */
function readFrames(socket, head) {
  let bytes = head;
  const frames = [];
  const waiting = [];
  const look = (ended) => {
    for (const wait of [...waiting]) {
      const found = frames.find((frame) => frame.op === wait.op);
      if (!found && !ended) continue;
      waiting.splice(waiting.indexOf(wait), 1);
      wait.resolve(found);
    }
  };
  const read = () => {
    while (bytes.length >= 2) {
      const long = (bytes[1] & 127) === 126;
      if (long && bytes.length < 4) break;
      const size = long ? bytes.readUInt16BE(2) : bytes[1] & 127;
      const from = long ? 4 : 2;
      if (bytes.length < from + size) break;
      frames.push({ op: bytes[0] & 15, payload: bytes.subarray(from, from + size) });
      bytes = bytes.subarray(from + size);
    }
    look(false);
  };
  socket.on('data', (data) => ((bytes = Buffer.concat([bytes, data])), read()));
  socket.on('error', () => {});
  let ended = false;
  socket.on('close', () => ((ended = true), look(true)));
  read();
  return { find: (op) => new Promise((resolve) => (waiting.push({ op, resolve }), look(ended))) };
}

/** What a server's metrics say: {name{labels}: number}. */
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
