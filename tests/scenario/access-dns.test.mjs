// SPDX-License-Identifier: MIT
// Script access with the real resolver (libunbound) against knot on
// loopback, by `httpsocket policy`.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { startKnot, startRelay } from '../lib/dns.mjs';
import { BUILD } from '../lib/server.mjs';

const RECORD = '_script-access TXT "v=sa1; allow=a.example; port=7000"\n';
const chain = (n) =>
  Array.from({ length: n }, (_, i) => `c${n}-${i} CNAME c${n}-${i + 1}\n`).join('') +
  `c${n}-${n} A 203.0.113.10\n_script-access.c${n}-0 TXT "v=sa1; allow=a.example; port=7000"\n`;
const pad = Array.from(
  { length: 120 },
  (_, i) => `_script-access TXT "${String(i).padStart(250, 'x')}"\n`,
).join('');

let knot, tampered, relay;
before(async () => {
  knot = await startKnot({
    'secure.test': { signed: true, records: `${RECORD}@ A 203.0.113.10\n` },
    'insecure.test': {
      records: `${RECORD}@ A 203.0.113.10\n@ AAAA 2001:db8::10\nno-record A 203.0.113.10\n${chain(8)}${chain(9)}`,
    },
    'elsewhere.test': {
      records: '_script-access CNAME _script-access.insecure.test.\n@ A 203.0.113.10\n',
    },
    'large.test': { records: `${RECORD}${pad}@ A 203.0.113.10\n` },
    'veto.test': { records: `${RECORD}@ A 203.0.113.66\n` },
    'named.test': { records: `${RECORD}@ A 203.0.113.11\n` },
    '113.0.203.in-addr.arpa': {
      signed: true,
      records: [
        '10 PTR secure.test.',
        '10 PTR insecure.test.',
        '10 PTR c8-0.insecure.test.',
        '10 PTR elsewhere.test.',
        '66 PTR veto.test.',
        '_script-access.66 TXT "v=sa1; deny=*"',
        '_script-access.11 TXT "v=sa1; host=named.test; port=7000"',
      ].join('\n'),
    },
    '8.b.d.0.1.0.0.2.ip6.arpa': { records: '' },
  });
  const signed = knot.dump('secure.test');
  assert.match(signed, /RRSIG/);
  tampered = await startKnot({
    'secure.test': { whole: true, records: signed.replace('allow=a.example', 'allow=b.example') },
  });
  relay = await startRelay(knot.port);
});
after(async () => Promise.all([relay?.stop(), knot?.stop(), tampered?.stop()]));

