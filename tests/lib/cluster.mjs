// SPDX-License-Identifier: MIT
// cluster.mjs - several servers that share a broker, each of which can be killed and come back.
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { ownFolder, ownPort } from './daemon.mjs';
import { startServer } from './server.mjs';

/** Rates that count one address; here all clients have the same. */
const UNLIMITED = ['client', 'origin', 'programs', 'lookups', 'handshakes'].flatMap((name) => [
  `--rate-${name}`,
  'off',
]);

/** One place of the cluster: its ports stay, its server may end and come back. */
class Place {
  server = null;

  async start() {
    this.server = await startServer(this.options);
    return this.server;
  }

  get isRunning() {
    return this.server !== null;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  at(where) {
    return `${this.url}/${where}`;
  }

  /** It ends without a word, as a machine does whose power fails. */
  async kill() {
    const { server } = this;
    this.server = null;
    await server.stop('SIGKILL');
  }

  /** It drains, and ends. */
  async stop() {
    const { server } = this;
    this.server = null;
    return server.stop('SIGTERM');
  }

  async comesBack() {
    return this.start();
  }
}

export class Cluster {
  /**
   * `count` servers with this `broker` (a URL, several, or null for none), one key and one name.
   * `args` are more options of each, `argsOf(i)` those of one.
   */
  static async start({
    count = 3,
    broker = null,
    name = `test-${randomBytes(4).toString('hex')}`,
    args = [],
    argsOf = () => [],
    ...options
  } = {}) {
    const cluster = new Cluster();
    const folder = ownFolder('cluster');
    const key = path.join(folder, 'key');
    fs.writeFileSync(key, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600 });
    Object.assign(cluster, { name, key });
    cluster.places = [];
    const brokers = [broker ?? []].flat();
    for (let i = 0; i < count; i++) {
      const place = new Place();
      place.port = await ownPort();
      place.adminPort = await ownPort();
      place.clusterPort = await ownPort();
      place.options = {
        ...options,
        args: [
          ...['--listen', `127.0.0.1:${place.port}`, '--admin', `127.0.0.1:${place.adminPort}`],
          ...['--state-key', key, '--trusted-proxy', '127.0.0.1', ...UNLIMITED],
          ...(brokers.length ? cluster.#shares(place, brokers) : []),
          ...args,
          ...argsOf(i),
        ],
      };
      cluster.places.push(place);
    }
    await Promise.all(cluster.places.map((place) => place.start()));
    if (brokers.length) await cluster.isKnown();
    return cluster;
  }

  /** Waits until each server knows of all that run. */
  async isKnown() {
    const known = new RegExp(` cluster\\.servers count=${this.servers.length} `);
    await Promise.all(this.servers.map((server) => server.logged(known)));
  }

  #shares({ clusterPort }, brokers) {
    return [
      ...brokers.flatMap((url) => ['--broker', url]),
      ...['--cluster-name', this.name, '--cluster-key', this.key],
      ...['--cluster-listen', `127.0.0.1:${clusterPort}`],
    ];
  }

  /** The servers that run now. */
  get servers() {
    return this.places.map(({ server }) => server).filter(Boolean);
  }

  /** All end by SIGTERM, as they should. */
  async ends() {
    await Promise.all(this.servers.map((server) => server.ends()));
    for (const place of this.places) place.server = null;
  }
}
