// SPDX-License-Identifier: MIT
// torture.mjs - small scenarios in which each allocation, and each system call, of the server fails
// once (tests/torture/faults.c). Whatever fails: the server lives on, nothing is left over, and
// what is lost is told, to the client and in the log.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import WebSocket from 'ws';
import { startZones } from './access.mjs';
import { HERE, zonesOf } from './gateway.mjs';
import { request } from './request.mjs';
import { adminOf, BUILD, IO, makeRoot, startProgram } from './server.mjs';
import { newKey, SessionClient } from './session-client.mjs';
import { StatefulPage } from './stateful-page.mjs';
import { Streams } from './streams.mjs';
import { until } from './until.mjs';

export const KINDS = { allocation: 1, 'system call': 2 };
const PATIENCE_MS = 10000 * Number(process.env.HTTPSOCKET_PATIENCE ?? 1);

// ---- orders: struct orders of faults.c

class Orders {
  constructor(file) {
    this.file = file;
    fs.writeFileSync(file, Buffer.alloc(96));
    this.fd = fs.openSync(file, 'r+');
  }

  arm(kind, failAt, trace = false) {
    const bytes = Buffer.alloc(92); // all but `armed`, which comes last
    bytes.writeUInt32LE(trace ? 1 : 0, 0);
    bytes.writeBigUInt64LE(BigInt(failAt), 4);
    this.disarm();
    fs.writeSync(this.fd, bytes, 0, bytes.length, 4);
    this.#arm(KINDS[kind]);
  }

  disarm() {
    this.#arm(0);
  }

  #arm(value) {
    const word = Buffer.alloc(4);
    word.writeUInt32LE(value);
    fs.writeSync(this.fd, word, 0, 4, 0);
  }

  /** {count, failed, name}: of calls since it was armed, and what failed. */
  read() {
    const bytes = Buffer.alloc(96);
    fs.readSync(this.fd, bytes, 0, 96, 0);
    return {
      count: Number(bytes.readBigUInt64LE(16)),
      failed: bytes.readUInt32LE(24),
      name: bytes.toString('latin1', 28, 88).replace(/\0.*$/s, ''),
    };
  }
}

// ---- the programs

const TALK = `printf 'Content-Type: text/html\\n\\n<title>talk</title>'
exec >&-
while read -r line <&3; do
  case $line in
  e\\ *) echo "$line" >&3 ;;
  add\\?*) line=\${line%% *}; echo "=\${line#*\\?} 3" >&3 ;;
  .stream\\ *) echo '.accept {"id":1}' >&3; printf '.stream/1 @5\\nhello\\n.end {"id":1}\\n' >&3 ;;
  topic*) echo '.subscribe {"topic":"t","to":"page","presence":{"a":1}}' >&3 ;;
  .subscribed*) echo '.publish {"topic":"t","event":"p","data":1}' >&3 ;;
  .problem*) echo "problem \${line#.problem }" >&3 ;;
  esac
done
`;
const program = (text) => ({ mode: 0o755, text: `#!/bin/sh\n${text}` });
const FILES = {
  'talk.sh': program(TALK),
  'direct.sh': program(TALK.replace(/^printf.*$/m, 'echo')),
  'shared.sh': program(`while read -r session word rest <&3; do
  case $word in
  .join) printf '%s .answer "Content-Type: text/html\\\\n\\\\n<title>shared"\\n%s .answer\\n' \\
      "$session" "$session" >&3 ;;
  e) echo "$session e $rest" >&3 ;;
  esac
done
`),
  'saver.sh': program(`echo
exec >&-
while read -r line <&3; do
  case $line in
  s\\ *) echo ".save \${line#s }" >&3 ;;
  .restore*) echo "has \${line#.restore }" >&3 ;;
  esac
done
`),
  'file.txt': 'x'.repeat(70000),
};

// ---- what a client does

/** Something was lost, and the client knows. All other failures are faults of the server. */
class Told extends Error {}

const told = (why) => {
  throw new Told(why);
};

