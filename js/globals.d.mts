// SPDX-License-Identifier: MIT
/**
 * What the classic script `/.httpsocket/client.js` defines. A page in TypeScript asks for it by
 * `"types": ["httpsocket/globals"]`.
 */
import type * as all from './index.mjs';

declare global {
  var ServerConnection: typeof all.ServerConnection;
  type ServerConnection = all.ServerConnection;
  var ServerConnectionError: typeof all.ServerConnectionError;
  type ServerConnectionError = all.ServerConnectionError;
  var ServerEvent: typeof all.ServerEvent;
  type ServerEvent = all.ServerEvent;
  var ServerLifecycleEvent: typeof all.ServerLifecycleEvent;
  type ServerLifecycleEvent = all.ServerLifecycleEvent;
  var TCPConnection: typeof all.TCPConnection;
  type TCPConnection = all.TCPConnection;
  var TCPConnectionError: typeof all.TCPConnectionError;
  type TCPConnectionError = all.TCPConnectionError;
}
