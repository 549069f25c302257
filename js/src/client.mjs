// SPDX-License-Identifier: MIT
// @ts-check
/**
 * What every page needs first: client.js. Its parts are loaded when they are needed
 * (part-loader.mjs). js/assemble puts startParts() before this module.
 */
import { ServerConnection, ServerLifecycleEvent } from './connection.mjs';
import { installServerConnection } from './document.mjs';
import { ServerConnectionError, TCPConnectionError } from './base/errors.mjs';
import { ServerEvent } from './base/handler-target.mjs';
import { TCPConnection } from './tcp.mjs';

if (typeof document !== 'undefined') installServerConnection(document);

export {
  ServerConnection,
  ServerConnectionError,
  ServerEvent,
  ServerLifecycleEvent,
  TCPConnection,
  TCPConnectionError,
};
