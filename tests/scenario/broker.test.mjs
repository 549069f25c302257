// SPDX-License-Identifier: MIT
// The link to a broker (src/cluster/broker.h) with Debian's redis-server: by TCP, TLS and a Unix
// socket, with users and their rights, and with all that a broker may do to it.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import readline from 'node:readline';
import { after, describe, test } from '../lib/test.mjs';

import { Cluster } from '../lib/cluster.mjs';
import { endDaemons, ownFolder, ownPort } from '../lib/daemon.mjs';
import { Redis, WatchedPair } from '../lib/redis.mjs';
import { Resp } from '../lib/resp.mjs';
import { request } from '../lib/request.mjs';
import { BUILD, PROGRAMS, REPO, adminOf, stopAll } from '../lib/server.mjs';
import { SessionClient } from '../lib/session-client.mjs';
import { Subscriber } from '../lib/subscriber.mjs';
import { until } from '../lib/until.mjs';

const SHA1 = createHash('sha1').update('return {KEYS[1], ARGV[1]}\n').digest('hex');

const links = new Set();

/** One link, driven by lines: tests/scenario/broker/probe.c. */
class Link {
  #lines = [];
  #waiting = null;
  log = [];

  constructor(url, { timeout = 5000, ca, shows } = {}) {
    this.child = spawn(
      path.join(BUILD, 'tests/broker-probe'),
      [timeout, ...(ca ? [ca] : []), ...(shows ?? [])],
      {
        env: { ...process.env, BROKER: url, SHA1 },
      },
    );
    this.exited = once(this.child, 'close');
    links.add(this);
    this.exited.then(() => links.delete(this));
    readline
      .createInterface({ input: this.child.stdout })
      .on('line', (line) => (this.#lines.push(line), this.#waiting?.()));
    readline.createInterface({ input: this.child.stderr }).on('line', (l) => this.log.push(l));
  }

  says(...lines) {
    this.child.stdin.write(lines.map((line) => `${line}\n`).join(''));
  }

  /** The next line that it prints. */
  async next() {
    while (!this.#lines.length) {
      const line = new Promise((resolve) => (this.#waiting = resolve));
      const ended = this.exited.then(() => assert.fail(`it has ended:\n${this.log.join('\n')}`));
      await Promise.race([line, ended]);
    }
    return this.#lines.shift();
  }

  /** What it prints next, line after line: texts, or patterns. */
  async prints(...lines) {
    for (const line of lines) {
      const text = await this.next();
      if (line instanceof RegExp) assert.match(text, line);
      else assert.equal(text, line);
    }
  }

  logged(pattern) {
    return until(
      () => this.log.find((line) => pattern.test(line)),
      () => `${pattern} in\n${this.log.join('\n')}`,
    );
  }

  async counts() {
    this.says('counts');
    const fields = (await this.next()).split(' ').slice(1);
    return Object.fromEntries(fields.map((f) => [f.split('=')[0], Number(f.split('=')[1])]));
  }

  async ends() {
    this.says('free');
    await this.prints(/^counts/, 'freed');
    const [code] = await this.exited;
    assert.equal(code, 0, this.log.join('\n'));
  }
}

const UP = /^up [0-9a-f]{40}$/;

/** A link that is up. */
async function linked(url, options) {
  const link = new Link(url, options);
  await link.prints(UP);
  return link;
}

after(() => Promise.all([...links].map((link) => link.child.kill('SIGKILL') && link.exited)));
after(async () => (SessionClient.dropAll(), await stopAll(), await endDaemons()));

/** All that a link is for. */
async function works(link) {
  link.says('subscribe news');
  await link.prints('subscribed news');
  link.says('call SET key text', 'call GET key', 'run key value');
  await link.prints('reply OK', 'reply text', 'reply key value');
  await hears(link);
}

/** The two connections are apart: an announcement may come before the reply to it. */
async function hears(link) {
  link.says('call PUBLISH news hello');
  const both = [await link.next(), await link.next()].sort();
  assert.deepEqual(both, ['message news hello', 'reply 1']);
}

/** A CA, and a certificate of it for these names. */
function certify(names) {
  const folder = ownFolder('certificates');
  const at = (name) => path.join(folder, name);
  const openssl = (...words) => execFileSync('openssl', words, { stdio: 'ignore' });
  const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const ca = ['-x509', ...EC, '-days', '2', '-subj', '/CN=ca', '-keyout', at('ca.key')];
  openssl('req', ...ca, '-out', at('ca.pem'));
  openssl('req', ...EC, '-subj', '/CN=b', '-keyout', at('key.pem'), '-out', at('request.pem'));
  fs.writeFileSync(at('names'), `subjectAltName=${names}\n`);
  const by = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '2'];
  const files = ['-in', at('request.pem'), '-out', at('cert.pem'), '-extfile', at('names')];
  openssl('x509', '-req', ...by, ...files);
  return { ca: at('ca.pem'), cert: at('cert.pem'), key: at('key.pem') };
}

const tlsOf = (files, port) => ({
  'tls-port': port,
  'tls-cert-file': files.cert,
  'tls-key-file': files.key,
  'tls-ca-cert-file': files.ca,
  'tls-auth-clients': 'no',
});

describe('the way to a broker', () => {
  test('is TCP, by address and by name, a Unix socket, and one of its databases', async () => {
    const redis = await Redis.start();
    const { port, socket } = redis;
    for (const url of [redis.url, `redis://localhost:${port}/3`, `unix:${socket}?db=2`]) {
      const link = await linked(url);
      await works(link);
      await link.ends();
    }
    assert.match(await redis.asks('INFO', 'keyspace'), /db0:keys=1[^]*db2:keys=1[^]*db3:keys=1/);
    await redis.stop();
  });

  test('is TLS, if the certificate is trusted and holds the name', async () => {
    const files = certify('IP:127.0.0.1');
    const port = await ownPort();
    const redis = await Redis.start({ settings: tlsOf(files, port) });
    const link = await linked(`rediss://127.0.0.1:${port}`, files);
    await works(link);
    const big = 'x'.repeat(100_000);
    link.says(`call SET big ${big}`, 'call STRLEN big', 'call GET big');
    await link.prints('reply OK', 'reply 100000', /^reply x{200}$/);
    await link.ends();

    const byName = new Link(`rediss://localhost:${port}`, files);
    await byName.logged(/broker\.down .*TLS: .*(hostname|host name) mismatch/i);
    await byName.ends();
    const untrusting = new Link(`rediss://127.0.0.1:${port}`, { ca: certify('IP:127.0.0.1').ca });
    await untrusting.logged(/broker\.down .*TLS: /);
    await untrusting.ends();
    const plain = new Link(`rediss://127.0.0.1:${redis.port}`, { ...files, timeout: 500 });
    await plain.logged(/broker\.down /);
    await plain.ends();

    await redis.asks('CONFIG', 'SET', 'tls-auth-clients', 'yes');
    const unknown = new Link(`rediss://127.0.0.1:${port}`, files);
    await unknown.logged(/broker\.down .*TLS: .*certificate required/);
    await unknown.ends();
    const shows = [files.cert, files.key];
    const known = await linked(`rediss://127.0.0.1:${port}`, { ...files, shows });
    await works(known);
    await known.ends();
    await redis.stop();
  });

  test('is a password, or a user with the rights that docs/operations.md names', async () => {
    const redis = await Redis.start({ settings: { requirepass: 'a b%/@' } });
    const admin = `redis://:a%20b%25%2f%40@127.0.0.1:${redis.port}`;
    const link = await linked(admin);
    await works(link);
    const rights = '~httpsocket:* &httpsocket:* +@all -@admin -@dangerous +info';
    link.says(`call ACL SETUSER httpsocket on >secret ${rights}`);
    await link.prints('reply OK');

    const user = await linked(`redis://httpsocket:secret@127.0.0.1:${redis.port}`);
    user.says('run httpsocket:k v', 'call SET other 1', 'call GET httpsocket:x');
    await user.prints('reply httpsocket:k v', /^error NOPERM /, 'reply nil');
    user.says('subscribe httpsocket:c');
    await user.prints('subscribed httpsocket:c');
    user.says('subscribe other');
    await user.prints('down');
    await user.logged(/broker\.refused .*NOPERM this user has no permissions/);
    user.says('unsubscribe other');
    await user.prints(UP, 'subscribed httpsocket:c');
    link.says('call ACL DELUSER httpsocket');
    await link.prints('reply 1');
    await user.prints('down');
    await user.logged(/broker\.refused .*WRONGPASS/);
    await user.ends();
    await link.ends();
    assert.ok(![...user.log, ...link.log].some((line) => /secret|a b%/.test(line)));
    await redis.stop();
  });

  for (const [what, userinfo, text] of [
    ['a wrong password', ':wrong@', 'WRONGPASS'],
    ['no password', '', 'NOAUTH'],
    ['an unknown user', 'nobody:right@', 'WRONGPASS'],
  ])
    test(`is refused with ${what}: said once, and tried again`, async () => {
      const redis = await Redis.start({ settings: { requirepass: 'right' } });
      const link = new Link(`redis://${userinfo}127.0.0.1:${redis.port}`);
      await link.logged(new RegExp(`broker\\.refused .*${text}`));
      const admin = new Resp(redis.port);
      await admin.call('AUTH', 'right');
      const attempts = async () =>
        Number(/connections_received:(\d+)/.exec(await admin.call('INFO', 'stats'))[1]);
      const before = await attempts();
      await until(async () => (await attempts()) > before + 5);
      admin.close();
      assert.equal(link.log.filter((line) => /broker\./.test(line)).length, 1);
      await link.ends();
      await redis.stop();
    });

  test('leads to no Sentinel and to no member of a Redis Cluster', async () => {
    const own = { 'cluster-enabled': 'yes', 'cluster-port': await ownPort() };
    const cluster = await Redis.start({ settings: own });
    const link = new Link(cluster.url);
    await link.logged(/broker\.refused .*Redis Cluster/);
    await link.ends();
    await cluster.stop();
    const pair = await WatchedPair.start();
    const asBroker = new Link(`redis://127.0.0.1:${pair.sentinels[0].port}`);
    await asBroker.logged(/broker\.refused .*Sentinel/);
    await asBroker.ends();
    const replica = new Link((await pair.replica()).url);
    await replica.logged(/broker\.down .*it is no master/);
    await replica.ends();
    await pair.stop();
  });
});

describe('a broker that', () => {
  test('is not there yet, is killed and comes back: the link is up each time', async () => {
    const port = await ownPort();
    const early = new Link(`redis://127.0.0.1:${port}`);
    await early.logged(/broker\.down .*Connection refused/);
    await early.ends();

    const redis = await Redis.start();
    const link = await linked(redis.url);
    link.says('subscribe news');
    await link.prints('subscribed news');
    for (const signal of ['SIGKILL', 'SIGTERM']) {
      await redis.stop(signal);
      await link.prints('down');
      await redis.starts();
      await link.prints(UP, 'subscribed news');
      await hears(link);
    }
    assert.equal((await link.counts()).ups, 3);
    assert.equal(link.log.filter((line) => /broker\.up/.test(line)).length, 3);
    await link.ends();
    await redis.stop();
  });

  test('is killed amid many calls: each call is answered once, in its order, or is broken', async () => {
    const redis = await Redis.start();
    const link = await linked(redis.url);
    for (let round = 0; round < 3; round++) {
      link.says('many 20000 INCR n');
      await link.prints(/^reply \d+$/);
      await redis.stop('SIGKILL');
      let last = 1;
      let line;
      let answered = 1;
      while ((line = await link.next()).startsWith('reply')) {
        const number = Number(line.slice(6));
        assert.equal(number, ++last);
        answered++;
      }
      let broken = 0;
      for (; line === 'broken'; line = await link.next()) broken++;
      assert.equal(line, 'down');
      assert.equal(answered + broken, 20000);
      await redis.starts();
      await link.prints(UP);
    }
    await link.ends();
    await redis.stop();
  });

  test('is paused: it is left after the time-out, and linked again when it goes on', async () => {
    const redis = await Redis.start();
    const link = await linked(redis.url, { timeout: 1000 });
    link.says('subscribe news');
    await link.prints('subscribed news');
    redis.pauses();
    link.says('call INCR n');
    await link.prints('broken', 'down');
    await link.logged(/broker\.down .*no answer/);
    redis.goesOn();
    await link.prints(UP, 'subscribed news');
    await hears(link);
    redis.pauses();
    await link.prints('down');
    redis.goesOn();
    await link.prints(UP, 'subscribed news');
    await link.ends();
    await redis.stop();
  });

  test('ends a subscriber that does not read: the link is new, and its channels too', async () => {
    const settings = { 'client-output-buffer-limit': ['pubsub', '64kb', '64kb', '0'] };
    const redis = await Redis.start({ settings });
    const link = await linked(redis.url);
    link.says('subscribe news');
    await link.prints('subscribed news');
    link.child.kill('SIGSTOP');
    const text = 'x'.repeat(50_000);
    for (let i = 0; i < 400 && (await redis.asks('PUBLISH', 'news', text)) > 0; i++);
    link.child.kill('SIGCONT');
    let line;
    while ((line = await link.next()).startsWith('message'));
    assert.equal(line, 'down');
    await link.prints(UP, 'subscribed news');
    await hears(link);
    await link.ends();
    await redis.stop();
  });

  test('ends connections by CLIENT KILL, one of the two or both: the link comes again', async () => {
    const redis = await Redis.start();
    const link = await linked(redis.url);
    link.says('subscribe news');
    await link.prints('subscribed news');
    for (const type of ['pubsub', 'normal']) {
      assert.ok((await redis.asks('CLIENT', 'KILL', 'TYPE', type)) > 0);
      await link.prints('down', UP, 'subscribed news');
      await hears(link);
    }
    await link.ends();
    await redis.stop();
  });

  test('forgets its scripts: the link breaks and has them loaded again', async () => {
    const redis = await Redis.start();
    const link = await linked(redis.url);
    link.says('call SCRIPT FLUSH', 'run a b', 'call INCR n');
    await link.prints('reply OK', 'broken', 'broken', 'down', UP);
    link.says('run a b');
    await link.prints('reply a b');
    await link.ends();
    await redis.stop();
  });

  test('becomes a replica: it is left, until it is a master again', async () => {
    const redis = await Redis.start();
    const link = await linked(redis.url);
    await redis.asks('REPLICAOF', '127.0.0.1', '1');
    link.says('call SET a b');
    await link.prints('broken', 'down');
    await link.logged(/broker\.down .*it is no master/);
    await redis.asks('REPLICAOF', 'NO', 'ONE');
    await link.prints(UP);
    await works(link);
    await link.ends();
    await redis.stop();
  });

  test('loads its data: it is waited for', async () => {
    const redis = await Redis.start({ keeps: true, settings: { 'key-load-delay': 100_000 } });
    for (let i = 0; i < 30; i++) await redis.asks('SET', `key${i}`, 'x');
    await redis.asks('CONFIG', 'SET', 'key-load-delay', '0');
    await redis.stop();
    const link = new Link(redis.url);
    await redis.starts();
    await link.prints(UP);
    link.says('call DBSIZE');
    await link.prints('reply 30');
    await link.ends();
    await redis.stop();
  });

  test('is full, or has too few replicas: errors that pass, and the link stays', async () => {
    const redis = await Redis.start();
    const link = await linked(redis.url);
    await redis.asks('CONFIG', 'SET', 'maxmemory', '1');
    link.says('call SET a b');
    await link.prints(/^error OOM .*\(passes\)$/);
    await redis.asks('CONFIG', 'SET', 'maxmemory', '0');
    await redis.asks('CONFIG', 'SET', 'min-replicas-to-write', '1');
    link.says('call SET a b');
    await link.prints(/^error NOREPLICAS .*\(passes\)$/);
    await redis.asks('CONFIG', 'SET', 'min-replicas-to-write', '0');
    link.says('call SET a b');
    await link.prints('reply OK');
    assert.equal((await link.counts()).ups, 1);
    await link.ends();
    await redis.stop();
  });

  test('takes no more clients: the link waits its turn', async () => {
    const redis = await Redis.start();
    await redis.asks('CONFIG', 'SET', 'maxclients', '2');
    const first = await linked(redis.url);
    const second = new Link(redis.url);
    await second.logged(/broker\.(down|refused)/);
    await first.ends();
    await second.prints(UP);
    await second.ends();
    await redis.stop();
  });
});

describe('a pair that Sentinels watch', () => {
  test('is found, and left for the other one when the master dies', async () => {
    const pair = await WatchedPair.start({ sentinels: 3 });
    const link = await linked(pair.url);
    await works(link);
    const { master } = await pair.losesMaster();
    await link.prints('down', UP, 'subscribed news');
    await link.logged(new RegExp(`broker\\.up .*port=${master.port} `));
    await hears(link);
    await link.ends();
    await pair.stop();
  });

  test('exchanges its two: the link goes to the new master, and not to the old one', async () => {
    const pair = await WatchedPair.start();
    const link = await linked(pair.url);
    await works(link);
    for (let round = 0; round < 2; round++) {
      const { master } = await pair.isExchanged();
      const [, run] = /run_id:(\w+)/.exec(await master.asks('INFO', 'server'));
      while ((await link.next()) !== `up ${run}`);
      await link.prints('subscribed news');
      await hears(link);
      await pair.isWatched();
    }
    await link.ends();
    await pair.stop();
  });

  test('has a master that is paused: Sentinel says so before the time-out', async () => {
    const pair = await WatchedPair.start();
    const link = await linked(pair.url, { timeout: 60_000 });
    await works(link);
    const old = await pair.master();
    old.pauses();
    await link.prints('down', UP, 'subscribed news');
    await link.logged(/broker\.down .*Sentinel names another master/);
    await hears(link);
    old.goesOn();
    await link.ends();
    await pair.stop();
  });

  test('is found by the Sentinels that are there, and kept when none is', async () => {
    const pair = await WatchedPair.start({ sentinels: 2 });
    await pair.sentinels[0].stop('SIGKILL');
    const link = await linked(pair.url);
    await pair.sentinels[1].stop('SIGKILL');
    await works(link);
    await pair.servers[0].asks('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await link.prints('down');
    await link.logged(/broker\.down .*Sentinel 127.0.0.1:\d+: Connection refused/);
    await link.ends();
    await pair.stop();
  });

  test('and a name that they do not know', async () => {
    const pair = await WatchedPair.start();
    const link = new Link(pair.url.replace('#test', '#other'));
    await link.logged(/broker\.down .*it knows no such master/);
    await link.ends();
    await pair.stop();
  });

  test('and passwords: of the pair, and of a Sentinel that wants the same one', async () => {
    const pair = await WatchedPair.start();
    for (const server of pair.servers) {
      await server.asks('CONFIG', 'SET', 'masterauth', 'secret');
      await server.asks('CONFIG', 'SET', 'requirepass', 'secret');
    }
    await pair.sentinels[0].asks('SENTINEL', 'SET', 'test', 'auth-pass', 'secret');
    const url = pair.url.replace('://', '://:secret@');
    const link = await linked(url);
    await works(link);
    await link.ends();
    await pair.sentinels[0].asks('ACL', 'SETUSER', 'default', 'resetpass', '>secret');
    const again = await linked(url);
    await works(again);
    await again.ends();
    const without = new Link(pair.url);
    await without.logged(/broker\.down .*Sentinel .*NOAUTH/);
    await without.ends();
    await pair.stop();
  });
});

test('servers by TLS, as a user with the rights that docs/operations.md names, lack none', async () => {
  const files = certify('IP:127.0.0.1');
  const port = await ownPort();
  const settings = { ...tlsOf(files, port), 'tls-auth-clients': 'yes' };
  const redis = await Redis.start({ settings });
  const [, rights] = /ACL SETUSER httpsocket on >PASSWORD (.*)/.exec(
    fs.readFileSync(path.join(REPO, 'docs/operations.md'), 'utf8'),
  );
  const name = 'few-rights';
  const words = rights.replaceAll('httpsocket:', `${name}:`).split(' ');
  await redis.asks('ACL', 'SETUSER', 'httpsocket', 'on', '>p%', ...words);
  const password = path.join(ownFolder('password'), 'file');
  fs.writeFileSync(password, 'p%\n', { mode: 0o600 });
  const cluster = await Cluster.start({
    count: 2,
    broker: `rediss://httpsocket@127.0.0.1:${port}`,
    name,
    root: PROGRAMS,
    threads: 2,
    args: [
      ...['--broker-password-file', password, '--broker-ca', files.ca],
      ...['--broker-cert', files.cert, '--broker-key', files.key],
    ],
  });
  const [a, b] = await Promise.all(cluster.servers.map((server) => Subscriber.opens(server)));
  await a.subscribes('t', { presence: { name: 'a' } });
  await b.subscribes('t', { watch: true });
  await b.isTold('presence');
  a.publishes('t', 'n', 'heard');
  assert.deepEqual(await b.data(1), ['heard']);
  await a.closes();
  await b.isTold('presence');
  const metrics = (await request(`${await adminOf(cluster.servers[0])}/metrics`)).body;
  const metric = (what) =>
    Number(new RegExp(`^httpsocket_broker_${what} (\\d+)$`, 'm').exec(metrics)[1]);
  assert.equal(metric('links'), 2);
  assert.ok(metric('calls_total') >= metric('round_trips_total'));
  const mean = metric('round_trip_microseconds_total') / metric('round_trips_total');
  assert.ok(mean > 1 && mean < 5_000_000, `${mean}`);
  assert.ok(metric('received_bytes_total') > 1000 && metric('sent_bytes_total') > 1000);
  await cluster.ends();
  assert.deepEqual(await redis.asks('ACL', 'LOG'), []);
  await redis.stop();
});

describe('a stranger in the place of a broker', () => {
  /** Says this to each that connects, again and again. */
  async function startStranger(bytes) {
    const sockets = new Set();
    const server = net.createServer((socket) => {
      sockets.add(socket);
      const pour = () => {
        while (bytes.length && socket.writable && socket.write(bytes));
      };
      socket.on('drain', pour).on('error', () => {});
      socket.on('data', () => {});
      pour();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return {
      url: `redis://127.0.0.1:${server.address().port}`,
      stop: () => (sockets.forEach((socket) => socket.destroy()), server.close()),
    };
  }

  const memoryOf = (pid) =>
    Number(/VmHWM:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;

  for (const [what, bytes, why] of [
    ['an HTTP server', 'HTTP/1.1 200 OK\r\n\r\n', /Protocol error/],
    ['noise', Buffer.alloc(65536, 'x'), /Protocol error/],
    ['one line without end', Buffer.alloc(65536, '+'), /endless line/],
    ['lists in lists', '*9\r\n'.repeat(1000), /nested/],
    ['a list of two thousand millions', '*2147483647\r\n', /too large/],
  ])
    test(`${what}: the link says so once, stays small, and can be ended`, async () => {
      const stranger = await startStranger(bytes);
      const link = new Link(stranger.url);
      await link.logged(why);
      assert.ok(memoryOf(link.child.pid) < 300, `${memoryOf(link.child.pid)} MiB`);
      await link.ends();
      stranger.stop();
    });

  test('one text without end: memory stays within the bound of a reply', async () => {
    const head = Buffer.from('$9000000000000000000\r\n');
    const stranger = await startStranger(Buffer.concat([head, Buffer.alloc(1 << 20)]));
    const link = new Link(stranger.url);
    await link.logged(/too large/);
    assert.ok(memoryOf(link.child.pid) < 600, `${memoryOf(link.child.pid)} MiB`);
    await link.ends();
    stranger.stop();
  });

  test('silence: it is left after the time-out', async () => {
    const stranger = await startStranger('');
    const link = new Link(stranger.url, { timeout: 300 });
    await link.logged(/broker\.down .*no answer/);
    await link.ends();
    stranger.stop();
  });
});
