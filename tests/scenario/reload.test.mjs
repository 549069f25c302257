// SPDX-License-Identifier: MIT
// reload.test.mjs - every setting of options.def goes down and up while all kinds of things are
// half-way; a setting that is new is in it by itself.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, test } from 'node:test';
import { request } from '../lib/request.mjs';
import { makeRoot, REPO, startServer } from '../lib/server.mjs';
import { newKey, SessionClient } from '../lib/session-client.mjs';
import { until } from '../lib/until.mjs';
import { frame, handshake, OP } from '../lib/ws-raw.mjs';

// ---- the settings

const TYPE = /^(TEXT|LIST|NUMBER|SIZE|TIME|CHOICE|FLAG)\((\w+), "([a-z0-9-]+)", (.*)\)$/;

/** Values of those that are text: two of each, as an operator would have them. */
const TEXTS = {
  listen: [],
  origin: ['https://a.example', 'http://b.example'],
  'trusted-proxy': ['10.0.0.0/8', 'unix'],
  'base-path': ['/app', '/a/b'],
  serve: ['/talk.sh', '/nothing.db'],
  root: ['/tmp'],
  sdk: ['none'],
  user: ['nobody'],
  group: ['nogroup'],
  'tls-cert': [],
  'tls-key': [],
  admin: [],
  'admin-host': ['admin.example'],
  'access-log': ['/dev/null'],
  stdio: ['/lines=cat', 'cat -u'],
  'stdio-files': ['/talk*', 'terminal:/nothing'],
  'stdio-subprotocol': ['/lines=mqtt', 'chat'],
  'run-as': ['/nothing=nobody', 'nobody:nogroup'],
  'program-limits': ['file-size=1G', 'memory=2G'],
  shared: ['/talk.sh', '/shared.sh=3'],
  'tcp-ca': ['/etc/ssl/certs/ca-certificates.crt'],
  'publish-token': [],
  'state-key': [],
  broker: ['redis://127.0.0.1:1/3', 'unix:/nowhere'],
  'broker-password-file': [],
  'broker-ca': [],
  'broker-cert': [],
  'broker-key': [],
  'cluster-name': ['a', 'b.c'],
  'cluster-listen': [],
  'cluster-address': [],
  'cluster-key': [],
  dns: ['127.0.0.1:9', '[::1]:9'],
  'dns-anchor': ['none'],
  rules: ['deny <*>', 'allow <*> exclude <b.example>'],
  'self-ports': ['1-65535', '9'],
  private: ['10.0.0.0/8', '127.0.0.0/8'],
  address: ['192.0.2.1', '2001:db8::1'],
  vouch: ['a.example:1', 'b.example:2'],
  block: ['*.a.example', 'b.example:2'],
  unblock: ['25'],
};
const RATE = ['1,1', 'off', '60000,60000'];

