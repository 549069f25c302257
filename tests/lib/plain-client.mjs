// SPDX-License-Identifier: MIT
// plain-client.mjs - a WebSocket client that has never heard of us.
import { once } from 'node:events';
import WebSocket from 'ws';

/**
 * An open client; `next()` is its next message, {text} or {bytes}; `closed`
 * resolves with {code, reason}.
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
  await once(ws, 'open');
  return ws;
}
