// SPDX-License-Identifier: MIT
// storm.mjs - several servers behind a balancer that spreads at random, and what happens to them:
// connections are cut, servers are killed, brokers are restarted, paused and failed over.
import fs from 'node:fs';
import path from 'node:path';
import { startHaproxy } from '../../tests/lib/balancer.mjs';
import { Cluster } from '../../tests/lib/cluster.mjs';
import { random } from '../../tests/lib/proxy.mjs';
import { Redis, WatchedPair } from '../../tests/lib/redis.mjs';
import { REPO, resources } from '../../tests/lib/server.mjs';
import { until } from '../../tests/lib/until.mjs';
import { Page } from './page.mjs';
import { TopicRecord } from './record.mjs';

const FAULTS_MAX = 30;
const LOADS_AT_ONCE = 50;
const PAUSE_MS = 10_000;
const STILL_MS = 8000;
const LONG_MS = 5000;
const BEHIND_MS = 2000; // of what the master has answered its replica does not know
const QUIET_MS = 60_000;
const SETTINGS = {
  shared: '/storm',
  threads: '2',
  'programs-max': '20000',
  'shared-per-client': '20000',
  'memory-per-client': '1G',
  'presence-grace': '3s',
  'topic-linger': '5s',
  // The pages of a server that drains all read a past at once, by one slow program.
  'topic-backlog': '64M',
  'ping-interval': '5s',
  'detach-timeout': '30s',
};

