// @ts-check
/** The browser side of HTTPSocket. In a page it also defines `document.serverConnection`. */
import { ServerConnection, ServerLifecycleEvent } from './connection.mjs';
import { installServerConnection } from './document.mjs';
import { ServerConnectionError } from './errors.mjs';
import { ServerEvent } from './target.mjs';

if (typeof document !== 'undefined') installServerConnection(document);

export { ServerConnection, ServerConnectionError, ServerEvent, ServerLifecycleEvent };
