// SPDX-License-Identifier: MIT
// Protocols of others over WebSocket: a program without a session, or the operator for a stdio
// program, chooses among the subprotocols that the client offers.
import assert from 'node:assert/strict';
import WebSocket from 'ws';
import { after, before, test } from '../lib/test.mjs';
import { RawHttp } from '../lib/http-raw.mjs';
import { program, startServer } from '../lib/server.mjs';

/** A broker of MQTT 3.1.1 that knows CONNECT, PINGREQ and PUBLISH (which it sends back). */
const BROKER = program(`#!/usr/bin/python3
import os, sys
offered = os.environ.get("HTTP_SEC_WEBSOCKET_PROTOCOL", "")
if "mqtt" in offered:
    print("Sec-WebSocket-Protocol: mqtt\\nSet-Cookie: a=1\\nX-Broker: 1\\nContent-Type: text/plain\\n")
else:
    print("Status: 400\\n")
sys.stdout.close()
line = os.fdopen(3, "r+b", buffering=0)
reader = os.fdopen(os.dup(3), "rb")
def send(data):
    line.write(b"message @%d\\n%s\\n" % (len(data), data))
for head in reader:
    if not head.startswith(b"message @"):
        continue
    packet = reader.read(int(head.split(b"@")[1]) + 1)[:-1]
    kind = packet[0] >> 4
    send(b"\\x20\\x02\\x00\\x00" if kind == 1 else b"\\xd0\\x00" if kind == 12 else packet)
`);
const ODD = program(`#!/bin/sh
case $QUERY_STRING in
two) printf 'Sec-WebSocket-Protocol: a\\nSec-WebSocket-Protocol: b\\n\\n' ;;
list) printf 'Sec-WebSocket-Protocol: a, b\\n\\n' ;;
other) printf 'Sec-WebSocket-Protocol: x\\n\\n' ;;
none) printf 'X-A: 1\\n\\n' ;;
*) printf 'Sec-WebSocket-Protocol: b\\nSec-WebSocket-Accept: evil\\nConnection: close\\n\\n' ;;
esac
exec >&-
cat <&3 >/dev/null
`);

let server;
before(async () => {
  server = await startServer({
    files: { 'mqtt.py': BROKER, 'odd.sh': ODD, 'talk.py': program('talk.py') },
    args: [
      ...['--stdio', '/lines=cat', '--stdio', '/lines/deep=cat', '--stdio-output', 'pipe'],
      ...['--stdio-subprotocol', 'common', '--stdio-subprotocol', '/lines/deep=binary'],
      ...['--stdio-subprotocol', '/lines/deep=base64'],
    ],
  });
});
after(() => server.ends());

/** The answer to a handshake that offers these, one line each. */
async function offers(where, ...lines) {
  const client = await RawHttp.connect(server.port);
  const answer = await client.ask(
    [
      `GET ${where} HTTP/1.1`,
      `Host: localhost:${server.port}`,
      `Origin: http://localhost:${server.port}`,
      'Upgrade: websocket',
      'Connection: Upgrade',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      ...lines.map((line) => `Sec-WebSocket-Protocol: ${line}`),
      '\r\n',
    ].join('\r\n'),
  );
  client.destroy();
  return answer;
}
const chosen = async (...how) => {
  const { status, headers } = await offers(...how);
  assert.equal(status, 101);
  return headers['sec-websocket-protocol'];
};

test('MQTT: connect, publish and ping over binary messages', async () => {
  const socket = new WebSocket(`ws://localhost:${server.port}/mqtt`, ['mqtt', 'mqttv3.1']);
  socket.binaryType = 'arraybuffer';
  const hears = () =>
    new Promise((resolve, reject) => {
      socket.onmessage = ({ data }) => resolve(Buffer.from(data).toString('hex'));
      socket.onclose = ({ code, reason }) => reject(new Error(`${code} ${reason}`));
    });
  await new Promise((resolve, reject) => ((socket.onopen = resolve), (socket.onerror = reject)));
  assert.equal(socket.protocol, 'mqtt');
  const packets = [
    ['100d00044d5154540402003c000161', '20020000'],
    ['3005000361626378', '3005000361626378'],
    ['c000', 'd000'],
  ];
  for (const [sent, heard] of packets) {
    const answer = hears();
    socket.send(Buffer.from(sent, 'hex'));
    assert.equal(await answer, heard);
  }
  socket.onclose = null;
  socket.close();
});

test("the program's other headers go along, but for those of a body or the handshake", async () => {
  const { status, headers } = await offers('/mqtt', 'mqtt');
  assert.equal(status, 101);
  assert.equal(headers['set-cookie'], 'a=1');
  assert.equal(headers['x-broker'], '1');
  assert.equal(headers['content-type'], undefined);
  const odd = await offers('/odd', 'a', 'b');
  assert.equal(odd.headers['sec-websocket-protocol'], 'b');
  assert.equal(odd.headers['sec-websocket-accept'], 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
  assert.equal(odd.headers.connection, 'Upgrade');
});

test('what the client does not offer, or more than one, is refused and logged', async () => {
  for (const query of ['two', 'list', 'other']) {
    const { status, headers } = await offers(`/odd?${query}`, 'a, b');
    assert.equal(status, 502, query);
    assert.equal(headers['sec-websocket-protocol'], undefined);
  }
  await server.logged(/answer_failed.*odd\.sh.*none of those that the client offers/);
  await server.logged(/answer_failed.*odd\.sh.*more than one Sec-WebSocket-Protocol/);
  assert.equal((await offers('/odd')).status, 502, 'nothing is offered');
  assert.equal(await chosen('/odd?none', 'a'), undefined);
});

test('a session keeps its own subprotocol, and the program its cookie', async () => {
  const { status, headers } = await offers(
    '/odd',
    'httpsocket.v1, key.0123456789abcdef0123456789abcdef, b',
  );
  assert.equal(status, 101);
  assert.equal(headers['sec-websocket-protocol'], 'httpsocket.v1');
});

test('a stdio program speaks what the operator says, by path', async () => {
  assert.equal(await chosen('/lines', 'other, common'), 'common');
  assert.equal(await chosen('/lines', 'binary'), undefined);
  assert.equal(await chosen('/lines/deep', 'base64, binary'), 'base64', "the client's order");
  assert.equal(await chosen('/lines/deep/x', 'common', 'binary'), 'binary');
  assert.equal(await chosen('/lines'), undefined);
});
