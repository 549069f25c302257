// SPDX-License-Identifier: MIT
// visitor.mjs - a client that makes one HTTP request, or a handshake of its own making, and
// reports the answer.
import { begin, request } from './request.mjs';
import { handshake, OP, RawWebSocket, readHead } from './ws-raw.mjs';

export const visitor = {
  /** Resolves with the whole answer: {status, headers, body}. */
  asks: request,

  /** Resolves with {request, response} as soon as the answer's head is there. */
  begins: begin,

  /**
   * A WebSocket handshake. Resolves with {status, headers, body} where HTTP refuses; with {status:
   * 101, protocol, code, reason} where the first frame is a close; else with {status: 101,
   * protocol, first, welcome, socket, hears, leaves}: `first` is the text of that frame, `welcome`
   * what it says, `socket` is open, hears() the text of the next frame.
   */
  async connects(url, { protocols, ...how } = {}) {
    const { socket, ...head } = await visitor.offers(url, {
      ...how,
      headers: { ...(protocols && { 'Sec-WebSocket-Protocol': protocols }), ...how.headers },
    });
    if (head.status !== 101) return head;
    const protocol = head.headers['sec-websocket-protocol'];
    const { op, payload } = await socket.next();
    return op === OP.CLOSE ? closed(socket, protocol, payload) : open(socket, protocol, payload);
  },

  /**
   * A WebSocket handshake whose frames are not read: resolves with {status, headers, body} or
   * {status: 101, headers, socket}. `from` is the client's address.
   */
  async offers(url, { origin = new URL(url).origin, headers = {}, from } = {}) {
    const { host, port, pathname, search } = new URL(url);
    const socket = await RawWebSocket.connect(Number(port), { from });
    const change = { Host: host, ...(origin && { Origin: origin }), ...headers };
    socket.socket.write(handshake(change, { line: `GET ${pathname}${search} HTTP/1.1` }));
    const head = await readHead(socket);
    return head.status === 101 ? { ...head, socket } : refused(socket, head);
  },
};

async function refused(socket, head) {
  const length = Number(head.headers['content-length'] ?? 0);
  const body = await socket.until(
    (inbox) => (inbox.length >= length ? socket.take(length).toString() : null),
    'the body',
  );
  socket.destroy();
  return { ...head, body };
}

function closed(socket, protocol, payload) {
  socket.destroy();
  const reason = payload.subarray(2).toString();
  return { status: 101, protocol, code: payload.readUInt16BE(0), reason };
}

function open(socket, protocol, payload) {
  const first = payload.toString();
  return {
    status: 101,
    protocol,
    first,
    welcome: first.startsWith('.welcome ') && JSON.parse(first.slice(9)),
    socket,
    hears: async () => (await socket.next()).payload.toString(),
    leaves: () => socket.destroy(),
  };
}
