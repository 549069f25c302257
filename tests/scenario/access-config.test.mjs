// SPDX-License-Identifier: MIT
// One config file for the server and for `httpsocket policy`: the same
// names, the same forms, the same decision.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { tryHandshake, startZones } from '../lib/access.mjs';
import { BUILD, makeRoot, startServer } from '../lib/server.mjs';

const CONFIG = (dns) => `# the whole of a server's settings, not only those of access
threads = 1
origin = {"http://b.test:8000", "https://other.test"}
programs-max = 100
log-level = warn
idle-timeout = 30s
dns = "127.0.0.1:${dns}"
dns-anchor = none
rules = {"allow <*> exclude <evil.example>", "deny <c.example>"}
private = {"203.0.113.0/24"}
self-ports = {"7000-7010"}
block = {"*.blocked.test"}
vouch = {"v.test:25"}
consent = veto
dnssec = any
rate-client = "2400,600"
bans-max = 4096
`;

let zones, root, file, server;
before(async () => {
  zones = await startZones({ 'b.test': { records: '_script-access TXT "v=sa1; allow=*"' } });
  root = makeRoot({ feed: { text: '#!/bin/sh\nprintf "\\n"\nread line <&3\n', mode: 0o755 } });
  file = path.join(root.root, '.httpsocket.conf');
  fs.writeFileSync(file, CONFIG(zones.relay.port));
  server = await startServer({ root: root.root, args: ['--config', file], threads: 1 });
});
after(async () => {
  await server?.stop();
  await zones?.stop();
  root?.remove();
});

/** Not spawnSync: the name servers' relay runs in this process. */
async function policy(origin) {
  const child = spawn(
    path.join(BUILD, 'httpsocket'),
    ['policy', '--json', '--config', file, origin, 'http://b.test:8000/feed'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const output = [];
  child.stdout.on('data', (data) => output.push(data));
  const [status] = await once(child, 'close');
  return { ...JSON.parse(Buffer.concat(output)), status };
}

for (const [origin, expected] of [
  ['https://a.example', '101 ok-record'],
  ['https://evil.example', '403 static-deny'],
  ['https://c.example', '403 static-deny'],
  ['http://b.test:8000', '101 ok-same-origin'],
  ['null', '403 origin-opaque'],
])
  test(`a page of ${origin}: ${expected}, by both`, async () => {
    const answer = await tryHandshake(server, '/feed', { origin });
    answer.drop?.();
    const { http, reason, status } = await policy(origin);
    assert.equal(`${http} ${reason}`, expected);
    assert.equal(answer.status, http);
    assert.equal(status, http === 101 ? 0 : 3);
    if (answer.status !== 101) assert.equal(answer.headers['script-access-reason'], reason);
  });

test('a value that one of them refuses, the other refuses too', () => {
  fs.writeFileSync(path.join(root.root, '.bad.conf'), 'private = {"10.0.0.1/8"}\n');
  const bad = path.join(root.root, '.bad.conf');
  const run = (program, ...args) =>
    spawnSync(path.join(BUILD, program), args, { encoding: 'utf8' });
  const daemon = run('httpsocketd', '--config', bad, '--check-config', root.root);
  const cli = run('httpsocket', 'policy', '--config', bad, 'https://a.example', 'b.test:7000');
  for (const { status, stderr } of [daemon, cli]) {
    assert.equal(status, 2);
    assert.match(
      stderr,
      /private.*expected a range such as 10\.0\.0\.0\/8|private.*10\.0\.0\.1\/8.*expected a range/,
    );
  }
});
