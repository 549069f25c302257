// SPDX-License-Identifier: MIT
// plain-client.mjs - a WebSocket client that knows nothing of httpsocket.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import WebSocket from 'ws';

/**
 * An open client; `next()` is its next message, {text} or {bytes}; `asks(text)` sends one and gives
 * the text of the next; `closes()` ends it; `closed` resolves with {code, reason}, and
 * `isClosed(code, reason)` expects just these.
 */
export async function openPlain(url, protocols = [], options = {}) {
  const ws = new WebSocket(url.replace(/^http/, 'ws'), protocols, options);
  const inbox = [];
  const waiting = [];
  ws.on('message', (data, binary) => {
    inbox.push(binary ? { bytes: data } : { text: data.toString() });
    waiting.shift()?.();
  });
  ws.closed = new Promise((resolve) => {
    ws.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
  });
  ws.next = async () => {
    if (inbox.length === 0) await new Promise((resolve) => waiting.push(resolve));
    return inbox.shift();
  };
  ws.asks = async (text) => {
    ws.send(text);
    return (await ws.next()).text;
  };
  ws.closes = () => (ws.close(), ws.closed);
  ws.isClosed = async (code, reason) => assert.deepEqual(await ws.closed, { code, reason });
  await once(ws, 'open');
  return ws;
}
