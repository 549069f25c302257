// SPDX-License-Identifier: MIT
// cluster-command.test.mjs - `httpsocket cluster`: one of several servers is asked about all.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { metrics } from '../lib/access.mjs';
import { Cluster } from '../lib/cluster.mjs';
import { endDaemons } from '../lib/daemon.mjs';
import { Redis } from '../lib/redis.mjs';
import { BUILD, adminOf, program, servingOf, startServer, stopAll } from '../lib/server.mjs';
import { Page, SessionClient } from '../lib/session-client.mjs';
import { after, before, describe, test } from '../lib/test.mjs';
import { until } from '../lib/until.mjs';

let redis;
before(async () => (redis = await Redis.start()));
after(async () => {
  SessionClient.dropAll();
  await stopAll();
  await endDaemons();
});

/** Runs `httpsocket cluster`: {status, out, err}. */
async function ask(adminPort, ...args) {
  const admin = ['--admin', `127.0.0.1:${adminPort}`];
  const child = spawn(path.join(BUILD, 'httpsocket'), ['cluster', ...admin, ...args]);
  const said = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text) => (said.out += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (said.err += text));
  const [status] = await once(child, 'close');
  return { status, ...said };
}
const list = async ({ adminPort }) => JSON.parse((await ask(adminPort, '--json')).out);

describe('three servers', () => {
  let cluster, one, other;
  const pages = [];
  before(async () => {
    cluster = await Cluster.start({
      count: 3,
      broker: redis.url,
      threads: 2,
      files: { 'talk.py': program('talk.py') },
    });
    [one, other] = cluster.places;
    await Promise.all(
      cluster.servers.map((server) => server.logged(/cluster\.servers .*count=3 /)),
    );
    await Promise.all(cluster.servers.map((server) => server.logged(/policy\.shared/)));
    for (const place of [one, one, other]) pages.push(await Page.loads(place, 'talk'));
    for (const page of pages) await page.connects?.();
  });
  const sessions = async (place, tag) =>
    (await list(place)).servers.find((server) => server.tag === tag)?.about?.sessions;

  test('any of them knows all, with what they have to do', async () => {
    const { servers, self } = await list(other);
    assert.equal(servers.length, 3);
    assert.equal(new Set(servers.map(({ tag }) => tag)).size, 3);
    assert.ok(servers.some(({ tag }) => tag === self));
    for (const { version, draining, late, since } of servers) {
      assert.match(version, /^\d+\.\d+/);
      assert.ok(!draining && !late);
      assert.ok(Math.abs(since - Date.now() / 1000) < 120);
    }
    const { self: ofOne } = await list(one);
    await until(async () => (await sessions(other, ofOne)) === 2);
    await until(async () => (await sessions(other, self)) === 1);
    const about = (await list(one)).servers.find(({ tag }) => tag === ofOne).about;
    assert.equal(about.pages, 2);
    assert.equal(about.programs, 2);
    assert.ok(about.brokerMicroseconds > 0);
  });

  test('as a table, with a star at the one that was asked', async () => {
    const { status, out } = await ask(one.adminPort);
    assert.equal(status, 0);
    const lines = out.trim().split('\n');
    assert.equal(lines.length, 4);
    assert.match(lines[0], /^NAME +TAG +VERSION +STATE +UPTIME +SESSIONS/);
    assert.equal(lines.filter((line) => line.endsWith(' *')).length, 1);
    for (const line of lines.slice(1)) assert.match(line, / serves /);
  });

  test('the sessions of all, each with its server', async () => {
    const { status, out, err } = await ask(other.adminPort, '--sessions');
    assert.equal(`${status} ${err}`, '0 ');
    const all = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.equal(all.length, 3);
    const { self } = await list(one);
    assert.equal(all.filter(({ server }) => server === self).length, 2);
  });

  test('the metrics of all, each family once, as Prometheus reads them', async () => {
    const { status, out } = await ask(other.adminPort, '--metrics');
    assert.equal(status, 0);
    const { self } = await list(one);
    const sample = new RegExp(`^httpsocket_sessions\\{server="${self}",name="[^"]+"\\} 2$`, 'm');
    assert.match(out, sample);
    assert.match(
      out,
      /^httpsocket_http_answers_total\{server="\w{8}",name="[^"]+",class="2xx"\} \d/m,
    );
    const heads = out.match(/^# TYPE \S+/gm);
    assert.equal(new Set(heads).size, heads.length);
    let family = '';
    for (const line of out.trim().split('\n')) {
      if (line.startsWith('# TYPE ')) family = line.split(' ')[2];
      else if (!line.startsWith('#')) assert.ok(line.startsWith(`${family}{`), line);
    }
    assert.equal(out.match(/^httpsocket_sessions\{/gm).length, 3);
  });

  test('one that does not answer is named, and the others are heard', async () => {
    const third = cluster.places[2];
    const { self } = await list(third);
    const serving = servingOf(third.server.child.pid);
    process.kill(serving, 'SIGSTOP');
    try {
      const { status, out, err } = await ask(one.adminPort, '--sessions');
      assert.equal(status, 1);
      assert.equal(out.trim().split('\n').length, 3);
      assert.match(err, new RegExp(`\\(${self}\\): no-answer`));
    } finally {
      process.kill(serving, 'SIGCONT');
    }
  });

  test('bans are lifted at all', async () => {
    const { status, out } = await ask(one.adminPort, '--lift-bans');
    assert.equal(status, 0);
    assert.match(out, /at all servers/);
    await other.server.logged(/bans\.lifted by=cluster/);
  });

  test('while the broker is away there is no list, and no command waits', async () => {
    await redis.stop();
    await one.server.logged(/broker\.down/);
    await until(async () => (await ask(one.adminPort)).status === 1);
    const { status, err } = await ask(one.adminPort, '--sessions');
    assert.equal(status, 1);
    assert.match(err, /the broker is away/);
    assert.match((await ask(one.adminPort, '--lift-bans')).out, /of this server/);
    await redis.starts();
    await until(async () => (await ask(one.adminPort)).status === 0);
    assert.ok((await metrics(one.adminPort)).httpsocket_sessions === 2);
  });
});

test('a server without a broker is alone, and says so', async () => {
  const server = await startServer({ args: ['--admin', '127.0.0.1:0'] });
  const { port } = new URL(await adminOf(server));
  const { status, err } = await ask(port);
  assert.equal(status, 1);
  assert.match(err, /this server is alone/);
  assert.equal((await ask(port, '--json', '--sessions')).status, 2);
  const answer = await fetch(`http://127.0.0.1:${port}/cluster?x`);
  assert.equal(answer.status, 400);
  assert.equal((await fetch(`http://127.0.0.1:${port}/lift-bans`)).status, 405);
});
