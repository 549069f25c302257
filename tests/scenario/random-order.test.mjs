// SPDX-License-Identifier: MIT
// random-order.test.mjs - clients that break off anywhere and come again with the same key,
// shared programs that answer late, by halves or not at all, bodies that are cut, and
// reloads that lower and raise limits, all at the same time, in the order of a seed. The
// server lives, and nothing stays behind.
//
// SEED=N repeats an order as far as the clock allows; SECONDS=N goes on for longer.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { random } from '../lib/proxy.mjs';
import { request } from '../lib/request.mjs';
import { adminOf, makeRoot, startServer } from '../lib/server.mjs';
import { until } from '../lib/until.mjs';
import { closeFrame, frame, handshake, OP } from '../lib/ws-raw.mjs';

const SECONDS = Number(process.env.SECONDS ?? 5);
const AT_ONCE = 10;

/** What it does with a request is in its query; a line of a page may end it too. */
const SHARED = {
  mode: 0o755,
  text: `#!/usr/bin/env python3
import json, os, socket, sys
fd = socket.socket(fileno=3)
if not os.environ.get("HTTPSOCKET_SHARED"):
    fd.sendall(b".shared\\n")
late = []
def say(session, word, *data):
    fd.sendall(f"@{session} {word}{''.join(' ' + json.dumps(d) for d in data)}\\n".encode())
def answer(session, page):
    if page:
        say(session, ".answer", "Content-Type: text/html\\n\\n<title>x")
    say(session, ".answer")
for line in fd.makefile(errors="replace"):
    session, word, *rest = line[1:].rstrip("\\n").split(" ", 2)
    if word == ".join":
        data = json.loads(rest[0])
        how, page = data["query"], data["page"]
        while len(late) > 3:
            answer(*late.pop(0))
        if how == "late":
            late.append((session, page))
        elif how == "half":
            say(session, ".answer", "Content-Type: text/html\\n\\n<title>x" if page else "X: y\\n")
        elif how == "flood":
            say(session, ".answer", "Content-Type: text/html\\n\\n")
            for i in range(40):
                fd.sendall(f"@{session} .answer @65536\\n".encode() + b"x" * 65536 + b"\\n")
            say(session, ".answer")
        elif how == "refuse":
            say(session, ".answer", "Status: 403\\n\\n")
        elif how == "wrong":
            say(session, ".nonsense", 1)
        elif how == "close":
            say(session, "hello", 1)
            say(session, ".close", {"reason": "enough"})
            answer(session, page)
        elif how == "die":
            say(session, ".answer", "Content-Type: text/html\\n\\n<title>x")
            os._exit(0)
        else:
            answer(session, page)
    elif word == ".leave":
        say(session, ".answer")
    elif word == "die":
        os._exit(1)
    elif word[:1] != ".":
        say(session, "echo", 1)
`,
};

/** One process a client: \`late\`, \`never\`, \`half\` and \`die\` in the query. */
const SINGLE = {
  mode: 0o755,
  text: `#!/bin/sh
case "$QUERY_STRING" in
late) sleep 0.1 ;;
never) exec sleep 9 ;;
refuse) echo "Status: 403"; echo; exit ;;
half) printf "Content-Type: text/html"; exit ;;
die) kill -9 $$ ;;
esac
printf 'Content-Type: text/html\\n\\n<title>x</title>\\n'
exec >&-
echo "hello 1" >&3
head -c 100 <&3 >/dev/null
`,
};

const ARGS = [
  ...['--rate-programs', 'off', '--rate-client', 'off', '--rate-origin', 'off'],
  ...['--answer-timeout', '400ms', '--attach-timeout', '300ms', '--detach-timeout', '300ms'],
  ...['--eof-grace', '100ms', '--term-grace', '100ms', '--body-timeout', '500ms'],
  ...['--head-timeout', '500ms', '--shared', '/named.py', '--shared-idle', '300ms'],
  ...['--admin', '127.0.0.1:0', '--log-level', 'info', '--ping-interval', '1s'],
];

let server;
after(() => server?.stop('SIGKILL'));

