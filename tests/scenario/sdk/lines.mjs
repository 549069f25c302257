#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// Rows of tests/vectors/lines.json, by the Node helper: JSON on stdin says which, and JSON on
// stdout what came of them.
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const sdk = pathToFileURL(`${process.env.HTTPSOCKET_SDK}/node/`);
const { Page, PageError } = await import(new URL('httpsocket.mjs', sdk));
const { Reader, line } = await import(new URL('src/wire.mjs', sdk));

function told({ size, problem, data, ...fields }) {
  const body = Buffer.isBuffer(data) ? { bytes: data.toString('base64') } : { data };
  return { ...fields, problem: problem !== '', ...body };
}

function read(pieces) {
  const reader = new Reader();
  try {
    return pieces.flatMap((piece) => reader.feed(piece)).map(told);
  } catch (error) {
    if (error instanceof PageError && error.code === 'protocol') return ['broken'];
    throw error;
  }
}

function say({ head, json, bytes }) {
  const data = bytes === undefined ? json && JSON.parse(json) : Buffer.from(bytes, 'base64');
  return line(head, data).toString('base64');
}

function refuses(name) {
  try {
    new Page({ environment: {} }).send(name, 1);
  } catch (error) {
    return error instanceof PageError && error.code === 'bad-name';
  }
  return false;
}

const asked = JSON.parse(readFileSync(0, 'utf8'));
const lines = asked.read.map((text) => Buffer.from(text, 'base64'));
const answer = {
  read: lines.map((whole) => read([whole])),
  split: lines.map((whole) => read([...whole].map((byte) => Buffer.from([byte])))),
  said: asked.say.map(say),
  refused: asked.names.map(refuses),
};
process.stdout.write(JSON.stringify(answer));
