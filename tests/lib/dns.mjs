// SPDX-License-Identifier: MIT
// dns.mjs - name servers for tests, on loopback: knot with signed and unsigned zones, and a relay
// that sees every question.
import { execFileSync, spawn } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';

/** A port that is free for UDP and TCP alike. */
async function freePort() {
  for (;;) {
    const tcp = net.createServer().listen(0, '127.0.0.1');
    await once(tcp, 'listening');
    const { port } = tcp.address();
    const udp = dgram.createSocket('udp4');
    const free = await new Promise((resolve) =>
      udp.once('error', () => resolve(false)).bind(port, '127.0.0.1', () => resolve(true)),
    );
    udp.close();
    tcp.close();
    await once(tcp, 'close');
    if (free) return port;
  }
}

const head = (zone, serial = 1) =>
  `$ORIGIN ${zone}.\n$TTL 60\n@ SOA ns x ${serial} 60 60 60 60\n@ NS ns\nns A 127.0.0.1\n`;

function writeConfig(dir, port, zones) {
  const rows = Object.entries(zones).map(
    ([zone, { signed }]) =>
      `  - domain: ${zone}\n    file: ${zone}.zone\n${signed ? '    dnssec-signing: on\n    dnssec-policy: one\n' : ''}`,
  );
  fs.writeFileSync(
    path.join(dir, 'knot.conf'),
    `server:
    rundir: "${dir}/run"
    listen: 127.0.0.1@${port}
log:
  - target: stderr
    any: info
database:
    storage: "${dir}/db"
policy:
  - id: one
    algorithm: ecdsap256sha256
    single-type-signing: on
template:
  - id: default
    storage: "${dir}"
    zonefile-load: whole
    zonefile-sync: -1
    journal-content: none
zone:
${rows.join('')}`,
  );
}

/**
 * knotd with these zones: {name: {records, signed}}; `records` are zone-file lines without the
 * SOA, or with `whole: true` all of it. `replace(zone, records)` publishes others;
 * `anchors(zones)` writes a file of trust anchors and returns its name; `dump(zone)` is a
 * zone's contents with its signatures.
 */
export async function startKnot(zones) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'httpsocket-knot-'));
  const port = await freePort();
  fs.mkdirSync(path.join(dir, 'run'));
  fs.mkdirSync(path.join(dir, 'db'));
  for (const [zone, { records, whole }] of Object.entries(zones))
    fs.writeFileSync(path.join(dir, `${zone}.zone`), (whole ? '' : head(zone)) + records + '\n');
  writeConfig(dir, port, zones);
  const conf = path.join(dir, 'knot.conf');
  const child = spawn('/usr/sbin/knotd', ['-c', conf], { stdio: ['ignore', 'ignore', 'pipe'] });
  const exited = once(child, 'exit');
  const log = [];
  await new Promise((resolve, reject) => {
    readline.createInterface({ input: child.stderr }).on('line', (line) => {
      log.push(line);
      if (/server started/.test(line)) resolve();
    });
    exited.then(() => reject(new Error(`knotd ended:\n${log.join('\n')}`)));
  });
  let serial = 1;
  const knotc = (...args) =>
    execFileSync('/usr/sbin/knotc', ['-b', '-s', path.join(dir, 'run/knot.sock'), ...args], {
      encoding: 'utf8',
    });
  return {
    port,
    dir,
    replace(zone, records) {
      fs.writeFileSync(path.join(dir, `${zone}.zone`), `${head(zone, ++serial)}${records}\n`);
      knotc('zone-reload', zone);
    },
    anchors(names, change = (ds) => ds) {
      const file = path.join(dir, `anchor-${names.join('-')}-${fs.readdirSync(dir).length}`);
      const lines = names.map(
        (zone) =>
          execFileSync('/usr/sbin/keymgr', ['-c', conf, zone, 'ds'], { encoding: 'utf8' }).split(
            '\n',
          )[0],
      );
      fs.writeFileSync(file, change(lines.join('\n')) + '\n');
      return file;
    },
    dump(zone) {
      const text = execFileSync(
        '/usr/sbin/knotc',
        ['-s', path.join(dir, 'run/knot.sock'), 'zone-read', zone],
        { encoding: 'utf8' },
      );
      return text.replace(/^\[[^\]]*\] /gm, '');
    },
    async stop() {
      child.kill('SIGTERM');
      await exited;
      fs.rmSync(dir, { recursive: true, force: true });
    },
  };
}

const TYPES = {
  1: 'A',
  2: 'NS',
  5: 'CNAME',
  6: 'SOA',
  12: 'PTR',
  16: 'TXT',
  28: 'AAAA',
  43: 'DS',
  48: 'DNSKEY',
};

function questionOf(message) {
  const labels = [];
  let at = 12;
  for (; message[at]; at += message[at] + 1)
    labels.push(message.toString('latin1', at + 1, at + 1 + message[at]));
  const type = message.readUInt16BE(at + 1);
  return `${TYPES[type] ?? type} ${labels.join('.').toLowerCase()}`;
}

/**
 * Stands before a name server and writes down its questions (`TYPE NAME`); those that `drop`
 * matches are never answered, and none while `silent` is set.
 */
export async function startRelay(upstream, { drop = () => false } = {}) {
  const relay = { silent: false };
  const questions = [];
  const udp = dgram.createSocket('udp4');
  const backs = new Set();
  const port = await freePort();
  const seen = (message, via) => {
    const question = questionOf(message);
    questions.push({ question, via });
    return relay.silent || drop(question);
  };
  udp.on('message', (message, from) => {
    if (seen(message, 'udp') || !upstream) return;
    const back = dgram.createSocket('udp4');
    backs.add(back);
    back.on('message', (answer) => {
      udp.send(answer, from.port, from.address);
      back.close();
      backs.delete(back);
    });
    back.send(message, upstream, '127.0.0.1');
  });
  const tcp = net.createServer((client) => {
    const server = upstream ? net.connect(upstream, '127.0.0.1') : null;
    client.on('data', (data) => {
      if (data.length > 14) seen(data.subarray(2), 'tcp');
      server?.write(data);
    });
    server?.pipe(client);
    for (const [one, other] of [
      [client, server],
      [server, client],
    ])
      one?.on('close', () => other?.destroy()).on('error', () => {});
  });
  udp.bind(port, '127.0.0.1');
  tcp.listen(port, '127.0.0.1');
  await Promise.all([once(udp, 'listening'), once(tcp, 'listening')]);
  Object.assign(relay, {
    port,
    questions,
    /**
     * The questions since the last call, each with how often it came, without those of validation
     * itself (10: NULL, RFC 8145).
     */
    take() {
      const counts = {};
      for (const { question } of questions.splice(0))
        if (!/^(DS|DNSKEY|NS|SOA|10) /.test(question))
          counts[question] = (counts[question] ?? 0) + 1;
      return counts;
    },
    async stop() {
      for (const back of backs) back.close();
      udp.close();
      tcp.close();
      await once(tcp, 'close');
    },
  });
  return relay;
}