/** What may happen, by the names that the option has. */
export const HAPPENINGS = {
  'master-dies': async ({ pair }) => {
    await pair.fallsBehind();
    await sleep(BEHIND_MS);
    const { old } = await pair.losesMaster();
    await old.starts();
  },
  'broker-pauses': async ({ single }) => {
    single.pauses();
    await sleep(PAUSE_MS);
    single.goesOn();
  },
  'broker-restarts': ({ single }) => single.restarts(),
  'master-is-exchanged': ({ pair }) => pair.isExchanged(),
  /** It is paused until another one is the master, and then goes on as if it were one. */
  'master-pauses': async ({ pair }) => {
    const master = await pair.master();
    master.pauses();
    await pair.hasLeft(master);
    master.goesOn();
    await until(
      async () => (await master.role()) === 'slave',
      () => 'a replica',
      30_000,
    );
  },
  'broker-is-emptied': ({ single }) => single.asks('FLUSHALL'),
  'broker-dies-empty': async ({ single }) => {
    await single.asks('FLUSHALL');
    await single.restarts('SIGKILL');
  },
  'scripts-are-flushed': ({ single }) => single.asks('SCRIPT', 'FLUSH'),
  'links-are-cut': async ({ single }) => {
    await single.asks('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await single.asks('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  },
  /** All others take it for dead: its pages go on elsewhere, and it comes back. */
  'server-stands-still': async (storm) => {
    const [server] = storm.cluster.servers;
    const { pid } = server;
    storm.mayEnd(server);
    storm.isRestless();
    process.kill(pid, 'SIGSTOP');
    await sleep(STILL_MS);
    process.kill(pid, 'SIGCONT');
  },
};

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const MIB = 2 ** 20;

export class Storm {
  faults = [];
  pages = [];
  /** Servers that were killed or drained: their sessions may end. */
  #dead = new Set();
  #timers = [];
  #watched = null;
  #calm = Date.now();
  /** Milliseconds that a page was away. */
  longest = { resumed: 0, restored: 0 };
  counts = { up: 0, down: 0, kills: 0, drains: 0, brokers: 0, wrong: 0 };
  sizes = [];

  /**
   * @param options {sessions, topics, servers, every (ms), seconds, seed, rate (events in 1 s),
   * happenings: names of HAPPENINGS}
   */
  constructor(options, tell) {
    Object.assign(this, options, { tell, chance: random(options.seed) });
  }

  fails(text) {
    this.faults.push(text);
    if (this.faults.length <= FAULTS_MAX) this.tell(`FAULT: ${text}`);
  }

  // ---- what the pages tell

  begins(page, uncovered) {
    if (uncovered === null) {
      Object.assign(page, { said: 0, told: 0, repeats: new Set(), home: null });
      page.record.forgets(page);
      return;
    }
    const numbers = uncovered
      .filter((text) => text.startsWith('n '))
      .map((t) => Number(t.slice(2)));
    page.repeats = new Set(numbers);
    page.record.leaves(page, uncovered);
  }

  /** The sessions of this server may end from now on. */
  mayEnd(server) {
    this.#dead.add(server);
  }

  /** Who is seen is not looked at until what happens is over. */
  isRestless() {
    this.#calm = Infinity;
  }

  /** Whether the page's session may be over. */
  ends(page) {
    return page.home === null || this.#dead.has(page.home);
  }

  leaves(page) {
    page.home = null;
  }

  /** Its connection was closed, and it tries again. */
  waits(page, code, reason) {
    (page.refusals ??= []).push(`${code} ${reason}`.trim());
  }

  /** `goes on`: its program is the one that it had. */
  attached(page, goesOn) {
    page.attachedSince = Date.now();
    if (goesOn) this.#isBack(page, 'resumed');
  }

  #isBack(page, how) {
    const away = page.awaySince ? Date.now() - page.awaySince : 0;
    this.longest[how] = Math.max(this.longest[how], away);
    if (away > LONG_MS) this.tell(`${page} ${how} after ${away} ms: ${page.refusals}`);
    page.awaySince = null;
    page.refusals = [];
  }

  hears(page, name, data) {
    this.counts.down++;
    if (name === 'm') this.#counted(page, data);
    else if (name === 'here') this.#isAt(page, data.parent);
    else if (name === 'sub') this.#isSubscribed(page, data);
    else if (name === 'ev') page.record.event(page, data);
    else if (name === 'pr') page.record.presence(page, data);
    else this.fails(`${page}: ${name} ${JSON.stringify(data)}`);
  }

  #counted(page, number) {
    if (number === page.told + 1) page.told = number;
    else if (!page.repeats.delete(number)) this.fails(`${page}: m ${number} after ${page.told}`);
  }

  /** Its program is a child of this process. */
  #isAt(page, parent) {
    page.home = this.cluster.servers.find((server) => server.pid === parent) ?? null;
  }

  #isSubscribed(page, told) {
    page.record.subscribed(page, told);
    this.#isBack(page, 'restored');
  }

  // ---- what the pages do

  #starts(what, everyMs) {
    this.#timers.push(setInterval(what, everyMs));
  }

  #pick() {
    return this.pages[Math.floor(this.chance() * this.pages.length)];
  }

  #counts() {
    const page = this.#pick();
    if (!page.hasState) return;
    page.says(`n ${++page.said}`);
    this.counts.up++;
  }

  #publishes() {
    const page = this.#pick();
    if (page.hasState) page.says(`pub ${page.record.publishes(page.number)}`);
  }

  #cuts() {
    const share = this.chance() < 0.05 ? 0.5 : 0.02;
    for (const page of this.pages) if (this.chance() < share) page.cuts();
  }

  #looks() {
    const there = this.pages.filter((page) => page.isAttached);
    for (const record of this.records) {
      const mine = there.filter((page) => page.record === record);
      for (const wrong of record.wrongPresence(mine, this.#calm)) {
        this.counts.wrong++;
        this.fails(wrong);
      }
    }
  }

  // ---- what happens

  async #killsServer(drains) {
    const at = this.counts.kills++ % this.servers;
    const place = this.cluster.places[at];
    this.mayEnd(place.server);
    this.#calm = Date.now();
    this.tell(`server ${at} ${drains ? 'drains' : 'is killed'}`);
    if (drains) this.counts.drains++;
    const ended = drains ? place.stop() : place.kill();
    await sleep(this.every / 3);
    await ended;
    await place.comesBack();
    this.tell(`server ${at} is back`);
  }

  async #happensToBroker() {
    const what = this.happenings[this.counts.brokers++ % this.happenings.length];
    await this.#watched;
    this.tell(what);
    await HAPPENINGS[what](this);
    this.#calm = Date.now();
    this.tell(`${what}: over`);
    // Before the next one the Sentinels have to know all again.
    if (what.startsWith('master')) this.#watched = this.pair.isWatched();
  }

  async #happens() {
    const end = Date.now() + this.seconds * 1000;
    for (let round = 0; Date.now() < end && this.faults.length === 0; round++) {
      const next = Date.now() + this.every;
      const server = this.#killsServer(round % 4 === 1);
      await sleep(this.every * 0.4);
      await Promise.all([server, round % 2 === 0 || this.isShort ? this.#happensToBroker() : null]);
      await sleep(Math.max(0, next - Date.now()));
      await this.#measures();
    }
  }

  async #measures() {
    const servers = this.cluster.servers.map((server) => ({
      memory: server.resident / MIB,
      descriptors: resources(server.pid).descriptors,
    }));
    const broker = await this.single.asks('INFO', 'memory');
    const keys = await this.single.asks('DBSIZE');
    const used = Number(/used_memory:(\d+)/.exec(broker)[1]) / MIB;
    this.sizes.push({ servers, used, keys });
    const each = servers.map((s) => `${s.memory.toFixed(0)} MiB ${s.descriptors} fds`).join(', ');
    this.tell(`servers: ${each}; broker ${used.toFixed(1)} MiB, ${keys} keys`);
  }

  // ---- the whole

  async runs() {
    await this.#begins();
    try {
      await this.#loads();
      this.#starts(() => this.#counts(), 2000 / this.sessions);
      this.#starts(() => this.#publishes(), 1000 / this.rate);
      this.#starts(() => this.#cuts(), 1000);
      this.#starts(() => this.#looks(), 1000);
      this.#starts(() => this.pages.forEach((page) => page.acknowledges()), 1000);
      await this.#happens();
      await this.#isQuiet();
      await this.#empties();
    } finally {
      this.#timers.forEach(clearInterval);
      this.pages.forEach((page) => page.closes());
    }
    await this.#ends();
    return this.#report();
  }

  async #begins() {
    this.single = await Redis.start({ keeps: true });
    this.pair = await WatchedPair.start({ sentinels: 3, downAfter: 1500 });
    const args = Object.entries(SETTINGS).flatMap(([name, value]) => [`--${name}`, value]);
    const text = fs.readFileSync(path.join(REPO, 'fuzz/cluster/storm.py'), 'utf8');
    this.cluster = await Cluster.start({
      count: this.servers,
      broker: [this.pair.url, this.single.url],
      files: { storm: { text, mode: 0o755 } },
      args,
    });
    this.balancer = await startHaproxy(this.cluster.places);
    this.url = this.balancer.url;
    this.records = Array.from(
      { length: this.topics },
      (_, i) => new TopicRecord(`storm/${i}`, (fault) => this.fails(fault)),
    );
  }

  async #loads() {
    for (let i = 0; i < this.sessions; i++) {
      const record = this.records[i % this.topics];
      const page = new Page(this, i, record.name);
      page.record = record;
      this.pages.push(page);
    }
    for (let i = 0; i < this.sessions; i += LOADS_AT_ONCE)
      await Promise.all(this.pages.slice(i, i + LOADS_AT_ONCE).map((page) => page.loads()));
    await this.#becomes(() => this.pages.filter((page) => !page.hasState).map(String));
    this.tell(`${this.sessions} sessions`);
  }

  /** Waits until nobody is left of those who are named. */
  async #becomes(left, ms = QUIET_MS) {
    const end = Date.now() + ms;
    for (;;) {
      const named = left();
      if (!named.length || this.faults.length) return;
      if (Date.now() > end)
        return this.fails(`${named.length} are left: ${named.slice(0, 5).join('; ')}`);
      await sleep(100);
    }
  }

  /** Nothing happens any more: all that was said is heard. */
  async #isQuiet() {
    this.#timers.splice(0, 3).forEach(clearInterval);
    await this.#becomes(() => [
      ...this.pages.filter((p) => p.told !== p.said).map((p) => `${p}: ${p.told} of ${p.said}`),
      ...this.records.flatMap((r) => r.unfinished(this.pages.filter((p) => p.record === r))),
    ]);
    // Presence is looked at once a second meanwhile.
    if (!this.faults.length) await sleep(Math.max(0, this.#calm + 15_000 - Date.now()));
  }

  /** Nobody is there any more: the servers and the broker forget all. */
  async #empties() {
    if (this.faults.length) return;
    this.#timers.forEach(clearInterval);
    this.pages.forEach((page) => page.closes());
    for (const server of this.cluster.servers)
      await until(
        async () => (await server.metric('sessions')) === 0,
        async () => `${await server.metric('sessions')} sessions`,
        QUIET_MS,
      );
    // What belongs to a topic is forgotten a minute after its last use.
    for (const redis of [this.single, await this.pair.master()]) {
      const keys = (await redis.asks('KEYS', '*')).filter((key) => /:[tspmr]:/.test(key));
      for (const key of keys)
        if ((await redis.asks('PTTL', key)) === -1) this.fails(`${key} stays in the broker`);
    }
  }

  async #ends() {
    await this.#watched;
    await this.balancer.stop();
    await this.cluster.ends();
    await this.pair.stop();
    await this.single.stop();
  }

  #report() {
    const sum = (pick) => this.pages.reduce((n, page) => n + pick(page.counts), 0);
    const topics = (pick) => this.records.reduce((n, record) => n + pick(record.counts), 0);
    const { counts } = this;
    return (
      `${counts.kills} servers killed (${counts.drains} of them drained), ${counts.brokers} times` +
      ` the broker; ${sum((c) => c.cuts)} connections cut, ${sum((c) => c.resumed)} resumed` +
      ` within ${this.longest.resumed} ms, ${sum((c) => c.restored)} pages restored within` +
      ` ${this.longest.restored} ms,` +
      ` ${sum((c) => c.loaded) - this.sessions} loaded anew; ${counts.up} messages up and` +
      ` ${counts.down} down; ${topics((c) => c.events)} topic events heard` +
      ` ${topics((c) => c.heard)} times, ${topics((c) => c.lost)} told as lost,` +
      ` ${topics((c) => c.past)} of them from the past, ${topics((c) => c.doubled)} published again` +
      ` by a restored page; presence wrong ${counts.wrong} times; ${this.faults.length} faults`
    );
  }
}
