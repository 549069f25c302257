// SPDX-License-Identifier: MIT
// test.mjs - what a file of stories takes from node:test; a test that hangs fails after a minute.
import { test as testOf } from 'node:test';

export { after, afterEach, before, beforeEach, describe } from 'node:test';

export const test = (name, run, seconds = 60) => testOf(name, { timeout: seconds * 1000 }, run);
