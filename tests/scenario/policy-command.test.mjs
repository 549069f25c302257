// SPDX-License-Identifier: MIT
// `httpsocket policy`: the recorded cases, writing and linting records, and the exit codes.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';

import { BUILD, REPO } from '../lib/server.mjs';

const CASES = path.join(REPO, 'tests/vectors/script-access.tsv');
const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'httpsocket-policy-'));
after(() => fs.rmSync(dir, { recursive: true }));

function httpsocket(...args) {
  const { status, stdout, stderr } = spawnSync(path.join(BUILD, 'httpsocket'), args, {
    encoding: 'utf8',
  });
  return { status, stdout, stderr, last: stdout.trimEnd().split('\n').at(-1) };
}

function testCases(text) {
  const file = path.join(dir, 'cases.tsv');
  fs.writeFileSync(file, text);
  return httpsocket('policy', 'test', file);
}

test('every recorded case passes', () => {
  const { status, last, stdout } = httpsocket('policy', 'test', CASES);
  assert.equal(stdout, '133 passed, 0 failed\n');
  assert.equal(last, '133 passed, 0 failed');
  assert.equal(status, 0);
});

test('each column of the outcome is looked at, and the row that differs is printed', () => {
  const [head, row] = fs.readFileSync(CASES, 'utf8').split('\n');
  const names = head.split('\t');
  for (const [column, wrong] of Object.entries({
    verdict: 'deny',
    http: '403',
    ws_close: '4403',
    reason: 'no-record',
    connect_to: '203.0.113.11',
  })) {
    const fields = row.split('\t');
    fields[names.indexOf(column)] = wrong;
    const { status, stdout, last } = testCases([head, fields.join('\t'), row].join('\n'));
    assert.equal(last, '1 passed, 1 failed', column);
    assert.match(
      stdout,
      /^basic-01: wanted .*; got allow 101 - ok-record 203\.0\.113\.10$/m,
      column,
    );
    assert.equal(status, 1);
  }
});

test('a row that can not be read fails and says why', () => {
  const [head, row] = fs.readFileSync(CASES, 'utf8').split('\n');
  const names = head.split('\t');
  for (const [column, wrong, message] of [
    ['config', 'colour=red', /config: colour=red/],
    ['dns', 'b.test MX 1', /a record is NAME TYPE DATA/],
    ['path', 'udp', /path: udp/],
  ]) {
    const fields = row.split('\t');
    fields[names.indexOf(column)] = wrong;
    const { status, stdout, last } = testCases([head, fields.join('\t')].join('\n'));
    assert.match(stdout, message);
    assert.equal(last, '0 passed, 1 failed');
    assert.equal(status, 1);
  }
});

test('a file without the columns, or none at all, is wrong usage', () => {
  assert.equal(testCases('a\tb\nc\td\n').status, 2);
  assert.equal(httpsocket('policy', 'test', path.join(dir, 'none.tsv')).status, 2);
  assert.equal(httpsocket('policy', 'test').status, 2);
  assert.equal(httpsocket('policy').status, 2);
  assert.equal(httpsocket('policy', 'https://a.example').status, 2);
  assert.equal(httpsocket('polycy').status, 2);
  assert.equal(httpsocket().status, 2);
  assert.equal(httpsocket('--help').status, 0);
  assert.match(httpsocket('--version').stdout, /^httpsocket \d/);
});

test('a verdict comes first, then its steps, and the exit status tells it', () => {
  const denied = httpsocket('policy', 'https://a.example', '10.0.0.1:80');
  assert.equal(denied.stdout.split('\n')[0], 'deny target-ip-literal');
  assert.equal(denied.status, 3);
  const { status, stdout } = httpsocket(
    'policy',
    '--json',
    '--via',
    'web',
    'https://b.example',
    'b.example',
  );
  assert.equal(status, 0);
  const { steps, ...result } = JSON.parse(stdout);
  assert.deepEqual(result, {
    verdict: 'allow',
    reason: 'ok-same-origin',
    http: 101,
    ws_close: 0,
    retry_after: 0,
    connect_to: [],
  });
  assert.ok(steps.length > 0);
});

