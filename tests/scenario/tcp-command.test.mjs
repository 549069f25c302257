// SPDX-License-Identifier: MIT
// `httpsocket tcp` against the gateway: like nc, through cuts, ssh by ProxyCommand; and a client in
// Python that was written from the docs alone.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { Command } from '../lib/command.mjs';
import { HERE, echo, startGateway, startTarget, zonesOf } from '../lib/gateway.mjs';
import { Proxy, random } from '../lib/proxy.mjs';
import { BUILD, REPO, makeRoot } from '../lib/server.mjs';
import { until } from '../lib/until.mjs';

const COMMAND = path.join(BUILD, 'httpsocket');
const MIB = 1 << 20;
const TALK = fs.readFileSync(path.join(REPO, 'tests/scenario/programs/talk.py'), 'utf8');

let gateway, proxy, root;
const targets = [];
const children = new Set();

before(async () => {
  proxy = await Proxy.start(1); // its port is a part of the server's origin
  root = makeRoot({ 'index.html': '<!doctype html>', 'talk.py': { text: TALK, mode: 0o755 } });
  const zones = zonesOf({
    'b.test': { records: `@ 10 A ${HERE}\n_script-access 10 TXT "v=sa1; allow=*; port=*"` },
    'closed.test': { records: `@ 10 A ${HERE}` },
  });
  gateway = await startGateway({ zones, root: root.root, args: ['--origin', proxy.url] });
  proxy.to(gateway.port);
});
after(async () => {
  Command.killAll();
  for (const child of children) child.kill('SIGKILL');
  await gateway?.stop();
  for (const target of targets) await target.stop();
  await proxy?.stop();
  root?.remove();
});

async function target(serve, options) {
  const started = await startTarget(serve, options);
  targets.push(started);
  return started;
}

/** `httpsocket tcp` by way of the gateway, through the proxy. */
const start = (args, { via = proxy.url } = {}) =>
  Command.starts('tcp', ...args, ...(via ? ['--via', via] : []));

/** Cuts each WebSocket after a random number of bytes of either direction, `times` times. */
function plan(times, seed, most) {
  const next = random(seed);
  const until = proxy.cuts + times;
  proxy.plan(() =>
    proxy.cuts < until ? { downAfter: 600 + next() * most, upAfter: 600 + next() * most } : {},
  );
}

const received = (metrics) => metrics.httpsocket_tcp_received_bytes_total;
const digest = (bytes) => createHash('sha256').update(bytes).digest('hex');

