// SPDX-License-Identifier: MIT
// sdk.test.mjs - one conversation, held by a program of each language with its helper in sdk/.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import WebSocket from 'ws';
import { openTold } from '../lib/conversation.mjs';
import { Proxy, random } from '../lib/proxy.mjs';
import { request } from '../lib/request.mjs';
import { BUILD, makeRoot, REPO, resources, startServer } from '../lib/server.mjs';
import { openPage, Page, SessionClient } from '../lib/session-client.mjs';
import { Streams } from '../lib/streams.mjs';
import { after, before, describe, test } from '../lib/test.mjs';
import { until } from '../lib/until.mjs';

/** Where the program is: in the source, or made by the compiler. */
const program = (name) => path.join(name.includes('.') ? REPO : BUILD, 'tests/scenario/sdk', name);
const LANGUAGES = ['talk.py', 'talk_aio.py', 'talk.mjs', 'talk.php', 'talk.sh', 'talk'];
const NUMBERED = 3000;
const FLOOD = 20000; // more than the server keeps for a page

let site;
let server;

before(async () => {
  const files = LANGUAGES.map((name) => [
    name,
    { text: fs.readFileSync(program(name)), mode: 0o755 },
  ]);
  site = makeRoot(Object.fromEntries(files));
  server = await startServer({
    root: site.root,
    args: ['--rate-programs', 'off', '--buffer-max', '64K', '--window', '64K'],
  });
});

after(async () => {
  SessionClient.dropAll();
  await server?.stop();
  site?.remove();
});

/** An answer to the client's call: {answer} or {failure}, and the parts before it. */
async function call(client, head, data) {
  const id = head.split('?')[1];
  client.says(data === undefined ? head : `${head} ${JSON.stringify(data)}`);
  const parts = [];
  for (;;) {
    const message = await client.hears(new RegExp(`^[=+!]${id}( |$)`));
    const value = JSON.parse(message.slice(message.indexOf(' ') + 1 || message.length) || 'null');
    if (message[0] === '+') parts.push(value);
    else return { parts, [message[0] === '=' ? 'answer' : 'failure']: value };
  }
}