test('settings come from a config file and from --set', () => {
  const file = path.join(dir, 'server.conf');
  fs.writeFileSync(
    file,
    'threads = 2\norigin = {"https://a.example"}\nself-ports = {"7000-7001", "8000"}\npolicy = "config"\nrules = {"allow <*> exclude <evil.example>"}\n',
  );
  const policy = (...args) => httpsocket('policy', '--config', file, ...args).stdout.split('\n')[0];
  assert.equal(policy('https://a.example', 'a.example:7001'), 'allow ok-self-port');
  assert.equal(policy('https://a.example', 'a.example:7002'), 'deny self-port-closed');
  assert.equal(
    policy('--set', 'self-ports=7002', 'https://a.example', 'a.example:7002'),
    'allow ok-self-port',
  );
  assert.equal(policy('https://c.example', 'a.example:7001'), 'deny origin-foreign');
  assert.equal(policy('https://c.example', 'https://a.example/'), 'allow ok-static');
  assert.equal(policy('http://evil.example:81', 'https://a.example/'), 'deny static-deny');
  assert.equal(policy('https://c.example', 'https://b.example/'), 'deny host-foreign');
  fs.writeFileSync(file, '# a comment\n/* of two\nlines */ rules = {"alow <*>"}\n');
  const { status, stderr } = httpsocket(
    'policy',
    '--config',
    file,
    'https://a.example',
    'b.example:1',
  );
  assert.equal(status, 2);
  assert.match(stderr, /server\.conf:3: rules 'alow <\*>': expected rules such as/);
  assert.equal(
    httpsocket('policy', '--set', 'colour=red', 'https://a.example', 'b.example:1').status,
    2,
  );
  assert.equal(
    httpsocket('policy', '--set', 'private=10.0.0.1/8', 'https://a.example', 'b.example:1').status,
    2,
  );
  assert.equal(
    httpsocket('policy', '--dns', 'localhost', 'https://a.example', 'b.example:1').status,
    2,
  );
});

test('a record is written from plain options, names as A-labels, and passes its own lint', () => {
  const { status, stdout } = httpsocket(
    'policy',
    'record',
    '--name',
    'Bücher.example',
    '--allow',
    'a.example',
    '--allow',
    'https://*.bücher.example:8443',
    '--deny',
    'evil.a.example',
    '--port',
    '6667,7000-7010',
    '--via',
    'tcp',
    '--max-age',
    '600',
    '--note',
    'say "hi"',
  );
  assert.equal(status, 0);
  assert.equal(
    stdout,
    '_script-access.xn--bcher-kva.example. TXT "v=sa1; allow=a.example https://*.xn--bcher-kva.example:8443; deny=evil.a.example; ' +
      'port=6667,7000-7010; via=tcp; max-age=600; note=say \\"hi\\""\n',
  );
  const record = stdout.slice(stdout.indexOf('"') + 1, -2).replaceAll('\\"', '"');
  assert.equal(httpsocket('policy', 'record', record).status, 0);
});

test('a long record is cut into strings of 255 octets', () => {
  const names = Array.from({ length: 30 }, (_, i) => [
    '--allow',
    `host-number-${i}.example`,
  ]).flat();
  const { stdout } = httpsocket('policy', 'record', '--name', 'b.example', ...names);
  const strings = [...stdout.matchAll(/"([^"]*)"/g)].map(([, text]) => text);
  assert.ok(strings.length > 1 && strings.slice(0, -1).every((text) => text.length === 255));
  assert.equal(httpsocket('policy', 'record', strings.join('')).status, 0);
});

test('a reverse record stands in the reverse zone', () => {
  assert.equal(
    httpsocket(
      'policy',
      'record',
      '--address',
      '203.0.113.10',
      '--host',
      'b.example',
      '--port',
      '7000',
    ).stdout,
    '_script-access.10.113.0.203.in-addr.arpa. TXT "v=sa1; host=b.example; port=7000"\n',
  );
  assert.equal(
    httpsocket('policy', 'record', '--address', '203.0.113.10', '--allow', '*').status,
    2,
  );
});

test('what can not be a record is not written', () => {
  for (const args of [
    [],
    ['--name', 'b.example'],
    ['--allow', 'a b'],
    ['--allow', '*', '--port', '0'],
    ['--allow', '*', '--note', 'a; b'],
    ['--name', '10.0.0.1', '--allow', '*'],
    ['--allow', '*', '--via', 'udp'],
    ['--host', 'b.example', '--allow', '*'],
  ])
    assert.equal(httpsocket('policy', 'record', ...args).status, 2, args.join(' '));
});

test('lint shows where a fault is, and warns of what is not meant', () => {
  const fault = httpsocket('policy', 'record', 'v=sa1; alow=*');
  assert.equal(fault.status, 1);
  assert.match(fault.stdout, /^ {9}\^\nfault: at octet 7, expected allow=/m);
  assert.equal(httpsocket('policy', 'record', 'v=spf1 -all').status, 1);
  assert.equal(
    httpsocket('policy', 'record', `v=sa1; allow=*; note=${'x'.repeat(1024)}`).status,
    1,
  );
  assert.match(httpsocket('policy', 'record', 'v=sa1; allow=*.co.uk').stdout, /matches nothing/);
  assert.match(
    httpsocket('policy', 'record', 'v=sa1; allow=xn--0.example').stdout,
    /no valid internationalised name/,
  );
  assert.match(httpsocket('policy', 'record', 'v=sa1; allow=*; port=*').stdout, /browsers block/);
  assert.match(httpsocket('policy', 'record', '--reverse', 'v=sa1; deny=*').stdout, /vetoes/);
  assert.equal(httpsocket('policy', 'record', 'v=sa1; host=b.example; allow=*').status, 1);
});
