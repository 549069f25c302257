// SPDX-License-Identifier: MIT
// at-the-end.mjs - a test file ends when its tests have ended. Otherwise a server, proxy or
// client that a failed test has left open would keep Node running until the file's time is up.
// tools/test has Node import this first.
import { after } from 'node:test';

/** The file's own `after` runs after this one, and may take its time on a busy machine. */
const GRACE_MS = 60_000;

after(() => setTimeout(() => process.exit(), GRACE_MS).unref());
