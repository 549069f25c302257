// SPDX-License-Identifier: MIT
// balancer.mjs - Debian's HAProxy and nginx before several servers, with the files of
// examples/cluster, in which only the addresses are other ones.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { Daemon, ownFolder, ownPort } from './daemon.mjs';
import { request } from './request.mjs';
import { REPO } from './server.mjs';
import { until } from './until.mjs';

export const HAPROXY = '/usr/sbin/haproxy';
export const NGINX = '/usr/sbin/nginx';

const example = (name) => fs.readFileSync(path.join(REPO, 'examples/cluster', name), 'utf8');

/** The text with each of these replaced, every one of which is there. */
function replaced(text, changes) {
  for (const [pattern, by] of changes) {
    assert.match(text, pattern);
    text = text.replace(pattern, by);
  }
  return text;
}

class Balancer {
  constructor(daemon, port) {
    Object.assign(this, { daemon, port, url: `http://127.0.0.1:${port}` });
  }

  at(where) {
    return `${this.url}/${where}`;
  }

  stop() {
    return this.daemon.stop('SIGTERM');
  }
}

/** It balances when somebody answers, if only that nobody is there. */
async function begins(file, args, port) {
  const daemon = new Daemon(file, args);
  const url = `http://127.0.0.1:${port}/`;
  const answers = () => {
    assert.ok(daemon.isRunning, daemon.log.join('\n'));
    return request(url).then(
      () => true,
      () => false,
    );
  };
  await until(answers, () => daemon.log.join('\n'));
  return new Balancer(daemon, port);
}

/** `servers`: [{port, adminPort}]. It asks each for its health, twice a second. */
export async function startHaproxy(servers) {
  const port = await ownPort();
  const lines = servers.map(
    ({ port, adminPort }, i) => `    server s${i} 127.0.0.1:${port} check port ${adminPort}\n`,
  );
  const text = replaced(example('haproxy.cfg'), [
    [/bind :80$/m, `bind 127.0.0.1:${port}`],
    [/maxconn 200000/, 'maxconn 5000'],
    [/inter 1s/, 'inter 500ms'],
    [/(^ {4}server .*\n)+/m, lines.join('')],
  ]);
  const file = path.join(ownFolder('haproxy'), 'haproxy.cfg');
  fs.writeFileSync(file, text);
  return begins(HAPROXY, ['-db', '-f', file], port);
}

/** nginx asks nobody: a server that refuses is passed over for a second. */
export async function startNginx(servers) {
  const port = await ownPort();
  const folder = ownFolder('nginx');
  const lines = servers.map(({ port }) => `        server 127.0.0.1:${port} $1;\n`);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  const text = replaced(example('nginx.conf'), [
    [/listen 80;/, `listen 127.0.0.1:${port};`],
    [/(?:^ {8}server \S+ (.*);\n)+/m, lines.join('')],
    [/^http \{$/m, `http {\naccess_log off; ${temporary.join(' ')}`],
  ]);
  const file = path.join(folder, 'nginx.conf');
  const head = `daemon off; master_process off; pid ${folder}/pid; error_log stderr;\n`;
  fs.writeFileSync(file, head + text);
  return begins(NGINX, ['-c', file, '-p', folder], port);
}
