// SPDX-License-Identifier: MIT
// An element put where html_head_offset says is the first of the head, and changes nothing else:
// asked of real HTML parsers.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { browserNames, launch } from '../lib/browsers.mjs';
import { random } from '../lib/proxy.mjs';
import { BUILD } from '../lib/server.mjs';

const DOCUMENTS = 5000;
const META = '<meta name="httpsocket-session" content="ID">';

// What may stand before a head, right and wrong; the second list ends it.
const BEFORE = [
  '<!doctype html>',
  '<!DOCTYPE html PUBLIC "-//W3C//DTD HTML 4.01//EN" "http://www.w3.org/TR/html4/strict.dtd">',
  '<html>',
  '<html lang=en>',
  '<HTML a="<head>" b=\'>\' c=d/e>',
  "<html x/='y'>",
  '<html ==>',
  ' ',
  '\n',
  '\t\f',
  '<!-- c -->',
  '<!-->',
  '<!--->',
  '<!---->',
  '<!-- --!>',
  '<!-- -- > -- -->',
  '<!x>',
  '<?xml version="1.0"?>',
  '<![CDATA[x]]>',
  '</ x>',
  '</>',
  '</p>',
  "</x a='>'>",
];
const ENDING = [
  '<head>',
  '<head class=x>',
  '<head a = ">" / b>',
  '<head "a>',
  '<head a=b"c>',
  '</head>',
  '</html>',
  '</body>',
  '</br>',
  '<body>',
  '<title>t</title>',
  '<p>x',
  'text',
  '<header>',
  '<htmlx>',
  '<h',
  '<',
  '<!',
  '<meta charset=utf-8>',
  '<script>1</script>',
  '<frameset>',
  '<template>',
  '&amp;',
  'é',
  '<base href="/x/">',
];

function documents(seed) {
  const next = random(seed);
  const pick = (list) => list[Math.floor(next() * list.length)];
  return Array.from({ length: DOCUMENTS }, () => {
    const pieces = Array.from({ length: Math.floor(next() * 7) }, () =>
      pick(next() < 0.7 ? BEFORE : ENDING),
    );
    return (next() < 0.1 ? '\ufeff' : '') + pieces.join('');
  });
}

function offsets(texts) {
  const input = Buffer.concat(
    texts.flatMap((text) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(Buffer.byteLength(text));
      return [length, Buffer.from(text)];
    }),
  );
  const output = execFileSync(path.join(BUILD, 'tests/html_head_offset'), {
    input,
    encoding: 'utf8',
    maxBuffer: 1 << 24,
  });
  return output
    .trim()
    .split('\n')
    .map((line) => ({ decided: line.startsWith('decided'), offset: Number(line.split(' ')[1]) }));
}

/**
 * Pairs of a document without and with the element; one that ends inside a
 * comment or a tag is nobody's page.
 */
function pairs(seed) {
  const texts = documents(seed);
  return offsets(texts).flatMap(({ decided, offset }, i) => {
    const bytes = Buffer.from(texts[i]);
    if (!decided && offset < bytes.length) return [];
    return [[texts[i], bytes.subarray(0, offset) + META + bytes.subarray(offset)]];
  });
}

/** Runs in the page: the pairs that differ in more than the element. */
function differing(all) {
  const parse = (text) => new DOMParser().parseFromString(text.replace(/^\ufeff/, ''), 'text/html');
  const show = (document) => {
    const { doctype } = document;
    const nodes = [...document.childNodes].map(
      (node) => node.outerHTML ?? (node.nodeType === 8 ? `<!--${node.data}-->` : ''),
    );
    return [
      doctype?.name,
      doctype?.publicId,
      doctype?.systemId,
      document.compatMode,
      ...nodes,
    ].join('|');
  };
  return all.filter(([without, withElement]) => {
    const document = parse(withElement);
    const element = document.querySelector('meta[name=httpsocket-session]');
    const first = element !== null && element === document.head.firstChild;
    element?.remove();
    return !first || show(document) !== show(parse(without));
  });
}

for (const name of browserNames) {
  describe(`the first element of a head in ${name}`, () => {
    let browser;
    before(async () => {
      browser = await launch(name);
    });
    after(async () => {
      await browser?.close();
    });

    test('stands where html_head_offset says and changes nothing else', async () => {
      const seed = 20080618;
      const all = pairs(seed);
      assert.ok(all.length > DOCUMENTS / 2);
      const page = await browser.newPage();
      const bad = await page.evaluate(differing, all);
      assert.deepEqual(bad.slice(0, 5), [], `seed ${seed}`);
    });
  });
}
