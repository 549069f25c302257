// SPDX-License-Identifier: MIT
// redis.mjs - Debian's redis-server, on loopback and a port of its own: alone, or a master and a
// replica that Sentinels watch.
import fs from 'node:fs';
import path from 'node:path';
import { Daemon, ownFolder, ownPort } from './daemon.mjs';
import { ask, Resp } from './resp.mjs';
import { until } from './until.mjs';

export const REDIS = '/usr/bin/redis-server';

const asWords = (settings) =>
  Object.entries(settings).flatMap(([name, value]) => [`--${name}`, ...[value].flat().map(String)]);

/**
 * One redis-server. Its port and its folder stay the same when it is stopped and started again;
 * `keeps: true` has it know after that what it knew before.
 */
export class Redis {
  #settings;
  #daemon;

  /**
   * `settings` are those of redis.conf: {name: value or [words]}. They come behind those of `conf`,
   * the text of one, whose default user has this `password`.
   */
  static async start({ keeps = false, settings = {}, conf = '', password = null } = {}) {
    const redis = new Redis();
    redis.port = await ownPort();
    redis.folder = ownFolder('redis');
    redis.password = password;
    redis.file = path.join(redis.folder, 'redis.conf');
    fs.writeFileSync(redis.file, conf);
    redis.socket = path.join(redis.folder, 'socket');
    redis.#settings = {
      port: redis.port,
      bind: '127.0.0.1',
      unixsocket: redis.socket,
      dir: redis.folder,
      save: '',
      ...(conf ? {} : { appendonly: keeps ? 'yes' : 'no' }),
      'maxmemory-policy': 'noeviction',
      'repl-diskless-sync-delay': 0,
      ...settings,
    };
    await redis.starts();
    return redis;
  }

  get url() {
    return `redis://127.0.0.1:${this.port}`;
  }

  get pid() {
    return this.#daemon.pid;
  }

  get log() {
    return this.#daemon.log;
  }

  get isRunning() {
    return this.#daemon.isRunning;
  }

  async starts() {
    this.#daemon = new Daemon(REDIS, [this.file, ...asWords(this.#settings)]);
    await this.#daemon.logged(/Ready to accept connections/);
  }

  async restarts(signal = 'SIGTERM') {
    await this.stop(signal);
    await this.starts();
  }

  pauses() {
    this.#daemon.pauses();
  }

  goesOn() {
    this.#daemon.goesOn();
  }

  stop(signal) {
    return this.#daemon.stop(signal);
  }

  /** One command, whose reply comes back. */
  async asks(...words) {
    if (!this.password) return ask(this.port, ...words);
    const redis = new Resp(this.port);
    redis.call('AUTH', this.password).catch(() => {});
    return redis.call(...words).finally(() => redis.close());
  }

  /** `master` or `slave`; undefined of one that does not answer. */
  async role() {
    return (await this.asks('ROLE').catch(() => []))[0];
  }

  /** Waits until one replica has all. */
  isReplicated() {
    return until(
      async () => /slave0:.*state=online/.test(await this.asks('INFO', 'replication')),
      () => `a replica of ${this.url}`,
    );
  }
}

/** A Sentinel: a redis-server that writes its settings itself. */
async function startSentinel(name, master, { quorum, downAfter, user }) {
  const port = await ownPort();
  const folder = ownFolder('sentinel');
  const file = path.join(folder, 'sentinel.conf');
  const settings = `port ${port}
bind 127.0.0.1
dir ${folder}
sentinel monitor ${name} 127.0.0.1 ${master.port} ${quorum}
sentinel down-after-milliseconds ${name} ${downAfter}
sentinel failover-timeout ${name} 4000
${user ? `sentinel auth-user ${name} ${user.name}\nsentinel auth-pass ${name} ${user.password}\n` : ''}`;
  fs.writeFileSync(file, settings);
  const daemon = new Daemon(REDIS, [file, '--sentinel']);
  await daemon.logged(/\+monitor master/);
  return Object.assign(daemon, { port, asks: (...words) => ask(port, ...words) });
}

