// SPDX-License-Identifier: MIT
// @ts-check
/** The part `dev`: the developer's panel. */
import { providePart } from './base/parts.mjs';
import { showToDeveloper } from './dev.mjs';

providePart('dev', { showToDeveloper });
