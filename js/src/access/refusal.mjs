// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Asking a server of another origin why it refused a handshake (docs/protocol.md, section 5, "Asking why"): a browser
 * shows a page nothing of it. One simple CORS request, which starts no program and opens nothing.
 */
import { codeOfStatus, makeEnd } from '../proto/close-codes.mjs';

/** @typedef {import('../proto/close-codes.mjs').End} End */

/** What the server said: the end, and how far below its path a refusal reaches.
 * @typedef {End & { policyPath: string }} Refusal */

/** The statuses that say why, all by their close codes. */
const STATUSES = Object.freeze([401, 403, 404, 421, 429, 502, 503, 504]);

const ACCEPT = 'application/httpsocket-refusal';

/**
 * @typedef {object} Asker
 * @property {typeof globalThis.fetch} fetch
 * @property {string} origin that of the page, which a browser sends by itself
 * @property {AbortSignal} signal
 */

/**
 * @param {string} url of ws or wss
 * @param {Asker} asker
 * @returns {Promise<Refusal | null>} null: nothing is against it, or the answer can't be had or understood, so that it
 *   was the network. Never rejects.
 */
export async function askWhy(url, { fetch, origin, signal }) {
  try {
    const response = await fetch(url.replace(/^ws/, 'http'), {
      headers: { Accept: ACCEPT, ...(typeof document === 'undefined' ? { Origin: origin } : {}) },
      credentials: 'omit',
      cache: 'no-store',
      redirect: 'error',
      signal,
    });
    response.body?.cancel().catch(() => {}); // all there is to know stands in the head
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
