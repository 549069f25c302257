// SPDX-License-Identifier: MIT
// @ts-check
/** The part `tcp`: TCP connections of the page. */
import { providePart } from './base/parts.mjs';
import { TCPMachine } from './tcp-machine.mjs';

providePart('tcp', { TCPMachine });
