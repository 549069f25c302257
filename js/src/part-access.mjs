// SPDX-License-Identifier: MIT
// @ts-check
/** The part `access`: who may connect, and when again. */
import { providePart } from './base/parts.mjs';
import { Access } from './access/access.mjs';

providePart('access', { Access });
