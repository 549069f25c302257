// SPDX-License-Identifier: MIT
// @ts-check
/** The part `page`: what a page does when its connection is lost. */
import { providePart } from './base/parts.mjs';
import { PageCare } from './page/page-care.mjs';

providePart('page', { PageCare });
