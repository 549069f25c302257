// SPDX-License-Identifier: MIT
// handshake-try.mjs - one WebSocket handshake with the headers that a test wants, and its outcome.
import { handshake, OP, RawWebSocket, readHead } from './ws-raw.mjs';

/**
 * Tries a handshake with `url`. Resolves with {status, headers, body} if HTTP refuses it. Otherwise
 * resolves with {status: 101, protocol, code, reason} if the first frame is a close, and with
 * {status: 101, protocol, first, socket} if the first frame is a message: `first` is its text, and
 * `socket` (a RawWebSocket) is open.
 */
export async function tryHandshake(
  url,
  { protocols, origin = new URL(url).origin, headers = {} } = {},
) {
  const { host, port, pathname, search } = new URL(url);
  const socket = await RawWebSocket.connect(Number(port));
  const change = {
    Host: host,
    ...(origin && { Origin: origin }),
    ...(protocols && { 'Sec-WebSocket-Protocol': protocols }),
    ...headers,
  };
  socket.socket.write(handshake(change, { line: `GET ${pathname}${search} HTTP/1.1` }));
  const head = await readHead(socket);
  if (head.status !== 101) {
    const length = Number(head.headers['content-length'] ?? 0);
    const body = await socket.until(
      (inbox) => (inbox.length >= length ? socket.take(length).toString() : null),
      'the body',
    );
    socket.destroy();
    return { ...head, body };
  }
  const protocol = head.headers['sec-websocket-protocol'];
  const { op, payload } = await socket.next();
  if (op !== OP.CLOSE) return { status: 101, protocol, first: payload.toString(), socket };
  socket.destroy();
  return {
    status: 101,
    protocol,
    code: payload.readUInt16BE(0),
    reason: payload.subarray(2).toString(),
  };
}
