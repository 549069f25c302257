// SPDX-License-Identifier: MIT
// checksum.mjs - a TCP server that sends or takes bytes without end, and keeps their checksums.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { Readable } from 'node:stream';

/** Two sums in which every byte and its place count; tests/browser/site/tcp.html has the same. */
export class Sums {
  a = 1;
  b = 0;
  bytes = 0;
  add(chunk) {
    let { a, b } = this;
    for (let i = 0; i < chunk.length; i++) b = (b + (a = (a + chunk[i]) | 0)) | 0;
    Object.assign(this, { a, b, bytes: this.bytes + chunk.length });
  }
  get text() {
    return `${this.bytes} ${this.a >>> 0} ${this.b >>> 0}`;
  }
}

const BLOCK = randomBytes(100_003);

/** `down N`: N bytes in blocks, each of which is counted when it is asked for. */
function* blocks(bytes, sent) {
  for (let left = bytes; left > 0; left -= BLOCK.length) {
    const block = BLOCK.subarray(0, Math.min(left, BLOCK.length));
    sent.add(block);
    yield block;
  }
}

/** `up`: takes all bytes, and says their sums at the end. */
function take(socket, first) {
  const sums = new Sums();
  sums.add(first);
  socket.on('data', (chunk) => sums.add(chunk));
  socket.on('end', () => socket.end(sums.text));
  socket.resume();
}

/**
 * Starts the server on 127.0.0.1. A connection begins with a line: `down N`, `up`, `echo`, `hold`
 * (nothing is read from then on) or `drop` (reset at once). `sent` are the sums of the last `down`;
 * `sockets` all connections that are open, which clear() ends.
 */
export async function startChecksums() {
  const self = { sent: new Sums(), sockets: new Set() };
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    self.sockets.add(socket);
    socket.on('close', () => self.sockets.delete(socket)).on('error', () => {});
    let head = Buffer.alloc(0);
    const begin = (chunk) => {
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf(10);
      if (end < 0) return;
      socket.off('data', begin).pause();
      const [word, argument] = head.toString('latin1', 0, end).split(' ');
      const rest = head.subarray(end + 1);
      if (word === 'down')
        Readable.from(blocks(Number(argument), (self.sent = new Sums()))).pipe(socket.resume());
      else if (word === 'up') take(socket, rest);
      else if (word === 'echo') (socket.write(rest), socket.pipe(socket));
      else if (word === 'drop') socket.resetAndDestroy();
    };
    socket.on('data', begin);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  self.port = server.address().port;
  self.clear = () => {
    for (const socket of self.sockets) socket.destroy();
  };
  self.stop = () => {
    server.close();
    self.clear();
  };
  return self;
}