for (const file of LANGUAGES) {
  describe(file, () => {
    /** A page that is connected and has been told so. */
    const open = (query = '', options = {}) => openTold(server.at(`${file}${query}`), options);

    test('the page is made from the request, is complete, and escapes what it shows', async () => {
      const { answer, client } = await open('?name=A%20%26+B', { headers: { 'X-Test': 'yes' } });
      assert.equal(answer.headers['content-type'], 'text/html; charset=utf-8');
      assert.match(answer.body, /<title>&lt;talk&gt; &amp; &quot;more&quot;<\/title>/);
      const told = JSON.parse(/const told = (.*?)<\/script>$/.exec(answer.body.trim())[1]);
      assert.deepEqual(told, { method: 'GET', name: 'A & B', agent: 'yes', field: null });
      await client.closes();
    });

    test('a posted form is read, and what it says does not end a script element', async () => {
      const body = new URLSearchParams({ field: '</script> æ "' }).toString();
      const { answer, client } = await open('', {
        method: 'POST',
        body,
        headers: {
          'Content-Type': 'application/x-www-form-urlencoded',
          'Content-Length': body.length,
        },
      });
      const told = JSON.parse(/const told = (.*)<\/script>\s*$/.exec(answer.body)[1]);
      assert.equal(told.field, '</script> æ "');
      assert.equal(told.method, 'POST');
      assert.equal(answer.body.match(/<\/script>/g).length, 1);
      await client.closes();
    });

    test('events go both ways, whatever JSON they carry', async () => {
      const { client } = await open();
      for (const json of [
        'null',
        '0',
        '"æøå \\n\\" \\u0001 🙂"',
        '[]',
        '{}',
        '{"a":[1,2.5,true,null]}',
        '"@5"',
        `"${'x'.repeat(100_000)}"`,
        `${'['.repeat(500)}${']'.repeat(500)}`,
      ]) {
        client.says(`echo ${json}`);
        const [, back] = /^echo ?([^]*)$/.exec(await client.hears(/^echo/));
        assert.deepEqual(JSON.parse(back || 'null'), JSON.parse(json));
      }
      await client.closes();
    });

    test('bytes go both ways as bytes', async () => {
      const { client } = await open();
      for (const body of [
        Buffer.alloc(0),
        Buffer.from([0, 10, 13, 255, 64]),
        Buffer.alloc(300_000, 'ab\n\0'),
      ]) {
        client.saysBytes('echo', body);
        const { head, body: back } = await client.hears(/^echo$/);
        assert.equal(head, 'echo');
        assert.ok(back.equals(body), `${back.length} bytes came back of ${body.length}`);
      }
      client.saysBytes('same?5', Buffer.from([1, 2, 3]));
      assert.deepEqual([...(await client.hears(/^=5$/)).body], [1, 2, 3]);
      await client.closes();
    });

    test('the page calls: an answer, several, a failure that tells, one that does not, no such function', async () => {
      const { client } = await open();
      assert.deepEqual(await call(client, 'add?1', [1, 2, 39]), { parts: [], answer: 42 });
      assert.deepEqual(await call(client, 'count?2', 3), { parts: [0, 1, 2], answer: null });
      assert.deepEqual(await call(client, 'refused?3', 'entry'), {
        parts: [],
        failure: { message: 'no entry', code: 7 },
      });
      assert.deepEqual(await call(client, 'crash?4'), {
        parts: [],
        failure: { message: 'the program failed' },
      });
      assert.deepEqual(await call(client, 'nowhere?9007199254740991'), {
        parts: [],
        failure: { message: 'no function for nowhere' },
      });
      await client.closes();
    });

    test('the program calls: an answer, a failure, none in time; what else comes meanwhile is heard', async () => {
      const { client } = await open();
      const asked = async (name, timeout, answer) => {
        client.says(`ask ${JSON.stringify({ name, data: [1], timeout })}`);
        const [, id] = new RegExp(`^${name}\\?(\\d+) \\[1\\]$`).exec(await client.next());
        client.says('echo "meanwhile"');
        if (answer) client.says(answer(id));
        const heard = [
          await client.hears(/^(asked|echo) /),
          await client.hears(/^(asked|echo) /),
        ].sort();
        assert.equal(heard[1], 'echo "meanwhile"');
        return { id, ...JSON.parse(heard[0].slice('asked '.length)) };
      };
      assert.equal((await asked('name', 20, (id) => `=${id} "Frode"`)).answer, 'Frode');
      assert.equal(
        (await asked('name', 20, (id) => `!${id} {"message":"not now"}`)).failure,
        'not now',
      );
      const late = await asked('name', 0.2);
      assert.equal(late.timeout, true);
      client.says(`=${late.id} "too late"`);
      client.says('=123456 "never asked"');
      client.says('echo "still there"');
      await client.hearsNext('echo "still there"');
      await client.closes();
    });

    test('the program takes several answers', async () => {
      const { client } = await open();
      client.says('collect "parts"');
      const [, id] = /^parts\?(\d+)$/.exec(await client.next());
      client.says(`+${id} 1`, `+${id} {"two":2}`, `=${id}`);
      await client.hearsNext('collected [1,{"two":2}]');
      client.says('collect "parts"');
      const [, again] = /^parts\?(\d+)$/.exec(await client.next());
      client.says(`+${again} 1`, `=${again} 2`);
      await client.hearsNext('collected [1,2]');
      await client.closes();
    });

    test('the program listens to the page and moves it; what the page could not do is told', async () => {
      const { client } = await open();
      client.says('watch');
      const commands = [];
      for (const [word] of ['listen', 'unlisten', 'dom', 'dom']) {
        const [, command, json] = /^\.(\w+) (.*)$/.exec(
          await client.hears(/^\.(listen|unlisten|dom) /),
          word,
        );
        commands.push([command, JSON.parse(json)]);
      }
      assert.deepEqual(commands, [
        ['listen', { on: 'click', as: 'test_click', select: '#test', prevent: true }],
        ['unlisten', { as: 'test_click' }],
        ['dom', { select: '#n', text: '<5>' }],
        [
          'dom',
          [
            { select: '#a', remove: true },
            { select: '#b', focus: true },
          ],
        ],
      ]);
      client.says('test_click {"x":3}');
      assert.equal(await client.hears(/^clicked/), 'clicked {"x":3}');
      client.says('.problem {"command":"dom","message":"nothing matches #a"}');
      assert.equal(await client.hears(/^told/), 'told ["problem","dom"]');
      await client.closes();
    });

    test('programs share a topic: its past, what is published, who is there', async () => {
      const topic = `"board-${file}"`;
      const first = (await open()).client;
      first.says(`join ${topic}`);
      await first.hears('heard ["stroke",{"x":1}]');
      assert.equal(await first.hears(/^here \[\{/), 'here [{"name":"py"}]');
      const second = (await open()).client;
      second.says(`join ${topic}`);
      await second.hears('heard ["stroke",{"x":1}]'); // of the past
      await second.hears('heard ["stroke",{"x":1}]'); // its own
      await first.hears('heard ["stroke",{"x":1}]');
      second.says(`part ${topic}`);
      second.says('echo 1');
      await second.hears(/^echo/);
      const third = (await open()).client;
      third.says(`join ${topic}`);
      await first.hears('heard ["stroke",{"x":1}]');
      await third.closes();
      second.says('echo 2');
      assert.equal(await second.hears(/^(echo|heard)/), 'echo 2');
      await first.closes();
      await second.closes();
    });

    test('a byte stream goes both ways; one that is too large is refused, and one that nothing takes', async () => {
      const client = await Page.loads(server, file);
      assert.equal(client.answer.status, 200);
      const streams = new Streams(client, { window: 65536 });
      await client.connect();
      const bytes = randomBytes(600_000);
      const stream = streams.open({ kind: 'stream', name: 'upload', data: { size: bytes.length } });
      await stream.opened;
      const [, back] = await Promise.all([stream.writeAll(bytes), stream.readAll()]);
      assert.ok(back.equals(bytes));
      assert.deepEqual(await stream.closed, {});
      const large = streams.open({ kind: 'stream', name: 'upload', data: { size: 1e9 } });
      assert.equal((await large.closed).reason, 'too-large');
      const unknown = streams.open({ kind: 'stream', name: 'nobody', data: { size: 1 } });
      assert.equal((await unknown.closed).reason, 'refused');
      client.says('echo 1');
      await client.hears(/^echo 1/);
      await client.closes();
    });

    test('a byte stream that the page gives up does not look complete to its reader', async () => {
      const client = await Page.loads(server, file);
      const streams = new Streams(client, { window: 65536 });
      await client.connect();
      const stream = streams.open({ kind: 'stream', name: 'upload', data: { size: 100_000 } });
      await stream.opened;
      await stream.write(randomBytes(40_000));
      await stream.read(40_000);
      stream.reset('file-changed');
      await client.hears('broken "file-changed"');
      client.says('echo 1');
      await client.hears(/^echo 1/);
      await client.closes();
    });

    test('thousands of numbered events each way, while the connection is cut at random', async () => {
      const proxy = await Proxy.start(server.port);
      try {
        const seed = 20081;
        const number = random(seed);
        const { answer, client } = await openPage(server.at(`${file}`));
        assert.equal(answer.status, 200);
        client.url = client.url.replace(server.url, proxy.url);
        client.origin = server.url;
        let cuts = 0;
        proxy.plan(() =>
          cuts++ < 12
            ? { downAfter: 2000 + number() * 20_000, upAfter: 2000 + number() * 20_000 }
            : {},
        );
        client.headers = { Host: new URL(server.url).host };
        let queued = [
          `flood ${NUMBERED}`,
          ...Array.from({ length: NUMBERED }, (_, i) => `put ${i}`),
          'report?1',
        ];
        let acknowledged = 0;
        const ended = until(
          () => client.messages.some((m) => m.startsWith?.('=1 ')),
          () => `seed ${seed}: ${client.messages.length} messages`,
          100000,
        );
        let done = false;
        ended.then(
          () => (done = true),
          () => (done = true),
        );
        while (!done) {
          const { received } = await client.connect().catch(() => ({}));
          if (received === undefined) continue;
          queued = queued.slice(received - acknowledged);
          acknowledged = received;
          for (const line of queued) client.ws.send(line);
          await Promise.race([client.closed, ended.catch(() => {})]);
        }
        await ended;
        assert.ok(cuts > 3, `${cuts} connections`);
        const numbers = client.messages
          .filter((m) => m.startsWith('n '))
          .map((m) => Number(m.slice(2)));
        assert.deepEqual(
          numbers,
          Array.from({ length: NUMBERED }, (_, i) => i),
          `seed ${seed}`,
        );
        const report = JSON.parse(client.messages.find((m) => m.startsWith('=1 ')).slice(3));
        assert.equal(report.count, NUMBERED);
        assert.equal(report.in_order, true);
        await client.closes();
      } finally {
        await proxy.stop();
      }
    });

    // sh reads or writes.
    if (file !== 'talk.sh')
      test('a program that can not write goes on reading: neither side waits for the other', async () => {
        const { client } = await open();
        const acknowledged = () =>
          Number(client.control.findLast((text) => text.startsWith('.ack '))?.slice(5) ?? 0);
        client.acknowledge = false;
        client.says(`flood ${FLOOD}`);
        await client.hears(/^n /);
        for (let sent = 1; sent < 60; sent++) {
          client.says(`pad "${'x'.repeat(8000)}"`);
          await until(
            () => acknowledged() > sent - 6,
            () =>
              `${acknowledged()} of ${sent} were read, while ${client.received} of ${FLOOD} were written`,
          );
        }
        assert.ok(client.received < FLOOD);
        client.acknowledge = true;
        client.says(`.ack ${client.received}`);
        await client.hears(new RegExp(`^n ${FLOOD - 1}$`));
        await client.closes();
      });

    test('a function that raises is reported, and what is printed late goes to the log: the conversation goes on', async () => {
      const { client } = await open();
      client.says('throw', 'print "a stray line"', 'echo 1');
      assert.equal(await client.hears(/^echo/), 'echo 1');
      await server.logged(/program\.stderr.*thrown on purpose/);
      await server.logged(/program\.stderr.*a stray line/);
      await client.closes();
    });

    test('a page that sends what nothing hears, and what no language can hold, does no harm', async () => {
      const { client } = await open();
      client.says('nobody {"hears":"this"}');
      client.says(`echo ${'9'.repeat(6000)}`);
      client.says('echo "\\ud800"');
      client.says('echo {"__proto__":{"x":1},"":2,"\\u0000a":3}');
      client.saysBytes('add?8', Buffer.from('bytes where numbers are wanted'));
      client.says('add?9 "no numbers"');
      client.says('echo "after all"');
      await client.hears(/^echo "after all"$/);
      await server.logged(/nothing hears the event nobody/);
      await client.closes();
    });

    test('the program closes with a reason; its last function is called, and it ends by itself', async () => {
      const { client } = await open();
      const { pid } = (await call(client, 'report?1')).answer;
      const before = server.log.length;
      client.says('leave "game-over"');
      await client.isClosed(1000, 'game-over');
      await until(() => !fs.existsSync(`/proc/${pid}`));
      const said = () => server.log.slice(before).filter((line) => line.includes(`pid=${pid}`));
      await until(() => said().some((line) => line.includes('ended')));
      const log = said();
      assert.ok(!log.some((line) => line.includes('program.signalled')), log.join('\n'));
    });

    test('a program refuses: status, realm and how long', async () => {
      const answer = await request(server.at(`${file}?refuse=1`));
      assert.equal(answer.status, 401);
      assert.equal(answer.headers['www-authenticate'], 'Basic realm="the test", charset="UTF-8"');
      assert.equal(answer.headers['access-control-max-age'], '7');
      assert.equal(answer.headers['access-control-policy-path'], '/');
      assert.match(answer.body, /not you/);
    });

    test('a script connects straight to it, and so does a client of the plain form', async () => {
      const before = new Set(resources(server.pid).children); // of a test that failed, perhaps
      const client = await SessionClient.connects(server, `${file}`);
      await client.hearsNext('told ["attach",false]');
      assert.deepEqual(await call(client, 'add?1', [20, 22]), { parts: [], answer: 42 });
      await client.closes();
      const plain = new WebSocket(`${server.url.replace('http', 'ws')}/${file}`);
      await once(plain, 'open');
      plain.close();
      await once(plain, 'close');
      await until(() => resources(server.pid).children.every((pid) => before.has(pid)));
    });
  });
}

test('a program without a server says what is missing', () => {
  for (const file of LANGUAGES) {
    const { status, stderr } = spawnSync(program(file), {
      encoding: 'utf8',
      input: '',
      env: {
        PATH: process.env.PATH,
        HTTPSOCKET_SDK: path.join(REPO, 'sdk'),
        PYTHONPATH: path.join(REPO, 'sdk/python'),
      },
    });
    assert.notEqual(status, 0, file);
    assert.match(stderr, /to be started by httpsocketd/, file);
  }
});