/** [{name, values}] from the lowest to the highest, for each row. */
function settings() {
  const rows = fs.readFileSync(path.join(REPO, 'src/serve/options.def'), 'utf8').split('\n');
  return rows
    .map((row) => TYPE.exec(row))
    .filter(Boolean)
    .map(([, type, , name, rest]) => {
      const [, low, high] = /, ?(\d+), (\d+), (?:"[A-Z]+", )?"/.exec(rest) ?? [];
      if (type === 'FLAG') return { name, values: ['true', 'false'] };
      if (type === 'CHOICE')
        return { name, values: /^"[^"]*", "([^"]+)"/.exec(rest)[1].split(' ') };
      if (name.startsWith('rate-')) return { name, values: RATE };
      if (low === undefined) return { name, values: TEXTS[name] };
      const unit = type === 'TIME' ? 'ms' : '';
      return { name, values: [low, high].map((value) => `${value}${unit}`) };
    });
}

test('each setting of options.def is known here with its values', () => {
  const all = settings();
  assert.ok(all.length > 80, `${all.length}`);
  for (const { name, values } of all) assert.ok(Array.isArray(values), `no values for ${name}`);
});

// ---- what is half-way

/** Its stdout is the page; it echoes what it hears, and publishes it. */
const TALK = `#!/bin/sh
printf 'Content-Type: text/html\\n\\n<title>talk</title>'
exec >&-
echo '.subscribe {"topic":"t","presence":{"a":1},"to":"page"}' >&3
while read -r line <&3; do
  case $line in
  e\\ *) echo "$line" >&3; echo '.publish {"topic":"t","event":"p","data":1}' >&3 ;;
  .stream\\ *) echo '.accept {"id":1}' >&3 ;;
  esac
done
`;
const FILES = {
  'talk.sh': { mode: 0o755, text: TALK },
  'let-in.sh': { mode: 0o755, text: TALK.replace(/^printf.*$/m, 'echo') },
  'never.sh': { mode: 0o755, text: '#!/bin/sh\nexec sleep 600\n' },
  'shared.sh': {
    mode: 0o755,
    text: `#!/bin/sh
while read -r session word rest <&3; do
  [ "$word" = .join ] || continue
  printf '%s .answer "Content-Type: text/html\\\\n\\\\n<title>half"\\n' "$session" >&3
done
`,
  },
  'big.bin': 'x'.repeat(4 << 20),
  'file.txt': 'file',
};

const http = (line, ...more) => [line, 'Host: 127.0.0.1', ...more, '', ''].join('\r\n');
const upgrade = (server, at, protocol) =>
  handshake(
    {
      Host: `127.0.0.1:${server.port}`,
      Origin: server.url,
      ...(protocol && { 'Sec-WebSocket-Protocol': protocol }),
    },
    { line: `GET ${at} HTTP/1.1` },
  );
const session = () => `httpsocket.v1, key.${newKey()}`;
const channel = (type, text) =>
  frame(OP.BINARY, Buffer.concat([Buffer.from([type, 0, 0, 0, 1]), Buffer.from(text)]));
const X = 'x'.repeat(700);

/** What each connection begins with, and how it goes on. */
const HALF_WAY = {
  head: [() => `GET /file.txt HTTP/1.1\r\nX: ${X}`, () => X],
  'body in chunks': [
    () => `${http('POST /never HTTP/1.1', 'Transfer-Encoding: chunked')}5\r\nhello\r\n`,
    () => `2bc\r\n${X}\r\n`,
  ],
  'body of a length': [() => http('POST /talk HTTP/1.1', 'Content-Length: 90000'), () => X],
  'answer that is not read': [() => http('GET /big.bin HTTP/1.1'), () => '', { reads: false }],
  'connection between two requests': [
    () => http('GET /file.txt HTTP/1.1'),
    () => http('GET /file.txt HTTP/1.1'),
    { hears: /200 OK/ },
  ],
  'request that the program does not answer': [() => http('GET /never HTTP/1.1'), () => ''],
  'handshake that the program does not answer': [
    (server) => upgrade(server, '/never', session()),
    () => frame(OP.TEXT, 'e 1'),
  ],
  'page that does not connect': [
    () => http('GET /talk HTTP/1.1'),
    () => '',
    { hears: /<title>talk/ },
  ],
  'half an answer of a shared program': [
    () => http('GET /shared HTTP/1.1'),
    () => '',
    { hears: /<title>half/ },
  ],
  'message in fragments': [
    (server) => [upgrade(server, '/let-in'), frame(OP.TEXT, X, { fin: false })],
    () => frame(OP.CONTINUATION, X, { fin: false }),
    { hears: / 101 / },
  ],
  'frame that has begun': [
    (server) => [upgrade(server, '/let-in'), frame(OP.TEXT, X.repeat(20)).subarray(0, 1000)],
    () => X,
    { hears: / 101 / },
  ],
  'session that acknowledges nothing': [
    (server) => upgrade(server, '/let-in', session()),
    () => frame(OP.TEXT, `e "${X}"`),
    { hears: /\.subscribed|\.welcome/ },
  ],
  'stream of a session': [
    (server) => [upgrade(server, '/let-in', session()), channel(1, '{"kind":"stream","name":"a"}')],
    () => channel(3, X),
    { hears: /\.welcome/ },
  ],
};

class Connection {
  constructor(server, [begins, goesOn, { reads = true, hears = /^/ } = {}]) {
    Object.assign(this, { server, begins, goesOn, reads, hears });
  }

  #write(pieces) {
    for (const piece of [pieces].flat()) if (piece.length) this.socket.write(piece);
  }

  /** Begins again if the server has ended it; resolves when it is as far as it should be. */
  async begins_if_over() {
    if (this.socket?.writable && !this.socket.readableEnded) return;
    this.socket?.destroy();
    this.socket = net.connect({ port: this.server.port, host: '127.0.0.1' });
    this.socket.on('error', () => {}); // the server may end it at any time
    await new Promise((resolve) => this.socket.once('connect', resolve));
    this.#write(this.begins(this.server));
    if (!this.reads) return;
    let text = '';
    this.socket.on('data', (data) => (text = (text + data.toString('latin1')).slice(0, 4096)));
    await until(
      () => this.hears.test(text),
      () => `${this.hears} in ${text}`,
    );
  }

  goes_on() {
    if (this.socket.writable) this.#write(this.goesOn(this.server));
  }
}

// ---- the story

const BASE = `rate-programs = off
rate-client = off
rate-origin = off
eof-grace = 100ms
term-grace = 200ms
goodbye-timeout = 300ms
attach-timeout = 5s
detach-timeout = 5s
drain-timeout = 2s
shared = /shared.sh
`;
const folder = makeRoot({ ...FILES, '.conf': BASE });
const conf = path.join(folder.root, '.conf');
let server;

after(async () => {
  SessionClient.dropAll();
  await server?.stop('SIGKILL');
  folder.remove();
});

test(
  'whatever is half-way lives through every reload, or ends as it should',
  { timeout: 600000 },
  async () => {
    server = await startServer({
      root: folder.root,
      args: ['--config', conf, '--admin', '127.0.0.1:0'],
    });
    const connections = Object.values(HALF_WAY).map((half) => new Connection(server, half));
    let reloads = 0;
    const reads = async (line) => {
      fs.writeFileSync(conf, `${BASE}${line}\n`);
      server.child.kill('SIGHUP');
      reloads++;
      await until(
        () =>
          server.lines(/config\.(reloaded|refused)/).length >= reloads ||
          server.child.exitCode !== null ||
          server.child.signalCode !== null,
      );
      assert.ok(server.child.exitCode === null && server.child.signalCode === null, line);
    };
    for (const { name, values } of settings()) {
      for (const connection of connections) await connection.begins_if_over();
      for (const value of values) {
        if (name.startsWith('log-')) continue; // the log is what this test reads
        await reads(`${name} = "${value}"`);
        for (const connection of connections) connection.goes_on();
      }
      await reads('');
      for (const connection of connections) connection.goes_on();
    }
    for (const connection of connections) connection.socket.destroy();
    const client = await SessionClient.connects(server, 'let-in');
    client.says('e "as ever"');
    const ended = client.closed.then((end) => assert.fail(`closed: ${JSON.stringify(end)}`));
    await Promise.race([client.hears(/^e "as ever"$/), ended]);
    ended.catch(() => {});
    assert.equal((await request(server.at('file.txt'))).body, 'file');
    SessionClient.dropAll();
    await server.ends();
  },
);
