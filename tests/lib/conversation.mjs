// SPDX-License-Identifier: MIT
// conversation.mjs - messages to a program that several tests share.
import assert from 'node:assert/strict';
import { openPage } from './session-client.mjs';

/**
 * Opens a page whose program reports its events: the page is connected, and the program was told.
 */
export async function openTold(url, options = {}) {
  const { answer, client } = await openPage(url, options);
  assert.equal(answer.status, 200, answer.body);
  await client.connect();
  assert.equal(await client.next(), 'told ["attach",false]');
  return { answer, client };
}

/** To a program that adds up: its sum outlives a cut. */
export async function addUp(client) {
  client.send('add 1');
  assert.equal(await client.next(), 'total 1');
  client.send('add 41');
  assert.equal(await client.next(), 'total 42');
  await client.cut();
  await client.connect();
  client.send('add 1');
  assert.equal(await client.next(), 'total 43');
}
