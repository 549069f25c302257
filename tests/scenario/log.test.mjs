// SPDX-License-Identifier: MIT
// log.test.mjs - what the server says of itself and of its clients, and that saying it never holds
// the service up.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { request } from '../lib/request.mjs';
import { makeRoot, program, startServer, stopAll } from '../lib/server.mjs';
import { after, afterEach, before, describe, test } from '../lib/test.mjs';
import { until } from '../lib/until.mjs';

const PIPE_BYTES = 65536;
/** Says more on stderr than pipe and server hold together, then answers. */
const LOUD = `#!/bin/sh
i=0
while [ $((i += 1)) -le 3000 ]; do printf '%-200s\\n' "$i" >&2; done
printf 'Content-Type: text/plain\\n\\nsaid\\n'
`;

let files;
const file = (name) => `${files.root}/${name}`;

before(() => (files = makeRoot({ 'hello.txt': 'hello\n' })));
afterEach(stopAll);
after(() => files.remove());

describe('a stderr that stalls', () => {
  /** A pipe that takes PIPE_BYTES and then blocks whoever writes; `read()` takes what is there. */
  function stalledPipe() {
    execFileSync('mkfifo', [file('stalled')]);
    const fd = fs.openSync(file('stalled'), fs.constants.O_RDWR);
    const reader = fs.openSync(file('stalled'), fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    const room = Buffer.alloc(4 * PIPE_BYTES);
    const read = () => {
      try {
        return room.subarray(0, fs.readSync(reader, room)).toString();
      } catch {
        return ''; // nothing is there now
      }
    };
    return { fd, read };
  }

  test('costs lines, which are counted, and not the service', async () => {
    const pipe = stalledPipe();
    const server = await startServer({
      files: { 'hello.txt': 'hello\n', loud: program(LOUD) },
      stderr: pipe.fd,
    });
    assert.equal((await request(server.at('loud'))).body, 'said\n');
    assert.equal((await request(server.at('hello.txt'))).body, 'hello\n');
    let text = '';
    await until(() => /log\.lost lines=\d+ /.test((text += pipe.read())));
    assert.match(text, /program\.stderr .*line="1 /);
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
  });
});
