#!/usr/bin/env node
// SPDX-License-Identifier: MIT
/**
 * Makes docs/picture.png, the picture of README.md: the README's first program, its page in a real
 * browser (headless Chromium), and the lines that really went between them. The page is clicked
 * three times, its connection is cut, and it is clicked once more.
 *
 * usage: make dev && tools/readme-picture.mjs
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { launch } from '../tests/lib/browsers.mjs';
import { Proxy } from '../tests/lib/proxy.mjs';
import { REPO, makeRoot, resources, startServer } from '../tests/lib/server.mjs';
import { until } from '../tests/lib/until.mjs';

const TARGET = path.join(REPO, 'docs/picture.png');
const SIZE = { width: 880, height: 352, deviceScaleFactor: 2 };
const SIZE_MAX_BYTES = 150_000;

const program = /```python\n(.*?)```/s.exec(
  fs.readFileSync(path.join(REPO, 'README.md'), 'utf8'),
)[1];

/** The picture around the page. Its programs and lines are filled in by draw(). */
const FRAME = `<!doctype html><meta charset="utf-8"><title>Picture</title>
<style>
  * { box-sizing: border-box; margin: 0 }
  body { background: #fff; font: 12px "DejaVu Sans", sans-serif; color: #24292f; display: grid;
    grid-template-columns: 402px 1fr 236px; height: 352px; padding: 10px }
  .window { border: 1px solid #c9d1d9; border-radius: 8px; overflow: hidden; display: flex;
    flex-direction: column; box-shadow: 0 2px 8px #0002 }
  .bar { background: #eef1f4; border-bottom: 1px solid #c9d1d9; padding: 8px 10px; display: flex;
    gap: 5px; align-items: center; white-space: nowrap }
  .bar i { width: 9px; height: 9px; border-radius: 5px; background: #c9d1d9 }
  .address { background: #fff; border: 1px solid #d8dee4; border-radius: 9px; padding: 1px 8px;
    margin-left: 5px; flex: 1; font-size: 10.5px }
  #program { background: #10161d; color: #d7dee6 }
  #program .bar { background: #1c242d; border-color: #30363d; color: #d7dee6 }
  #source { font: 10.6px/1.55 "DejaVu Sans Mono", monospace; padding: 12px 10px; white-space: pre;
    flex: 1 }
  #source .hears { color: #7ee787 }
  #source .says { color: #79c0ff }
  #state { border-top: 1px solid #30363d; padding: 9px 10px; color: #f0c674;
    font: 11px "DejaVu Sans Mono", monospace }
  #lines { padding: 0 10px; display: flex; flex-direction: column; justify-content: space-between }
  #lines p { text-align: center; font: 9.6px "DejaVu Sans Mono", monospace; white-space: nowrap }
  #lines span { display: block; height: 9px; margin-top: 2px }
  #lines .hears { color: #1a7f37 }
  #lines .says { color: #0550ae }
  #lines .cut { color: #b35900; border-block: 1.5px dashed #d9a066; padding: 7px 0;
    font: 10px/1.4 "DejaVu Sans", sans-serif; white-space: normal }
  iframe { border: 0; flex: 1; width: 100% }
  #pointer { position: absolute }
</style>
<section class="window" id="program"><div class="bar"><i></i><i></i><i></i>&nbsp;<b
  >mine.py</b> <span id="process"></span></div>
  <div id="source"></div><div id="state"></div></section>
<section id="lines"></section>
<section class="window"><div class="bar"><i></i><i></i><i></i><span
  class="address">localhost:8080/mine.py</span></div>
  <iframe src="/mine.py"></iframe></section>
<svg id="pointer" width="18" height="24" viewBox="0 0 18 24"><path d="M1 1v17l4.2-3.6 2.7 6.6 3.2-1.3-2.7-6.5h5.6z"
  fill="#000" stroke="#fff" stroke-width="1.4"/></svg>`;