/** A master, its replica, and Sentinels that make the one the other when the one is silent. */
export class WatchedPair {
  name = 'test';

  /**
   * `downAfter`: milliseconds of silence. `user`: {name, password} of the Sentinels. The others are
   * Redis.start()'s, for both.
   */
  static async start({ sentinels = 1, downAfter = 1000, user, settings, ...more } = {}) {
    const pair = new WatchedPair();
    const how = { keeps: true, ...more };
    const first = await Redis.start({ ...how, settings });
    const replicaof = ['127.0.0.1', first.port];
    const second = await Redis.start({ ...how, settings: { ...settings, replicaof } });
    pair.servers = [first, second];
    await first.isReplicated();
    const quorum = Math.floor(sentinels / 2) + 1;
    pair.sentinels = await Promise.all(
      Array.from({ length: sentinels }, () =>
        startSentinel(pair.name, first, { quorum, downAfter, user }),
      ),
    );
    await pair.isWatched();
    return pair;
  }

  get url() {
    const addresses = this.sentinels.map(({ port }) => `127.0.0.1:${port}`);
    return `redis-sentinel://${addresses}/0#${this.name}`;
  }

  /** The one that the first Sentinel names. */
  async master() {
    const [, port] = await this.sentinels[0].asks('SENTINEL', 'get-master-addr-by-name', this.name);
    return this.servers.find((server) => server.port === Number(port));
  }

  async replica() {
    const master = await this.master();
    return this.servers.find((server) => server !== master);
  }

  /** Waits until every Sentinel knows the others, and a replica that could take over. */
  isWatched() {
    const fields = (words) =>
      Object.fromEntries(words.flatMap((w, i) => (i % 2 ? [] : [[w, words[i + 1]]])));
    const knows = async (sentinel) => {
      const master = fields(await sentinel.asks('SENTINEL', 'master', this.name));
      const replicas = await sentinel.asks('SENTINEL', 'replicas', this.name);
      const isFit = (r) => r.flags === 'slave' && r['master-link-status'] === 'ok';
      return (
        master.flags === 'master' &&
        Number(master['num-other-sentinels']) === this.sentinels.length - 1 &&
        replicas.map(fields).filter(isFit).length === this.servers.length - 1
      );
    };
    return until(
      async () => (await Promise.all(this.sentinels.map(knows))).every(Boolean),
      () => `Sentinels that know all\n${this.sentinels[0].log.slice(-10).join('\n')}`,
      60000,
    );
  }

  /** Waits until the Sentinels name another master than this, and it is one. */
  async hasLeft(master) {
    const isDone = async () => {
      const now = await this.master();
      return now && now !== master && (await now.role()) === 'master' && now;
    };
    return until(isDone, () => `a failover\n${this.sentinels[0].log.slice(-10).join('\n')}`, 60000);
  }

  /** The replica hears no more of what is written, until it is the master. */
  async fallsBehind() {
    const replica = await this.replica();
    await replica.asks('CONFIG', 'SET', 'masterauth', 'wrong');
    await replica.asks('CLIENT', 'KILL', 'TYPE', 'master');
    await until(async () =>
      /master_link_status:down/.test(await replica.asks('INFO', 'replication')),
    );
  }

  /** The master dies at once; resolves with {old, master} when the other one has taken over. */
  async losesMaster() {
    const old = await this.master();
    await old.stop('SIGKILL');
    const master = await this.hasLeft(old);
    if (!master.password) await master.asks('CONFIG', 'SET', 'masterauth', '');
    return { old, master };
  }

  /** An operator asks the Sentinels to exchange the two, which both live. */
  async isExchanged() {
    const old = await this.master();
    await this.sentinels[0].asks('SENTINEL', 'FAILOVER', this.name);
    return { old, master: await this.hasLeft(old) };
  }

  async stop() {
    await Promise.all([...this.sentinels, ...this.servers].map((one) => one.stop('SIGKILL')));
  }
}
