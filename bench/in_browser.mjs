#!/usr/bin/env node
// SPDX-License-Identifier: MIT
/*
 * What the browser side costs in Chromium, for bench/run.
 *
 * usage: bench/in_browser.mjs client|rows [ROUNDS]       milliseconds of each round, as JSON
 *
 * client   client.js parsed and run, in a document of its own, as a script element does it
 * rows     a program writes ten thousand `.dom`, each of which changes another row of a list by its
 *          key: until the page has drawn the last
 *
 * Milliseconds of the main thread's own CPU time: what else the machine does is not in them.
 *
 * HTTPSOCKET_BUILD is the build to be measured.
 */
import { launch } from '../tests/lib/browsers.mjs';
import { makeRoot, startServer } from '../tests/lib/server.mjs';

const ROWS = 10_000;
const [mode, rounds = '5'] = process.argv.slice(2);

const PROGRAM = `#!/usr/bin/python3
import json, os, sys
sys.stdout.write("Content-Type: text/html\\n\\n<!doctype html><script src='/.httpsocket/client.js'></script><ul id=rows>")
sys.stdout.write("".join(f'<li data-key="{n}"><b>{n}</b> row {n} <i class=v>0</i></li>' for n in range(${ROWS})))
sys.stdout.flush()
os.close(1)
dom = lambda n: json.dumps({"select": "#rows", "key": n, "find": ".v", "text": n + 1})
lines = "".join(f".dom {dom(n)}\\n" for n in range(${ROWS}))
for line in open(3):
    if line.startswith("go"):
        with os.fdopen(os.dup(3), "w") as page:
            page.write(lines + "done\\n")
`;

/** In the page: until the last row is drawn after `done`. */
const changeRows = () =>
  new Promise((resolve) => {
    document.serverConnection.addEventListener('done', () =>
      requestAnimationFrame(() => setTimeout(resolve)),
    );
    document.serverConnection.send('go');
  });

/** In the page: a script element with the text, in a new document. */
const runScript = (name) => {
  const frame = document.createElement('iframe');
  document.body.append(frame);
  const script = frame.contentDocument.createElement('script');
  script.textContent = window.scripts[name];
  frame.contentDocument.head.append(script);
  frame.remove();
};

/** Milliseconds of the page's main thread that `work` takes. */
async function cost(page, work) {
  const devtools = await page.createCDPSession();
  await devtools.send('Performance.enable', { timeDomain: 'threadTicks' });
  const spent = async () =>
    (await devtools.send('Performance.getMetrics')).metrics.find(
      ({ name }) => name === 'TaskDuration',
    ).value;
  const before = await spent();
  await work();
  return ((await spent()) - before) * 1000;
}

async function rows(browser, server) {
  const page = await browser.newPage();
  await page.goto(`${server.url}/rows.py`);
  await page.waitForFunction(() => document.serverConnection.readyState === 1);
  const ms = await cost(page, () => page.evaluate(changeRows));
  const wrong = await page.evaluate(
    () =>
      [...document.querySelectorAll('.v')].filter((v, n) => v.textContent !== `${n + 1}`).length,
  );
  if (wrong) throw new Error(`${wrong} rows are not what was written`);
  await page.close();
  return ms;
}

async function client(browser, server) {
  const page = await browser.newPage();
  await page.goto(`${server.url}/`);
  await page.evaluate(async () => {
    const text = await (await fetch('/.httpsocket/client.js')).text();
    // Each is another text: nothing is taken from a cache of compiled scripts.
    window.scripts = { empty: `// ${Math.random()}`, client: `${text}\n// ${Math.random()}` };
  });
  const empty = await cost(page, () => page.evaluate(runScript, 'empty'));
  const ms = await cost(page, () => page.evaluate(runScript, 'client'));
  await page.close();
  return ms - empty;
}

const run = { client, rows }[mode];
if (!run) throw new Error('usage: bench/in_browser.mjs client|rows [ROUNDS]');
const site = makeRoot({
  'rows.py': { text: PROGRAM, mode: 0o755 },
  'index.html': '<!doctype html><title>empty</title>',
});
const server = await startServer({ root: site.root });
const browser = await launch('chromium');
try {
  const ms = [];
  for (let round = 0; round <= Number(rounds); round++) ms.push(await run(browser, server));
  console.log(JSON.stringify({ ms: ms.slice(1) })); // the first warms up
} finally {
  await browser.close();
  await server.stop();
  site.remove();
}
