// SPDX-License-Identifier: MIT
// The client in workers, where there is no document: byte streams come there too.
import assert from 'node:assert/strict';
import { browserNames, launch } from '../lib/browsers.mjs';
import { makeRoot, program, startServer } from '../lib/server.mjs';
import { after, before, describe, test } from '../lib/test.mjs';

const FEED = `#!/usr/bin/env python3
import json, os, sys
sys.stdout.write("\\n")
sys.stdout.flush()
os.close(1)
def say(line): os.write(3, f"{line}\\n".encode())
with open(3, "rb", closefd=False) as events:
    for line in events:
        head, _, body = line.decode().partition(" ")
        if head == ".stream": say(".accept " + json.dumps({"id": json.loads(body)["id"]}))
        elif head.startswith(".stream/"): say(f"got {len(events.read(int(body[1:]) + 1)) - 1}")
        elif head == ".end": say(".end " + json.dumps({"id": json.loads(body)["id"]}))
`;
const WORK = `
async function work() {
  const c = new ServerConnection('/feed.py');
  const got = new Promise((resolve) => (c.ongot = resolve));
  const stream = c.openStream('s');
  const writer = stream.writable.getWriter();
  writer.write(new Uint8Array(5000));
  writer.close();
  stream.readable.cancel();
  await stream.closed;
  return got;
}`;
const CLASSIC = `importScripts('/.httpsocket/client.js');${WORK}`;
const SITE = {
  'feed.py': program(FEED),
  'index.html': '<!doctype html><title>workers</title>',
  'classic.js': `${CLASSIC}\nwork().then(postMessage);`,
  'module.js': `import { ServerConnection } from '/.httpsocket/client.mjs';
globalThis.ServerConnection = ServerConnection;${WORK}\nwork().then(postMessage);`,
  // A service worker may import scripts only while it is evaluated.
  'service.js': `${CLASSIC}
addEventListener('message', ({ source }) => work().then((got) => source.postMessage(got)));`,
};

for (const name of browserNames) {
  describe(`the client in ${name}`, () => {
    let browser, server, site, page;

    before(async () => {
      site = makeRoot(SITE);
      server = await startServer({ root: site.root });
      browser = await launch(name);
      page = await browser.newPage();
      await page.goto(server.url);
    });
    after(async () => {
      await browser?.close();
      await server?.stop();
      site?.remove();
    });

    for (const type of ['classic', 'module'])
      test(`sends a stream from a ${type} worker`, async () => {
        const got = await page.evaluate(
          (type) =>
            new Promise((resolve) => {
              const worker = new Worker(`/${type}.js`, { type });
              worker.onmessage = ({ data }) => resolve(data);
              worker.onerror = ({ message }) => resolve(message);
            }),
          type,
        );
        assert.equal(got, 5000);
      });

    test('sends a stream from a service worker', async () => {
      const got = await page.evaluate(async () => {
        await navigator.serviceWorker.register('/service.js');
        const { active } = await navigator.serviceWorker.ready;
        return new Promise((resolve) => {
          navigator.serviceWorker.onmessage = ({ data }) => resolve(data);
          active.postMessage('go');
        });
      });
      assert.equal(got, 5000);
    });
  });
}