/** Runs `httpsocket policy`; resolves with its JSON, its exit status and how long it took. */
async function policy({
  port = relay.port,
  anchors,
  target,
  page = 'https://a.example',
  set = [],
  args = [],
}) {
  const anchor = anchors ?? knot.anchors(['secure.test', '113.0.203.in-addr.arpa']);
  const settings = ['private=203.0.113.0/24', 'private=2001:db8::/32', ...set].flatMap((s) => [
    '--set',
    s,
  ]);
  const begin = performance.now();
  const child = spawn(
    path.join(BUILD, 'httpsocket'),
    [
      'policy',
      '--json',
      '--dns',
      `127.0.0.1:${port}`,
      '--dns-anchor',
      anchor,
      ...settings,
      ...args,
      page,
      target,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const output = [];
  child.stdout.on('data', (data) => output.push(data));
  const [status] = await once(child, 'close');
  return { ...JSON.parse(Buffer.concat(output)), status, ms: performance.now() - begin };
}

const verdict = ({ verdict, reason, status }) => `${verdict} ${reason} ${status}`;

test('a secure zone allows even where everything must be signed, with one question for each thing', async () => {
  relay.take();
  const result = await policy({ target: 'secure.test:7000', set: ['dnssec=all'] });
  assert.equal(verdict(result), 'allow ok-record 0');
  assert.deepEqual(result.connect_to, ['203.0.113.10']);
  assert.deepEqual(relay.take(), {
    'TXT _script-access.secure.test': 1,
    'A secure.test': 1,
    'AAAA secure.test': 1,
    'TXT _script-access.10.113.0.203.in-addr.arpa': 1,
    'PTR 10.113.0.203.in-addr.arpa': 1,
  });
});

test('an insecure zone allows by default, and is refused after one question where the record must be signed', async () => {
  assert.equal(verdict(await policy({ target: 'insecure.test:7000' })), 'allow ok-record 0');
  relay.take();
  assert.equal(
    verdict(await policy({ target: 'insecure.test:7000', set: ['dnssec=policy'] })),
    'deny dns-insecure 3',
  );
  assert.deepEqual(relay.take(), { 'TXT _script-access.insecure.test': 1 });
});

test('a refusal by record costs one question', async () => {
  relay.take();
  assert.equal(
    verdict(await policy({ target: 'insecure.test:7000', page: 'https://c.example' })),
    'deny origin-not-allowed 3',
  );
  assert.equal(verdict(await policy({ target: 'insecure.test:7001' })), 'deny port-not-listed 3');
  assert.deepEqual(relay.take(), { 'TXT _script-access.insecure.test': 2 });
  assert.equal(
    verdict(await policy({ target: 'no-record.insecure.test:7000' })),
    'deny no-record 3',
  );
  assert.deepEqual(relay.take(), { 'TXT _script-access.no-record.insecure.test': 1 });
});

test('a refusal before DNS asks nothing', async () => {
  relay.take();
  assert.equal(verdict(await policy({ target: '127.0.0.1:80' })), 'deny target-ip-literal 3');
  assert.equal(verdict(await policy({ target: 'insecure.test:25' })), 'deny port-blocked 3');
  assert.deepEqual(relay.questions, []);
});

test('with a wrong anchor the answer is bogus, and refused', async () => {
  const anchors = knot.anchors(['secure.test'], (ds) =>
    ds.replace(/.$/, (hex) => (hex === '0' ? '1' : '0')),
  );
  assert.equal(
    verdict(await policy({ target: 'secure.test:7000', anchors })),
    'tempfail dns-bogus 4',
  );
});

test('a tampered record is bogus, though its data is there', async () => {
  const anchors = knot.anchors(['secure.test']);
  const page = 'https://b.example';
  assert.equal(
    verdict(await policy({ target: 'secure.test:7000', port: tampered.port, anchors, page })),
    'tempfail dns-bogus 4',
  );
});

test('without an anchor nothing is secure, and nothing bogus', async () => {
  const anchors = 'none';
  assert.equal(
    verdict(await policy({ target: 'secure.test:7000', anchors, set: ['consent=off'] })),
    'allow ok-record 0',
  );
  assert.equal(
    verdict(await policy({ target: 'secure.test:7000', anchors, set: ['dnssec=policy'] })),
    'deny dns-insecure 3',
  );
});

test('expired signatures are bogus', async () => {
  const config = path.join(knot.dir, 'later.conf');
  fs.writeFileSync(config, 'server:\n  val-override-date: "20991231000000"\n');
  assert.equal(
    verdict(await policy({ target: 'secure.test:7000', args: ['--dns-config', config] })),
    'tempfail dns-bogus 4',
  );
});

test('a silent server is given up after three seconds', async () => {
  const silent = await startRelay(null);
  try {
    const result = await policy({ target: 'insecure.test:7000', port: silent.port });
    assert.equal(verdict(result), 'tempfail dns-timeout 4');
    assert.ok(result.ms >= 2990 && result.ms < 4500, `${result.ms} ms`);
  } finally {
    await silent.stop();
  }
});

test('a silent AAAA costs a second, not the connection', async () => {
  const half = await startRelay(knot.port, { drop: (question) => question.startsWith('AAAA ') });
  try {
    const result = await policy({ target: 'secure.test:7000', port: half.port });
    assert.equal(verdict(result), 'allow ok-record 0');
    assert.ok(result.ms >= 1000 && result.ms < 2900, `${result.ms} ms`);
  } finally {
    await half.stop();
  }
});

test('a lame server is a temporary failure', async () => {
  assert.equal(verdict(await policy({ target: 'lame.example:7000' })), 'tempfail dns-fail 4');
});

test('a TXT set of 30 kB comes by TCP and is refused by its size', async () => {
  relay.take();
  assert.equal(verdict(await policy({ target: 'large.test:7000' })), 'deny record-too-large 3');
  assert.ok(
    relay.questions.some(
      ({ question, via }) => via === 'tcp' && question === 'TXT _script-access.large.test',
    ),
  );
});

test('eight CNAMEs are followed and nine are not', async () => {
  assert.equal(verdict(await policy({ target: 'c8-0.insecure.test:7000' })), 'allow ok-record 0');
  assert.equal(
    verdict(await policy({ target: 'c9-0.insecure.test:7000' })),
    'tempfail dns-cname-limit 4',
  );
});

test('a record behind a CNAME counts', async () => {
  assert.equal(verdict(await policy({ target: 'elsewhere.test:7000' })), 'allow ok-record 0');
});

test('the reverse zone vetoes, or consents by a record', async () => {
  assert.equal(verdict(await policy({ target: 'veto.test:7000' })), 'deny addr-veto 3');
  assert.equal(verdict(await policy({ target: 'named.test:7000' })), 'allow ok-record 0');
  assert.equal(
    verdict(
      await policy({ target: 'named.test:7000', set: ['private=203.0.113.0/24', 'dnssec=all'] }),
    ),
    'deny dns-insecure 3',
  );
});

test('an address without consent is left out, and IPv6 is asked by nibbles', async () => {
  relay.take();
  const result = await policy({ target: 'insecure.test:7000' });
  assert.deepEqual(result.connect_to, ['203.0.113.10']);
  const nibbles = '0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa';
  assert.equal(relay.take()[`PTR ${nibbles}`], 1);
});

test('a ServerConnection asks for the record alone', async () => {
  relay.take();
  assert.equal(
    verdict(await policy({ target: 'https://insecure.test/chat' })),
    'allow ok-record 0',
  );
  assert.deepEqual(relay.take(), { 'TXT _script-access.insecure.test': 1 });
});

test('resolver and anchor come from a config file too', async () => {
  const file = path.join(knot.dir, 'server.conf');
  const anchor = knot.anchors(['secure.test', '113.0.203.in-addr.arpa']);
  fs.writeFileSync(
    file,
    `dns = "127.0.0.1:${knot.port}"\ndns-anchor = "${anchor}"\ndnssec = "all"\nprivate = {"203.0.113.0/24"}\n`,
  );
  const { status, stdout } = spawnSync(
    path.join(BUILD, 'httpsocket'),
    ['policy', '--config', file, 'https://a.example', 'secure.test:7000'],
    { encoding: 'utf8' },
  );
  assert.equal(stdout.split('\n')[0], 'allow ok-record');
  assert.equal(status, 0);
});
