// SPDX-License-Identifier: MIT
// request.mjs - one HTTP request on a connection of its own, which is closed after it, so that
// the server keeps no connection.
import http from 'node:http';
import { once } from 'node:events';

/**
 * Resolves as soon as the head is there: the http.IncomingMessage and its request. `from` is the
 * client's address.
 */
export async function begin(url, { method = 'GET', headers = {}, body, from } = {}) {
  const request = http.request(url, { method, headers, agent: false, localAddress: from });
  if (body === undefined) request.end();
  else if (typeof body === 'function') body(request);
  else request.end(body);
  const [response] = await once(request, 'response');
  return { request, response };
}

/**
 * Resolves with {status, headers, body} once the whole answer is there; rejects if it is cut short.
 */
export async function request(url, options) {
  const { response } = await begin(url, options);
  const parts = [];
  for await (const part of response) parts.push(part);
  const bytes = Buffer.concat(parts);
  return { status: response.statusCode, headers: response.headers, bytes, body: bytes.toString() };
}
