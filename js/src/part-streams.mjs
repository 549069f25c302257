// SPDX-License-Identifier: MIT
// @ts-check
/** The part `streams`: what moves the bytes of streams, uploads and TCP connections. */
import { providePart } from './base/parts.mjs';
import { Channels } from './streams/channels.mjs';
import { Duplex } from './streams/duplex.mjs';
import { upload } from './streams/upload.mjs';

providePart('streams', { Channels, Duplex, upload });
