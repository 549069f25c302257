// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Asks a server of another origin why it refused a handshake, which a browser does not tell the
 * page (docs/protocol.md, section 5, "Asking why"). The question is one simple CORS request. It
 * starts no program and opens no connection.
 */
import { codeOfStatus, makeEnd } from '../proto/close-codes.mjs';

/** @typedef {import('../proto/close-codes.mjs').End} End */

/**
 * The server's answer: the end, and the Policy-Path of the refusal.
 * @typedef {End & { policyPath: string }} Refusal
 */

/** The statuses that give a reason. Each has a close code. */
const STATUSES = Object.freeze([401, 403, 404, 421, 429, 502, 503, 504]);

const ACCEPT = 'application/httpsocket-refusal';

/**
 * @typedef {object} RefusalRequest
 * @property {typeof globalThis.fetch} fetch
 * @property {string} origin of the page; a browser sends it by itself, Node does not
 * @property {AbortSignal} signal
 */

/**
 * @param {string} url of ws or wss
 * @param {RefusalRequest} request
 * @returns {Promise<Refusal | null>} null: the server does not refuse, or there was no usable
 *   answer; the network failed then. Never rejects.
 */
export async function fetchRefusal(url, { fetch, origin, signal }) {
  try {
    const response = await fetch(url.replace(/^ws/, 'http'), {
      headers: { Accept: ACCEPT, ...(typeof document === 'undefined' ? { Origin: origin } : {}) },
      credentials: 'omit',
      cache: 'no-store',
      redirect: 'error',
      signal,
    });
    response.body?.cancel().catch(() => {}); // the head says everything
    return parseRefusal(response.status, response.headers);
  } catch {
    return null;
  }
}

/**
 * @param {number} status @param {{ get(name: string): string | null }} headers
 * @returns {Refusal | null}
 */
export function parseRefusal(status, headers) {
  const reason = headers.get('Script-Access-Reason') ?? '';
  if (!STATUSES.includes(status) || !/^[a-z][a-z0-9-]{0,63}$/.test(reason)) return null;
  const wait = headers.get('Retry-After') ?? '';
  const retryAfter = /^\d{1,9}$/.test(wait) ? Number(wait) : null;
  return {
    ...makeEnd(codeOfStatus(status), reason, retryAfter),
    policyPath: headers.get('Access-Control-Policy-Path') ?? '',
  };
}
