// SPDX-License-Identifier: MIT
// test.mjs - the part of node:test that scenario tests use; a test that hangs fails after a minute.
import { test as testOf } from 'node:test';

export { after, afterEach, before, beforeEach, describe } from 'node:test';

export const test = (name, run, seconds = 60) => testOf(name, { timeout: seconds * 1000 }, run);
