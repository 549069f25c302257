// SPDX-License-Identifier: MIT
// An echo server on npm `ws`, the peer that most people use: `node ws_echo.mjs [--topic] [PORT]`.
// With --topic what a client says goes to all others.
import { WebSocketServer } from 'ws';

const topic = process.argv.includes('--topic');
const server = new WebSocketServer({
  host: '127.0.0.1',
  port: Number(process.argv.at(-1)) || 0,
  backlog: 4096,
  perMessageDeflate: false,
  clientTracking: topic,
  maxPayload: 16 * 1024 * 1024,
});
server.on('listening', () => console.log(`listening on ws://127.0.0.1:${server.address().port}`));
server.on('connection', (socket) => {
  socket.on('error', () => socket.terminate());
  socket.on('message', (data, binary) => {
    if (!topic) return socket.send(data, { binary });
    for (const other of server.clients) if (other !== socket) other.send(data, { binary });
  });
});
