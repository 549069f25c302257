// SPDX-License-Identifier: MIT
// @ts-check
/**
 * The browser side of HTTPSocket, whole: what the package exports. In a page it also defines
 * `document.serverConnection`.
 */
import './part-page.mjs';
import './part-events.mjs';
import './part-dom.mjs';
import './part-streams.mjs';
import './part-access.mjs';
import './part-tcp.mjs';
import './part-dev.mjs';
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