describe('httpsocket tcp', () => {
  test('carries stdin there and what comes to stdout, and ends when both have', async () => {
    const { port } = await target(echo);
    const run = start(['b.test', port]);
    run.child.stdin.end('hello there\n');
    assert.deepEqual(await run.ended, {
      status: 0,
      signal: null,
      out: Buffer.from('hello there\n'),
      err: '',
    });
  });

  test('ends stdout with the target, and takes stdin on', async () => {
    const { port, next } = await target();
    const run = start(['b.test', port]);
    const socket = await next();
    const heard = [];
    socket.on('data', (data) => heard.push(data));
    socket.end('last words');
    await once(run.child.stdout, 'end');
    assert.equal(run.out.toString(), 'last words');
    run.child.stdin.end('and mine');
    await once(socket, 'end');
    assert.equal(Buffer.concat(heard).toString(), 'and mine');
    assert.equal((await run.ended).status, 0);
  });

  test('goes through the session of a program as well', async () => {
    const { port } = await target(echo);
    const run = start(['b.test', port], { via: `${proxy.url}/talk.py` });
    run.child.stdin.end('by way of a program');
    assert.deepEqual(await run.ended, {
      status: 0,
      signal: null,
      out: Buffer.from('by way of a program'),
      err: '',
    });
  });

  test('tells a refusal by its token and when to come back, and exits 1', async () => {
    const { port } = await target(echo);
    const refused = start(['closed.test', port]);
    assert.match(
      (await refused.ended).err,
      /^httpsocket: closed\.test:\d+: no-record: .*again in \d+ s\)\n$/,
    );
    assert.equal((await refused.ended).status, 1);
    const literal = start(['127.0.0.9', port]);
    assert.match((await literal.ended).err, /target-ip-literal/);
    const { server } = await startTarget();
    const { port: dead } = server.address();
    server.close();
    await once(server, 'close');
    assert.match(
      (await start(['b.test', dead]).ended).err,
      /^httpsocket: b\.test:\d+: target-refused/,
    );
  });

  test('is refused itself by an origin that is not let in, and where no server is', async () => {
    const { err, status } = await start(['b.test', 7, '--origin', 'http://stranger.example']).ended;
    assert.match(err, /^httpsocket: 44(03|21) \S+/);
    assert.equal(status, 1);
    const nowhere = await start(['b.test', 7], { via: 'http://127.0.0.1:1' }).ended;
    assert.deepEqual([nowhere.status, nowhere.err], [1, 'httpsocket: 1006 Connection refused\n']);
  });

  test('wants a host, a port and a server', async () => {
    for (const args of [
      [],
      ['b.test'],
      ['b.test', 'http'],
      ['b.test', 0],
      ['b.test', 65536],
      ['b.test', '+7'],
      ['b.test', 7, 8],
      ['', 7],
      ['b.test', 7, '--exec', 'x'],
    ])
      assert.equal((await start(args).ended).status, 2, args.join(' '));
    assert.match((await start(['b.test', 7], { via: null }).ended).err, /tcp needs --via URL/);
    assert.equal((await start(['b.test', 7], { via: 'ftp://b.test' }).ended).status, 2);
  });

  test('--secure is TLS from the server to the target, which has to be who it says', async () => {
    const { port } = await target(echo);
    const { err, status } = await start(['b.test', port, '--secure'], {}).ended;
    assert.match(err, /^httpsocket: b\.test:\d+: tls-failed/);
    assert.equal(status, 1);
  });

  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT'])
    test(`${signal} resets the connection at once, though the session would have waited`, async () => {
      const { port, next } = await target();
      const run = start(['b.test', port]);
      const socket = await next();
      run.child.kill(signal);
      // An end if it had not been told yet.
      await new Promise((resolve) => socket.on('end', resolve).on('close', resolve).resume());
      assert.equal((await run.ended).status, 1);
    });

  test('a stdout that nobody reads any more ends it', async () => {
    const { port } = await target((socket) => {
      socket.on('error', () => {});
      // Not `destroyed`: that may come after a turn without end.
      const write = (error) => error || socket.write(Buffer.alloc(65536), write);
      write();
    });
    const run = start(['b.test', port]);
    await once(run.child.stdout, 'data');
    run.child.stdout.destroy();
    const { status, err } = await run.ended;
    assert.equal(status, 1);
    assert.match(err, /stdout: Broken pipe/);
  });

  test('who does not read stdout makes the target wait', async () => {
    const { port, next } = await target((socket) => socket.write(Buffer.alloc(64 * MIB)));
    const run = start(['b.test', port]);
    run.child.stdout.pause();
    const socket = await next();
    const begun = received(await gateway.metrics());
    let last = begun;
    await until(async () => last === (last = received(await gateway.metrics())) && last > begun);
    assert.ok(socket.writableLength > 32 * MIB);
    const resident =
      Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${run.child.pid}/status`, 'utf8'))[1]) *
      1024;
    run.child.kill();
    run.child.stdout.resume();
    await run.ended;
    assert.ok(resident < 200 * MIB, `${resident / MIB} MiB`); // with the sanitizers' own
  });

  test('100 cuts at random bytes lose and double nothing, both ways', async () => {
    const seed = Number(process.env.HTTPSOCKET_SEED ?? Date.now() % 1e9);
    const size = 48 * MIB;
    const sent = randomBytes(size);
    const { port } = await target(echo);
    const cuts = proxy.cuts;
    plan(100, seed, 600000);
    const run = start(['b.test', port, '-q']);
    run.child.stdin.end(sent);
    const { status, out, err } = await run.ended;
    proxy.plan(() => ({}));
    assert.deepEqual([status, err, out.length], [0, '', size], `HTTPSOCKET_SEED=${seed}`);
    assert.equal(digest(out), digest(sent), `HTTPSOCKET_SEED=${seed}`);
    assert.equal(proxy.cuts - cuts, 100);
  });

  test('a cut is told on stderr, and that it is over', async () => {
    const { port, next } = await target(echo);
    const run = start(['b.test', port]);
    await next();
    run.child.stdin.write('before ');
    await until(() => run.out.toString() === 'before ');
    proxy.refuse(true);
    proxy.cut();
    await until(() => /^httpsocket: no connection: .*; trying again\n$/.test(run.err));
    proxy.refuse(false);
    run.child.stdin.end('after');
    const { status, out, err } = await run.ended;
    assert.deepEqual([status, out.toString()], [0, 'before after']);
    assert.match(err, /trying again\nhttpsocket: connected\n$/);
  });
});

describe(
  'ssh by ProxyCommand',
  { skip: !fs.existsSync('/usr/sbin/sshd') && 'openssh-server is not installed' },
  () => {
    let folder, daemon, port;
    const sshKey = (name) => path.join(folder, name);
    before(async () => {
      folder = fs.mkdtempSync(path.join(os.tmpdir(), 'httpsocket-ssh-'));
      for (const name of ['host', 'user'])
        execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', sshKey(name)]);
      fs.copyFileSync(sshKey('user.pub'), sshKey('authorized'));
      const free = net.createServer().listen(0, HERE);
      await once(free, 'listening');
      port = free.address().port;
      free.close();
      await once(free, 'close');
      fs.writeFileSync(
        sshKey('config'),
        [
          `ListenAddress ${HERE}:${port}`,
          `HostKey ${sshKey('host')}`,
          `AuthorizedKeysFile ${sshKey('authorized')}`,
          'PasswordAuthentication no',
          'KbdInteractiveAuthentication no',
          'UsePAM no',
          'StrictModes no',
          'PidFile none',
          'PermitRootLogin yes',
          'LogLevel VERBOSE',
          '',
        ].join('\n'),
      );
      // Its privilege separation wants it.
      if (process.getuid() === 0) fs.mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
      daemon = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', sshKey('config')], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      let log = '';
      daemon.stderr.on('data', (data) => (log += data));
      await until(
        () => /Server listening/.test(log) || (daemon.exitCode !== null && assert.fail(log)),
        () => log,
      );
    });
    after(async () => {
      daemon?.kill();
      if (daemon?.exitCode === null) await once(daemon, 'exit');
      fs.rmSync(folder, { recursive: true, force: true });
    });

    function ssh(...command) {
      const options = {
        ProxyCommand: `${COMMAND} tcp %h %p -q --via ${proxy.url}`,
        IdentityFile: sshKey('user'),
        IdentitiesOnly: 'yes',
        BatchMode: 'yes',
        StrictHostKeyChecking: 'no',
        UserKnownHostsFile: '/dev/null',
        LogLevel: 'ERROR',
        GlobalKnownHostsFile: '/dev/null',
      };
      const child = spawn('ssh', [
        '-F',
        'none',
        ...Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]),
        '-p',
        port,
        'b.test',
        ...command,
      ]);
      children.add(child);
      const out = [];
      let err = '';
      child.stdout.on('data', (data) => out.push(data));
      child.stderr.on('data', (data) => (err += data));
      const closed = once(child, 'close').then(
        ([status]) => (children.delete(child), { status, out: Buffer.concat(out), err }),
      );
      return { child, closed, text: () => Buffer.concat(out).toString() };
    }

    test('runs a command, with its exit status', async () => {
      assert.deepEqual(await ssh('echo to the other side; exit 7').closed, {
        status: 7,
        out: Buffer.from('to the other side\n'),
        err: '',
      });
    });

    test('a shell lives through cuts of the WebSocket', async () => {
      const { child, closed, text } = ssh('sh');
      const asks = async (line, answer) => {
        child.stdin.write(line);
        await until(
          () => text().endsWith(answer),
          () => text().slice(-200),
        );
      };
      await asks('x=1; echo set\n', 'set\n');
      for (let i = 0; i < 5; i++) {
        assert.equal(proxy.cut(), 1);
        await asks(`x=$((x + 1)); echo now $x\n`, `now ${i + 2}\n`);
      }
      child.stdin.end('exit 3\n');
      const { status, err } = await closed;
      assert.deepEqual([status, err], [3, '']);
    });

    test('a file of 16 MiB arrives whole through 20 cuts', async () => {
      const file = randomBytes(16 * MIB);
      fs.writeFileSync(path.join(folder, 'file'), file);
      const cuts = proxy.cuts;
      plan(20, 4711, 600000);
      const { status, out, err } = await ssh(`cat ${folder}/file`).closed;
      proxy.plan(() => ({}));
      assert.deepEqual([status, err], [0, '']);
      assert.equal(digest(out), digest(file));
      assert.equal(proxy.cuts - cuts, 20);
    });
  },
);

describe('a client in Python, from the docs alone', () => {
  const run = (...args) => {
    const child = spawn(
      '/usr/bin/python3',
      [path.join(REPO, 'tests/lib/tcp_client.py'), ...args.map(String)],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    children.add(child);
    let out = '',
      err = '';
    child.stdout.on('data', (data) => (out += data));
    child.stderr.on('data', (data) => (err += data));
    return once(child, 'close').then(([status]) => (children.delete(child), { status, out, err }));
  };
  const url = () => `${proxy.url.replace('http', 'ws')}/.httpsocket/connect`;

  test('sends and gets 16 MiB through 30 cuts, with the right checksum', async () => {
    const { port } = await target(echo);
    const cuts = proxy.cuts;
    plan(30, 42, 1000000);
    const { status, out, err } = await run(url(), proxy.url, 'b.test', port, 16 * MIB);
    proxy.plan(() => ({}));
    assert.equal(status, 0, err);
    const { sent, received, connections } = JSON.parse(out);
    assert.equal(received, sent);
    assert.equal(proxy.cuts - cuts, 30);
    assert.ok(connections > 20, `${connections}`);
  });

  test('hears a refusal', async () => {
    const { status, err } = await run(url(), proxy.url, 'closed.test', 7, 10);
    assert.equal(status, 1);
    assert.equal(JSON.parse(err).reason, 'no-record');
  });
});