test(
  'an order of a random kind ends neither the server nor leaves anything behind',
  {
    timeout: 120000,
  },
  async (t) => {
    const seed = Number(process.env.SEED ?? Date.now() % 2 ** 32);
    t.diagnostic(`SEED=${seed}`);
    const rand = random(seed);
    const pick = (...all) => all[Math.floor(rand() * all.length)];
    const upTo = (n) => Math.floor(rand() * n);

    const names = ['named', 'own0', 'own1', 'own2', 'own3', 'own4', 'own5'];
    const folder = makeRoot({
      ...Object.fromEntries(names.map((name) => [`${name}.py`, SHARED])),
      'single.sh': SINGLE,
      '.conf': '',
    });
    const conf = path.join(folder.root, '.conf');
    server = await startServer({
      root: folder.root,
      threads: 2,
      args: ['--config', conf, ...ARGS],
    });
    const { port } = server;
    const admin = await adminOf(server);

    const keys = Array.from({ length: 5 }, (_, i) => `key-${i}-${'k'.repeat(24)}`);
    const target = () =>
      rand() < 0.6
        ? `/${pick(...names)}?${pick('', '', 'late', 'late', 'half', 'flood', 'refuse', 'wrong', 'close', upTo(8) ? '' : 'die')}`
        : `/single?${pick('', '', 'late', 'never', 'refuse', 'half', 'die')}`;
    const shake = (how) =>
      handshake(
        {
          Host: `127.0.0.1:${port}`,
          Origin: server.url,
          ...(how && { 'Sec-WebSocket-Protocol': `httpsocket.v1, key.${pick(...keys)}` }),
        },
        { line: `GET ${target()} HTTP/1.1` },
      );
    const head = (method, ...lines) =>
      [`${method} ${target()} HTTP/1.1`, `Host: 127.0.0.1:${port}`, ...lines, '', ''].join('\r\n');
    const body = 'x'.repeat(20000);
    const speech = () =>
      pick(
        frame(OP.TEXT, 'hello 1'),
        frame(OP.TEXT, `hello "${'x'.repeat(upTo(5000))}"`),
        frame(OP.TEXT, `hello "${'x'.repeat(upTo(5000))}`, { fin: false }),
        frame(OP.CONTINUATION, 'y"', { fin: pick(true, false) }),
        frame(OP.TEXT, upTo(10) ? '.ack 1' : '.ack 99'),
        frame(OP.TEXT, '.bye'),
        frame(OP.TEXT, upTo(10) ? 'hello 2' : 'die 1'),
        frame(OP.TEXT, 'OPEN'),
        closeFrame(1000),
      );

    /** Sends the pieces with pauses, perhaps reads nothing, and leaves in one of three ways. */
    async function visit(...pieces) {
      const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
      socket.on('error', () => {});
      const closed = new Promise((resolve) => socket.on('close', resolve));
      await Promise.race([once(socket, 'connect'), closed]);
      if (rand() < 0.8) socket.resume();
      for (const piece of pieces) {
        const bytes = Buffer.from(piece);
        const cut = rand() < 0.2 ? upTo(bytes.length) : bytes.length;
        if (!socket.writable) break;
        socket.write(bytes.subarray(0, cut));
        await wait(upTo(20));
        socket.write(bytes.subarray(cut));
        if (rand() < 0.4) await wait(upTo(150));
      }
      const resets = rand() < 0.5;
      if (!resets && rand() < 0.5) socket.end();
      if (rand() < 0.3) await Promise.race([closed, wait(600)]);
      if (resets) socket.resetAndDestroy();
      else socket.destroy();
    }

    const reload = async () => {
      const limits = {
        'head-max': pick(512, 700, 16384),
        'message-max': pick(1024, 3000, 100000, 16777216),
        'buffer-max': pick(65536, 1048576),
        window: pick(65536, 1048576),
        'body-max': pick(10000, 1048576),
        'goodbye-timeout': pick('0ms', '50ms', '300ms', '2s'),
        'shared-page-max': pick(4096, 65536, 8388608),
        'shared-max': pick(65536, 268435456),
        'shared-per-client': pick(3, 1024),
        'programs-max': pick(5, 64),
      };
      const lines = Object.entries(limits).map(([name, value]) => `${name} = ${value}\n`);
      fs.writeFileSync(conf, rand() < 0.1 ? 'nonsense' : lines.join(''));
      server.child.kill('SIGHUP');
      await wait(upTo(100));
    };

    const actions = [
      () => visit(shake(true)),
      () => visit(shake(true)),
      () => visit(shake(true), speech(), speech(), speech(), speech()),
      () => visit(shake(false), speech(), speech(), speech()),
      () => visit(head('GET')),
      () => visit(head('GET'), head('GET')),
      () => visit(head('GET', `X: ${'x'.repeat(upTo(8000))}`)),
      () => visit(head('POST', `Content-Length: ${body.length}`), body),
      () => visit(head('POST', `Content-Length: ${body.length}`), body.slice(upTo(body.length))),
      () => visit(head('POST', 'Transfer-Encoding: chunked'), '5\r\nabcde\r\n', '5\r\nab'),
      () => visit(head('POST', 'Transfer-Encoding: chunked'), '5\r\nabcde\r\n', '0\r\n\r\n'),
      () => visit(head('HEAD')),
      reload,
    ];
    const end = Date.now() + SECONDS * 1000;
    const alive = () => server.child.exitCode === null && server.child.signalCode === null;
    let count = 0;
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (; Date.now() < end && alive(); count++) await pick(...actions)();
      }),
    );
    t.diagnostic(`${count} visits`);

    const log = () => server.log.slice(-60).join('\n');
    assert.ok(alive(), log());
    fs.writeFileSync(conf, '');
    server.child.kill('SIGHUP');
    let metrics;
    await until(
      async () => {
        metrics = (await request(`${admin}/metrics`)).body;
        return ['connections', 'programs', 'sessions', 'websockets', 'shared_pages'].every((name) =>
          new RegExp(`^httpsocket_${name} 0$`, 'm').test(metrics),
        );
      },
      () =>
        `${metrics.match(/^httpsocket_(connections|programs|sess|web|shared).*/gm).join('\n')}\n${log()}`,
      30000,
    );
    assert.deepEqual(await server.stop(), { code: 0, signal: null }, log());
    assert.deepEqual(
      server.log.filter((line) => /ERROR: .*Sanitizer|runtime error/.test(line)),
      [],
    );
    folder.remove();
  },
);