async function getPage(server, where, needed) {
  const answer = await request(server.at(where), server.secure ? { headers: {} } : {});
  if (answer.status !== 200) told(`status ${answer.status}`);
  if (!answer.body.includes(needed)) throw new Error(`not the answer: ${answer.body}`);
  return answer;
}

/** What comes first: the promise, or the end of the client's session, which is told. */
const orEnd = (client, promise) =>
  Promise.race([promise, client.closed.then(({ code, reason }) => told(`${code} ${reason}`))]);

async function connects(server, where, session) {
  const client = new SessionClient(server.at(where), { session, key: newKey() });
  await client.connect();
  return client;
}

async function withClient(server, where, use) {
  const client = await connects(server, where);
  try {
    await use(client);
    client.send('.close {"reason":"over"}');
    await client.closed;
  } finally {
    client.ws.terminate();
  }
}

/** Name: what to do with a server that is up. */
export const SCENARIOS = {
  async page(server) {
    const { headers } = await getPage(server, 'talk', '<title>talk');
    const session = headers['session-id'];
    if (!session) told('a page without a session');
    await getPage(server, 'file.txt', 'xxxx');
    const client = await connects(server, 'talk', session);
    try {
      client.send('e {"x":1}');
      await orEnd(client, client.hears('e {"x":1}'));
      client.send('.close {"reason":"over"}');
      await client.closed;
    } finally {
      client.ws.terminate();
    }
  },
  call: (server) =>
    withClient(server, 'direct', async (client) => {
      client.send('add?1 [1,2]');
      await orEnd(client, client.hears('=1 3'));
      client.send(`e "${'long '.repeat(20000)}"`);
      await orEnd(client, client.hears(/^e "long/));
    }),
  stream: (server) =>
    withClient(server, 'direct', async (client) => {
      const streams = new Streams(client);
      streams.kept = 1 << 20;
      const stream = streams.open({ kind: 'stream', name: 'a' });
      const refused = stream.opened.then(
        () => new Promise(() => {}),
        (error) => told(error.message),
      );
      const bytes = await Promise.race([orEnd(client, stream.readAll()), refused]);
      if (bytes.toString() !== 'hello') told(JSON.stringify(stream.end ?? 'no end'));
      await stream.write('and back');
      stream.finish();
    }),
  topic: (server) =>
    withClient(server, 'direct', async (client) => {
      client.send('topic');
      const line = await orEnd(client, client.next(/^(p|problem) /));
      if (line !== 'p 1') told(line);
    }),
  async shared(server) {
    const { headers } = await getPage(server, 'shared', '<title>shared');
    const client = await connects(server, 'shared', headers['session-id']);
    try {
      client.send('e 1');
      await orEnd(client, client.hears('e 1'));
      client.send('.close {"reason":"over"}');
      await client.closed;
    } finally {
      client.ws.terminate();
    }
  },
  async state(server) {
    const page = new StatefulPage(server.at('saver'));
    try {
      await page.connect();
      page.says(`s "${'kept '.repeat(8000)}"`);
      await orEnd(page, page.isSaved(0));
      await page.closes();
      await page.asksAnew();
      page.ws.send(page.restore('gone', 0));
      await orEnd(page, page.hears(/^has .*kept kept/));
      await page.closes();
    } finally {
      page.ws.terminate();
    }
  },
  async stdio(server) {
    const ws = new WebSocket(server.at('lines').replace(/^http/, 'ws'), { origin: server.url });
    const closed = new Promise((resolve, reject) => {
      ws.on('close', (code, reason) => reject(new Told(`${code} ${reason}`)));
      ws.on('error', (error) => reject(new Told(error.message)));
    });
    closed.catch(() => {});
    try {
      await Promise.race([once(ws, 'open'), closed]);
      ws.send('hello');
      const [data] = await Promise.race([once(ws, 'message'), closed]);
      if (data.toString() !== 'hello') throw new Error(`not what was said: ${data}`);
    } finally {
      ws.terminate();
    }
  },
  async tcp(server) {
    const client = await connects(server, '.httpsocket/connect');
    const streams = new Streams(client);
    streams.kept = 1 << 20;
    try {
      const stream = await orEnd(client, streams.connect('b.test', server.target));
      await stream.write('through');
      const back = await orEnd(client, stream.read(7));
      if (back.toString() !== 'through') told(JSON.stringify(stream.end ?? back.toString()));
    } catch (error) {
      throw error.reason ? new Told(error.reason) : error;
    } finally {
      client.ws.terminate();
    }
  },
  tls: async (server) => {
    const socket = tls.connect({ port: server.port, host: '127.0.0.1', rejectUnauthorized: false });
    let text = '';
    socket.on('data', (data) => (text += data));
    socket.write('GET /talk HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n');
    await new Promise((resolve, reject) => {
      socket.on('close', resolve).on('error', (error) => reject(new Told(error.message)));
    });
    if (!/^HTTP\/1.1 200 /.test(text) || !text.includes('0\r\n\r\n')) told(text.split('\r\n')[0]);
  },
  async reload(server) {
    const before = server.lines(/config\.(reloaded|refused)/).length;
    server.child.kill('SIGHUP');
    await until(() => server.lines(/config\.(reloaded|refused)/).length > before);
    if (/refused/.test(server.lines(/config\.(reloaded|refused)/).at(-1))) told('refused');
  },
  async drain(server) {
    const client = await connects(server, 'direct').finally(() => server.child.kill('SIGTERM'));
    client.send('e 1');
    const { code, reason } = await client.closed;
    if (code !== 1012) told(`${code} ${reason}`);
  },
};

/** Errors of a client's socket tell it that something was lost. */
const LOST = /ECONNRESET|EPIPE|socket hang up|closed: |refused: |Unexpected server response/;
const isTold = (error) =>
  error instanceof Told || LOST.test(`${error.code} ${error.message}`) || error.status >= 400;

// ---- the server

const CONFIG = `rate-programs = off
rate-client = off
eof-grace = 50ms
term-grace = 100ms
goodbye-timeout = 100ms
attach-timeout = 500ms
detach-timeout = 500ms
answer-timeout = 2s
head-timeout = 2s
body-timeout = 2s
write-timeout = 2s
idle-timeout = 2s
drain-timeout = 2s
shared-idle = 200ms
shared = /shared.sh
stdio-output = pipe
`;

function certify(folder) {
  const [cert, key] = ['cert.pem', 'key.pem'].map((name) => path.join(folder, name));
  const made = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=a';
  const options = [...made.split(' '), '-out', cert, '-keyout', key];
  execFileSync('openssl', options, { stdio: 'ignore' });
  return ['--tls-cert', cert, '--tls-key', key];
}

async function startTarget() {
  const target = net.createServer((socket) => socket.on('error', () => {}).pipe(socket));
  target.listen(0, HERE);
  await once(target, 'listening');
  return target;
}

/** Runs one scenario with one fault after the other, on a server that is started when needed. */
export class Torture {
  constructor(scenario) {
    this.scenario = scenario;
    this.secure = scenario === 'tls';
    this.ends = scenario === 'drain';
    this.folder = makeRoot({ ...FILES, '.conf': CONFIG });
    const own = fs.mkdtempSync(path.join(os.tmpdir(), 'torture-'));
    this.orders = new Orders(path.join(own, 'orders'));
  }

  async #start() {
    this.target ??= await startTarget();
    const { port } = this.target.address();
    const conf = path.join(this.folder.root, '.conf');
    const alone = ['--no-supervisor', '--threads', '1', '--listen', '127.0.0.1:0'];
    const args = [...alone, '--stdio', '/lines=cat', '--config', conf];
    this.certificate ??= this.secure ? certify(this.folder.root) : [];
    const tcp = this.scenario === 'tcp' ? await this.#nameServer(port) : [];
    this.server = await startProgram(
      path.join(BUILD, 'tests/torture/httpsocketd-torture'),
      [...IO, ...args, '--admin', '127.0.0.1:0', ...tcp, ...this.certificate, this.folder.root],
      { env: { TORTURE_FILE: this.orders.file } },
    );
    this.server.target = port;
    await adminOf(this.server);
    if (this.ends) return;
    await SCENARIOS[this.scenario](this.server); // what is made once is made
    await this.server.isAtRest();
  }

  /** The options by which pages may reach the target. */
  async #nameServer(port) {
    this.dns ??= await startZones(zonesOf());
    const dns = ['--dns', `127.0.0.1:${this.dns.relay.port}`, '--dns-anchor', 'none'];
    return [...dns, '--vouch', `b.test:${port}`, '--private', '127.0.0.0/8'];
  }

  get #died() {
    const { child } = this.server;
    return child.exitCode !== null || child.signalCode !== null;
  }

  /** Resolves with how often a call of this kind is made without a fault. */
  async counts(kind) {
    const { count } = await this.#run(kind, 0);
    return count;
  }

  /** One run; what is wrong with it is in `fault`, if anything is. */
  async fails(kind, n, trace) {
    const run = await this.#run(kind, n, trace);
    const where = `${this.scenario}: ${kind} ${n} (${run.name || 'none'})`;
    const frames = run.log.filter((line) => /^ +#[2-5] /.test(line)).map((line) => line.trim());
    return run.fault ? { ...run, fault: `${where}: ${run.fault}\n  ${frames.join('\n  ')}` } : run;
  }

  async #run(kind, n, trace) {
    if (!this.server || this.#died) await this.#start();
    const { server } = this;
    const seen = server.log.length;
    let error, late, timer;
    this.orders.arm(kind, n, trace);
    const slow = new Promise((resolve) => {
      timer = setTimeout(() => ((late = true), resolve()), PATIENCE_MS);
    });
    await Promise.race([SCENARIOS[this.scenario](server).catch((e) => (error = e)), slow]);
    clearTimeout(timer);
    SessionClient.dropAll();
    const rest = await this.#rests();
    this.orders.disarm();
    const result = this.orders.read();
    const unexplained = () =>
      !server.log.slice(seen).some((line) => / (warn|error) | tcp\.closed /.test(line));
    if (error && n && result.failed)
      await until(() => !unexplained(), unexplained, 2000).catch(() => {});
    const log = server.log.slice(seen);
    const crash = /ERROR: AddressSanitizer|runtime error|Assertion/;
    const crashed = log.find((line) => crash.test(line));
    const fault = crashed
      ? `the server crashed:\n${log.slice(log.indexOf(crashed)).join('\n')}`
      : late
        ? 'the client was told nothing'
        : error && !isTold(error)
          ? `${error.stack}`
          : rest ||
            (error && n && result.failed && unexplained()
              ? `the log says nothing of it, the client was told: ${error.message}`
              : undefined);
    if (fault) await this.#stop(true); // the next one begins afresh
    return { ...result, fault, log, error };
  }

  /** What is still there that should not be. */
  async #rests() {
    const { server } = this;
    if (this.ends) {
      const end = await Promise.race([
        server.exited,
        new Promise((resolve) => setTimeout(resolve, PATIENCE_MS)),
      ]);
      if (!end) return 'the server does not end';
      return end.code === 0 ? undefined : `the server ended with ${JSON.stringify(end)}`;
    }
    const rest = async () => {
      if (this.#died) throw new Error('the server has died');
      await server.isAtRest();
    };
    return rest().catch((error) => `left over: ${error.message}`);
  }

  async #stop(kill) {
    const { server } = this;
    this.server = undefined;
    if (!server) return;
    if (kill) await server.stop('SIGKILL');
    else if (!this.ends) await server.ends();
  }

  /** Ends the server, which has leaked nothing. */
  async done() {
    try {
      await this.#stop(false);
    } finally {
      this.target?.close();
      await this.dns?.stop();
      this.folder.remove();
      fs.rmSync(path.dirname(this.orders.file), { recursive: true });
    }
  }
}