/** Runs in the browser: fills in what is known once the page has been used. */
function draw({ text, process, clicks, lines, pointer }) {
  const find = (id) => document.getElementById(id);
  const escaped = (part) => part.replace(/&/g, '&amp;').replace(/</g, '&lt;');
  const arrow = (toProgram) =>
    `<span><svg width="100%" height="9" preserveAspectRatio="none"><line x1="3%" y1="4.5" x2="97%"
      y2="4.5" stroke="currentColor" stroke-width="1.4"/></svg><svg width="9" height="9"
      style="position:relative;top:-13px;float:${toProgram ? 'left' : 'right'}"><path
      d="${toProgram ? 'M9 0v9L0 4.5z' : 'M0 0v9L9 4.5z'}"
      fill="currentColor"/></svg></span>`;
  find('process').textContent = `is process ${process}`;
  find('state').textContent = `clicks = ${clicks}`;
  find('source').innerHTML = text
    .split('\n')
    .map((line) => [line.replace(/ +# .*/, ''), /^@page.listen/.test(line), /page.dom/.test(line)])
    .map(([line, hears, says]) =>
      hears || says
        ? `<span class="${hears ? 'hears' : 'says'}">${escaped(line)}</span>`
        : escaped(line),
    )
    .join('\n');
  find('lines').innerHTML = lines
    .map(({ kind, text }) =>
      kind === 'cut'
        ? `<p class="cut">${text}</p>`
        : `<p class="${kind}">${escaped(text)}${arrow(kind === 'hears')}</p>`,
    )
    .join('');
  Object.assign(find('pointer').style, { left: `${pointer.x}px`, top: `${pointer.y}px` });
}

const site = makeRoot({
  'mine.py': { text: program, mode: 0o755 },
  'picture.html': { text: FRAME },
});
const server = await startServer({ root: site.root });
const network = await Proxy.start(server.port);
const browser = await launch('chromium', SIZE);
try {
  const page = await browser.newPage();
  const wire = await page.createCDPSession();
  await wire.send('Network.enable');
  const lines = [];
  const note = (kind, payload) => {
    const [, name] = /^(\S+) /.exec(payload) ?? [];
    if (kind === 'hears' && name && !name.startsWith('.'))
      lines.push({ kind, text: `${name} {"type":"click",…}` });
    if (kind === 'says' && name === '.dom') lines.push({ kind, text: payload });
  };
  wire.on('Network.webSocketFrameSent', ({ response }) => note('hears', response.payloadData));
  wire.on('Network.webSocketFrameReceived', ({ response }) => note('says', response.payloadData));

  await page.goto(`${network.url}/picture.html`);
  const inside = await (await page.$('iframe')).contentFrame();
  // The style of a page that has none is a browser's; only its size is the picture's.
  await inside.addStyleTag({ content: 'body { zoom: 2; margin: 50px 22px }' });
  const button = await inside.$('#more');
  const shown = async (n) => (await inside.$eval('#n', (b) => b.textContent)) === String(n);
  const click = async (n) => {
    await until(async () => {
      if (!(await shown(n))) await button.click();
      return shown(n);
    });
  };
  await inside.waitForFunction(() => document.serverConnection.readyState === 1);
  const [child] = resources(server.pid).children;
  await click(1);
  await click(2);
  network.cut();
  await inside.waitForFunction(() => document.serverConnection.readyState === 1);
  await click(3);
  assert.deepEqual(resources(server.pid).children, [child], 'another process');

  assert.equal(lines.length, 6, JSON.stringify(lines));
  const drop = {
    kind: 'cut',
    text: 'the connection drops and returns:<br>the same process goes on',
  };
  lines.splice(4, 0, drop);
  const box = await button.boundingBox();
  const pointer = { x: box.x + box.width * 0.6, y: box.y + box.height * 0.6 };
  await page.evaluate(draw, { text: program.trim(), process: child, clicks: 3, lines, pointer });
  await page.screenshot({ path: TARGET });
  const bytes = fs.statSync(TARGET).size;
  assert.ok(bytes < SIZE_MAX_BYTES, `${bytes} bytes`);
  console.log(`${path.relative(REPO, TARGET)}: ${bytes} bytes`);
} finally {
  await browser.close();
  await network.stop();
  await server.stop();
  site.remove();
}
