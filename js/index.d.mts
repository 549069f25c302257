// SPDX-License-Identifier: MIT
/** What the package exports, and what it defines in a page. */
import type { ServerConnection } from './types/index.mjs';

export * from './types/index.mjs';
export type { End } from './types/proto/close-codes.mjs';
export type { CallOptions } from './types/session/calls.mjs';
export type { Handler } from './types/session/handlers.mjs';
export type { EventHandler } from './types/base/handler-target.mjs';
export type { ProgramStream, ProgramStreamOptions } from './types/streams/program-stream.mjs';
export type { UploadOptions } from './types/streams/upload.mjs';
export type { CloseDetail, ServerConnectionOptions } from './types/connection.mjs';
export type { TCPConnectionOptions } from './types/tcp-options.mjs';
export type { TCPConnectionOpenInfo } from './types/tcp.mjs';

declare global {
  interface Document {
    /** The connection to the program that made this page. */
    readonly serverConnection: ServerConnection;
  }
}
