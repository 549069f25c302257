// SPDX-License-Identifier: MIT
// What a program hears of its page by `.listen`, in real browsers.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { after, before, describe, test } from 'node:test';
import path from 'node:path';
import { browserNames, launch } from '../lib/browsers.mjs';
import { ListeningPage } from '../lib/listening-page.mjs';
import { REPO, startServer } from '../lib/server.mjs';

/** In the page: the end of a drag as it would be. */
function letGo() {
  const dataTransfer = new DataTransfer();
  dataTransfer.setData('text/plain', 'the dragged');
  document
    .querySelector('#b')
    .dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }));
  document.querySelector('#a').dispatchEvent(new DragEvent('dragend', { bubbles: true }));
}

/** Has `whole` these fields, whatever else it has? */
const subset = (whole, part) =>
  assert.deepEqual(Object.fromEntries(Object.keys(part).map((key) => [key, whole[key]])), part);

const SITE = path.join(REPO, 'tests/browser/site');

for (const name of browserNames) {
  describe(`.listen in ${name}`, () => {
    let browser, server, page, p;

    before(async () => {
      browser = await launch(name);
      server = await startServer({ root: SITE, args: ['--ping-interval', '1s'] });
      page = await browser.newPage();
      p = new ListeningPage(page, server.url);
    });
    after(async () => {
      await browser?.close();
      await server?.stop();
    });

    describe('every event', () => {
      test('that an on… attribute is there for arrives: bubbling or not, of elements that come after the listening', async (t) => {
        await p.open('');
        const counts = await page.evaluate(async () => {
          const svg = (tag) => () => document.createElementNS('http://www.w3.org/2000/svg', tag);
          const html = (tag) => () => document.createElement(tag);
          const made = {
            window: () => window,
            document: () => document,
            HTMLElement: html('b'),
            HTMLMediaElement: html('audio'),
            HTMLVideoElement: html('video'),
            HTMLBodyElement: () => document.body,
            SVGElement: svg('g'),
            SVGSVGElement: svg('svg'),
            SVGAnimationElement: svg('animate'),
          };
          const typesOf = (target) => {
            const types = new Set();
            for (let at = target; at && at !== Object.prototype; at = Object.getPrototypeOf(at))
              for (const key of Object.getOwnPropertyNames(at))
                if (/^on[a-z]/.test(key)) types.add(key.slice(2));
            return [...types];
          };
          const c = document.serverConnection;
          const counts = {};
          for (const [kind, make] of Object.entries(made)) {
            const types = typesOf(make());
            const where = ['window', 'document'].includes(kind)
              ? { target: kind }
              : { select: `.${kind}` };
            await c.call(
              'tell',
              types.map(
                (on) =>
                  `.listen ${JSON.stringify({ on, ...where, as: `${kind}:${on}`, fields: ['type', 'bubbles', 'isTrusted'] })}`,
              ),
            );
            await c.call('heard');
            for (const type of types)
              for (const bubbles of [false, true]) {
                const target = make();
                if (target.nodeType === 1) {
                  target.classList.add(kind);
                  if (target !== document.body) document.querySelector('main').append(target);
                }
                target.dispatchEvent(new Event(type, { bubbles }));
                if (target.nodeType === 1 && target !== document.body) target.remove();
              }
            const heard = await c.call('heard');
            const missing = types.filter((type) =>
              [false, true].some(
                (bubbles) =>
                  heard.filter(
                    ([as, data]) =>
                      as === `${kind}:${type}` &&
                      data.type === type &&
                      data.bubbles === bubbles &&
                      !data.isTrusted, // the browser's own, of a device that it has not
                  ).length !== 1,
              ),
            );
            counts[kind] = { types: types.length, heard: heard.length, missing };
            await c.call('tell', ['.unlisten {}']);
          }
          return counts;
        });
        for (const [kind, { types, heard, missing }] of Object.entries(counts)) {
          t.diagnostic(`${kind}: ${heard} of ${2 * types}`);
          assert.deepEqual(missing, [], kind);
          assert.ok(types > 60, `${kind} has ${types}`);
        }
      });
    });

    describe('real input', () => {
      test('of the mouse: a click, with where and by what', async () => {
        await p.open(
          '<div class="card"><button id="test" name="go" value="v" data-row="7" class="big red">Press <b>me</b></button></div>',
          { on: 'click', select: '#test', as: 'test_click' },
        );
        const before = Date.now();
        await page.keyboard.down('Shift');
        await page.click('#test b');
        await page.keyboard.up('Shift');
        const [[as, data]] = await p.heard();
        assert.equal(as, 'test_click');
        assert.deepEqual(data.target, {
          tag: 'button',
          id: 'test',
          name: 'go',
          kind: 'submit',
          classes: ['big', 'red'],
          dataset: { row: '7' },
          path: '#test',
        });
        subset(data, { type: 'click', name: 'go', value: 'v', button: 0, modifiers: 'Shift' });
        assert.ok(Math.abs(data.time - before) < 10_000 && Number.isInteger(data.time));
        assert.ok(data.clientX > 0 && data.clientY > 0);
      });

      test('of the mouse: all that it does, in order, at its place in the target', async () => {
        const on = [
          'mousedown',
          'mouseup',
          'click',
          'dblclick',
          'auxclick',
          'contextmenu',
          'pointerdown',
          'pointerup',
        ];
        await p.open(
          '<p id="a" style="width:200px;height:100px">a</p>',
          ...on.map((type) => ({
            on: type,
            select: '#a',
            fields: ['type', 'button', 'offset', 'detail'],
            prevent: type === 'contextmenu',
          })),
        );
        const box = await (await page.$('#a')).boundingBox();
        await page.mouse.click(box.x + 50, box.y + 25, { count: 2 });
        await page.mouse.click(box.x + 50, box.y + 25, { button: 'right' });
        const heard = await p.heard();
        const types = heard.map(([type]) => type);
        assert.deepEqual(
          types.filter((type) => type.startsWith('mouse') || type.endsWith('click')).slice(0, 7),
          ['mousedown', 'mouseup', 'click', 'mousedown', 'mouseup', 'click', 'dblclick'],
        );
        for (const type of ['contextmenu', 'auxclick', 'pointerdown', 'pointerup'])
          assert.ok(types.includes(type), type);
        const { offset } = heard[0][1];
        assert.deepEqual(
          [Math.round(offset.x), Math.round(offset.y), offset.width, offset.height],
          [50, 25, 200, 100],
        );
      });

      test('of the mouse: it moves, enters and leaves', async () => {
        const on = [
          'mousemove',
          'pointermove',
          'mouseover',
          'mouseout',
          'mouseenter',
          'mouseleave',
          'pointerenter',
          'pointerleave',
        ];
        await p.open(
          '<p id="a" style="height:50px">a</p><p id="b" style="height:50px"><i>b</i></p>',
          ...on.map((type) => ({ on: type, select: '#b', fields: ['relatedTarget', 'target'] })),
        );
        await page.hover('#a');
        await page.hover('#b i');
        await page.hover('#a');
        const heard = await p.heard();
        const count = (type) => heard.filter(([as]) => as === type).length;
        for (const type of on) assert.ok(count(type) > 0, type);
        for (const type of ['mouseenter', 'mouseleave', 'pointerenter', 'pointerleave'])
          assert.equal(count(type), 1, `${type}: not for what is inside`);
        const [, left] = heard.find(([as]) => as === 'mouseleave');
        assert.equal(left.target.id, 'b');
        assert.equal(left.relatedTarget.id, 'a');
      });

      test('of the wheel, which can be prevented', async () => {
        await p.open('<div id="tall" style="height:5000px">x</div>', {
          on: 'wheel',
          prevent: true,
        });
        await page.mouse.move(200, 300);
        await page.mouse.wheel({ deltaY: 120 });
        const [[, data]] = await p.hears();
        subset(data, { type: 'wheel', deltaX: 0, deltaMode: 0 });
        assert.ok(data.deltaY > 0);
        assert.equal(await p.run(() => window.scrollY), 0);
      });

      test('of the keyboard: keys with their modifiers, and only those that are asked for', async () => {
        await p.open(
          '<input id="i">',
          { on: ['keydown', 'keyup'], select: '#i' },
          {
            on: 'keydown',
            as: 'save',
            keys: ['Ctrl+s', 'F2', 'Shift+Enter', '?'],
            prevent: true,
            fields: ['key', 'modifiers'],
          },
        );
        await page.focus('#i');
        await page.keyboard.press('a');
        const [down, up] = (await p.heard()).map(([, data]) => data);
        subset(down, {
          type: 'keydown',
          key: 'a',
          code: 'KeyA',
          modifiers: '',
          repeat: false,
          isComposing: false,
        });
        subset(up, { type: 'keyup', key: 'a' });
        await p.unlisten({ select: '#i' });
        for (const [held, key] of [
          ['Control', 's'],
          [null, 's'],
          ['Shift', 'S'],
          [null, 'F2'],
          [null, 'Enter'],
          ['Shift', 'Enter'],
          ['Shift', '?'],
          ['Alt', 's'],
        ]) {
          if (held) await page.keyboard.down(held);
          await page.keyboard.press(key);
          if (held) await page.keyboard.up(held);
        }
        assert.deepEqual(
          (await p.heard()).map(([as, { key, modifiers }]) => [as, key, modifiers]),
          [
            ['save', 's', 'Ctrl'],
            ['save', 'F2', ''],
            ['save', 'Enter', 'Shift'],
            ['save', '?', 'Shift'],
          ],
        );
      });

      test('in fields: what is typed, checked and chosen', async () => {
        await p.open(
          `<form><input name="t"><input type="checkbox" name="c"><textarea name="a"></textarea>
          <select name="s" multiple><option value="1">one<option value="2">two<option
          value="3">three</select></form>`,
          { on: ['input', 'change'], select: 'form' },
          { on: ['focusin', 'focusout', 'focus', 'blur'], select: '[name=t]' },
        );
        await page.type('[name=t]', 'hø');
        await page.click('[name=c]');
        await page.select('[name=s]', '1', '3');
        const heard = await p.heard();
        const focus = heard
          .filter(([as]) => /focus|blur/.test(as))
          .map(([as, { type }]) => [as, type].join(' '));
        assert.deepEqual(
          new Set(focus),
          new Set(['focus focus', 'focusin focusin', 'blur blur', 'focusout focusout']),
        );
        const fields = heard
          .filter(([as]) => as === 'input' || as === 'change')
          .map(([, data]) => data);
        subset(fields[0], {
          type: 'input',
          name: 't',
          value: 'h',
          inputType: 'insertText',
          data: 'h',
        });
        subset(fields[1], { type: 'input', name: 't', value: 'hø' });
        assert.equal(fields[1].target.tag, 'form', 'what was selected');
        subset(
          fields.find(({ type, name }) => type === 'change' && name === 't'),
          { value: 'hø' },
        );
        subset(
          fields.find(({ type, name }) => type === 'change' && name === 'c'),
          { checked: true, value: 'on' },
        );
        assert.deepEqual(
          fields.find(({ type, name }) => type === 'change' && name === 's').selected,
          ['1', '3'],
        );
      });

      test('of a form: what would be submitted, by which button, and what is not valid', async () => {
        await p.open(
          `<form id="f"><input name="who" value="Frode Børli"><input name="tag" value="a"><input
          name="tag" value="b"><input type="checkbox" name="no">
          <input type="hidden" name="__proto__" value="odd"><input name="must" required><button
          name="do" value="save">Save</button></form>`,
          { on: 'submit', select: '#f', prevent: true },
          { on: 'invalid', select: 'input' },
          { on: 'reset', select: '#f' },
        );
        await page.click('button');
        const invalid = await p.one();
        subset(invalid, { type: 'invalid', name: 'must', value: '' });
        assert.ok(invalid.validation.length > 3);
        await page.type('[name=must]', 'x');
        await page.keyboard.press('Enter');
        const { form, submitter, target } = await p.one();
        const odd = JSON.parse('{"__proto__":"odd"}');
        assert.deepEqual(
          Object.entries(form),
          Object.entries({ who: 'Frode Børli', tag: ['a', 'b'], ...odd, must: 'x', do: 'save' }),
        );
        assert.equal(submitter.name, 'do');
        assert.equal(target.id, 'f');
        assert.match(page.url(), /listens\.py$/);
        await p.run(() => document.querySelector('form').reset());
        assert.equal((await p.one()).type, 'reset');
      });

      test('of a finger', async () => {
        await p.open(
          '<p id="a" style="height:200px">a</p>',
          { on: ['touchstart', 'touchmove', 'touchend'], select: '#a' },
          { on: 'pointerdown', fields: ['pointerType'] },
        );
        const { x, y } = await (await page.$('#a')).boundingBox();
        await page.touchscreen.touchStart(x + 30, y + 40);
        await page.touchscreen.touchMove(x + 60, y + 80);
        await page.touchscreen.touchEnd();
        const heard = await p.hears((all) => all.some(([as]) => as === 'touchend'));
        assert.deepEqual(
          heard.map(([as]) => as).filter((as) => as !== 'touchmove'),
          ['pointerdown', 'touchstart', 'touchend'],
        );
        assert.equal(heard[0][1].pointerType, 'touch');
        const [, start] = heard.find(([as]) => as === 'touchstart');
        assert.equal(start.touches.length, 1);
        assert.equal(Math.round(start.touches[0].clientX - x), 30);
        assert.deepEqual(heard.at(-1)[1].touches, []);
        assert.equal(heard.at(-1)[1].changedTouches.length, 1);
      });

      test('of the clipboard: its types, and its text only for who asks for it', async () => {
        await p.open(
          '<input id="from" value="copied text"><input id="to">',
          { on: ['copy', 'cut', 'paste'], as: 'clipboard' },
          { on: 'paste', as: 'text', fields: ['text'] },
          { on: 'copy', as: 'selection', fields: ['selection'] },
        );
        const press = async (key, command) => {
          await page.keyboard.down('Control');
          await page.keyboard.press(key, name === 'chromium' ? { commands: [command] } : {});
          await page.keyboard.up('Control');
        };
        await page.focus('#from');
        await press('a', 'SelectAll');
        await press('c', 'Copy');
        await page.focus('#to');
        await press('v', 'Paste');
        await press('a', 'SelectAll');
        await press('x', 'Cut');
        const heard = await p.hears((all) => all.some(([, { type }]) => type === 'cut'));
        assert.ok(
          !JSON.stringify(heard.filter(([as]) => as === 'clipboard')).includes('copied text'),
        );
        assert.deepEqual(
          heard.filter(([as]) => as === 'clipboard').map(([, { type }]) => type),
          ['copy', 'paste', 'cut'],
        );
        assert.ok(heard.find(([, { type }]) => type === 'paste')[1].types.includes('text/plain'));
        assert.equal(heard.find(([as]) => as === 'text')[1].text, 'copied text');
        assert.equal(heard.find(([as]) => as === 'selection')[1].selection, 'copied text');
      });

      test('of dragging and dropping', async () => {
        await p.open(
          '<p id="a" draggable="true" style="width:100px;height:50px">drag me</p><p id="b" style="width:100px;height:100px">here</p>',
          { on: ['dragstart', 'dragend', 'dragenter', 'dragleave'] },
          { on: ['dragover'], select: '#b', prevent: true, throttle: 60_000 },
          {
            on: 'drop',
            select: '#b',
            prevent: true,
            fields: ['type', 'target', 'types', 'text', 'files'],
          },
        );
        await p.run(() =>
          document
            .querySelector('#a')
            .addEventListener('dragstart', (event) =>
              event.dataTransfer.setData('text/plain', 'the dragged'),
            ),
        );
        const [from, to] = await Promise.all(
          ['#a', '#b'].map(async (s) => (await page.$(s)).boundingBox()),
        );
        await page.mouse.move(from.x + 20, from.y + 20);
        await page.mouse.down();
        for (const step of [25, 30, 60]) await page.mouse.move(from.x + step, from.y + 20);
        for (const step of [40, 50, 55]) await page.mouse.move(to.x + step, to.y + step);
        const heard = await p.hears((all) => all.some(([as]) => as === 'dragover'));
        await page.mouse.move(to.x + 57, to.y + 50);
        await page.mouse.up();
        if (name === 'firefox') await p.run(letGo); // its driver drags, but can't drop
        heard.push(...(await p.hears((all) => all.some(([as]) => as === 'dragend'))));
        for (const type of ['dragstart', 'dragenter', 'dragover', 'drop', 'dragend'])
          assert.ok(
            heard.some(([as]) => as === type),
            type,
          );
        assert.equal(heard.filter(([as]) => as === 'dragover').length, 1);
        const [, drop] = heard.find(([as]) => as === 'drop');
        subset(drop, { text: 'the dragged', types: ['text/plain'], files: [] });
        assert.equal(drop.target.id, 'b');
      });

      test('of choosing files: their names, sizes and types', async () => {
        await p.open('<input type="file" id="f" name="pictures" multiple>', {
          on: 'change',
          select: '#f',
        });
        await (
          await page.$('#f')
        ).uploadFile(path.join(SITE, 'counter.py'), path.join(SITE, 'moved.py'));
        const [[, data]] = await p.hears();
        assert.deepEqual(
          data.files.map((file) => file.name),
          ['counter.py', 'moved.py'],
        );
        assert.equal(data.files[0].size, fs.statSync(path.join(SITE, 'counter.py')).size);
        assert.equal(data.name, 'pictures');
      });

      test('of an input method: composition, during which no key is one', async () => {
        await p.open(
          '<input id="i">',
          { on: ['compositionstart', 'compositionupdate', 'compositionend'], as: 'composition' },
          { on: 'input' },
          { on: 'keydown', as: 'enter', keys: 'Enter' },
        );
        await page.focus('#i');
        if (name === 'chromium') {
          const cdp = await page.createCDPSession();
          await cdp.send('Input.imeSetComposition', {
            text: 'に',
            selectionStart: 1,
            selectionEnd: 1,
          });
          await cdp.send('Input.imeSetComposition', {
            text: '日本',
            selectionStart: 2,
            selectionEnd: 2,
          });
          await cdp.send('Input.insertText', { text: '日本' });
        } else {
          await p.run(() => {
            const input = document.querySelector('#i');
            const fire = (type, data) =>
              input.dispatchEvent(new CompositionEvent(type, { data, bubbles: true }));
            fire('compositionstart', '');
            fire('compositionupdate', 'に');
            fire('compositionupdate', '日本');
            input.value = '日本';
            input.dispatchEvent(
              new InputEvent('input', { data: '日本', isComposing: true, bubbles: true }),
            );
            fire('compositionend', '日本');
          });
        }
        await p.run(() =>
          document
            .querySelector('#i')
            .dispatchEvent(
              new KeyboardEvent('keydown', { key: 'Enter', isComposing: true, bubbles: true }),
            ),
        );
        const heard = await p.heard();
        const composed = heard
          .filter(([as]) => as === 'composition')
          .map(([, { type, data }]) => `${type} ${data}`);
        assert.equal(composed[0], 'compositionstart ');
        assert.ok(
          composed.includes('compositionupdate に') && composed.includes('compositionupdate 日本'),
        );
        assert.equal(composed.at(-1), 'compositionend 日本');
        assert.equal(heard.filter(([as]) => as === 'input').at(-1)[1].value, '日本');
        assert.ok(heard.some(([as, { isComposing }]) => as === 'input' && isComposing));
        assert.ok(!heard.some(([as]) => as === 'enter'));
      });
    });

    describe('what happens by itself', () => {
      /** What is heard by this name once the page has done that. */
      const happens = async (as, script) => {
        await p.run(script);
        return (await p.hears((all) => all.some(([one]) => one === as))).find(
          ([one]) => one === as,
        )[1];
      };

      test('animations and transitions', async () => {
        await p.open(
          '<style>@keyframes k { to { opacity: .5 } } #a.go { animation: k 20ms } #b { transition: opacity 20ms } #b.go { opacity: 0 }</style><p id="a">a</p><p id="b">b</p>',
          { on: ['animationstart', 'animationend'] },
          { on: ['transitionrun', 'transitionend'] },
        );
        await p.run(() => {
          getComputedStyle(document.querySelector('#b')).opacity;
          for (const id of ['a', 'b']) document.getElementById(id).className = 'go';
        });
        const heard = await p.hears((all) => all.length >= 4);
        subset(heard.find(([as]) => as === 'animationend')[1], {
          animationName: 'k',
          pseudoElement: '',
        });
        subset(heard.find(([as]) => as === 'transitionend')[1], { propertyName: 'opacity' });
      });

      test('the history and the address', async () => {
        await p.open('', { on: 'popstate', target: 'window' }, { on: 'hashchange' });
        await p.run(() => {
          history.pushState({ step: 1 }, '', '?one');
          history.pushState({ step: 2 }, '', '?two');
          history.back();
        });
        const [[as, data]] = await p.hears();
        assert.deepEqual(
          [as, data.state, data.url, data.target],
          ['popstate', { step: 1 }, `${server.url}/listens.py?one`, { object: 'window' }],
        );
        assert.match((await happens('hashchange', () => void (location.hash = 'x'))).newURL, /#x$/);
      });

      test('sizes: of the window, of the visual viewport, media queries and scrolling', async () => {
        await p.open(
          '<div id="s" style="height:50px;overflow:auto"><div style="height:500px">x</div></div><div style="height:3000px"></div>',
          { on: 'scroll', select: '#s', as: 'inner' },
          { on: 'scroll', as: 'outer' },
          { on: 'change', target: 'media:(max-width: 500px)', as: 'narrow' },
          { on: 'resize', target: 'window' },
          { on: 'resize', target: 'visualViewport', as: 'viewport' },
        );
        const inner = await happens(
          'inner',
          () => void (document.querySelector('#s').scrollTop = 30),
        );
        assert.deepEqual([inner.scrollTop, inner.target.id], [30, 's']);
        const outer = await happens('outer', () => window.scrollTo(0, 70));
        assert.deepEqual([outer.scrollTop, outer.target], [70, { object: 'document' }]);
        const size = await page.viewport();
        await page.setViewport({ width: 450, height: 600 });
        const heard = await p.hears((all) =>
          ['narrow', 'resize', 'viewport'].every((as) => all.some(([one]) => one === as)),
        );
        await page.setViewport(size);
        subset(heard.find(([as]) => as === 'resize')[1], {
          innerWidth: 450,
          target: { object: 'window' },
        });
        subset(heard.find(([as]) => as === 'narrow')[1], {
          matches: true,
          media: '(max-width: 500px)',
        });
        assert.ok(heard.find(([as]) => as === 'viewport')[1].width > 0);
      });

      test('storage of another tab, visibility', async () => {
        await p.open('', { on: 'storage' }, { on: 'visibilitychange' });
        const other = await browser.newPage();
        await other.goto(`${server.url}/listens.py`);
        await other.evaluate(() => localStorage.setItem('key', 'new'));
        const heard = await p.hears((all) => all.some(([as]) => as === 'storage'));
        subset(heard.find(([as]) => as === 'storage')[1], {
          key: 'key',
          newValue: 'new',
          target: { object: 'window' },
        });
        await other.evaluate(() => localStorage.clear());
        await other.close();
        await page.bringToFront();
        await p.heard();
        await p.run(() => document.dispatchEvent(new Event('visibilitychange', { bubbles: true })));
        assert.equal(
          (await p.heard()).find(([as]) => as === 'visibilitychange')[1].visibility,
          'visible',
        );
      });

      test('media, and what elements load or fail to load', async () => {
        await p.open(
          '<img id="ok"><img id="bad"><audio id="a"></audio>',
          { on: ['load', 'error'], select: 'img', fields: ['target'] },
          { on: ['volumechange', 'ratechange'], select: 'audio' },
        );
        await p.run(() => {
          document.querySelector('#ok').src =
            'data:image/gif;base64,R0lGODlhAQABAIAAAAUEBAAAACwAAAAAAQABAAACAkQBADs=';
          document.querySelector('#bad').src = 'data:image/gif;base64,AAAA';
          document.querySelector('#a').volume = 0.5;
        });
        const heard = await p.hears((all) => all.length >= 3);
        assert.deepEqual(
          heard.filter(([as]) => as === 'load').map(([, { target }]) => target.id),
          ['ok'],
        );
        assert.deepEqual(
          heard.filter(([as]) => as === 'error').map(([, { target }]) => target.id),
          ['bad'],
        );
        subset(heard.find(([as]) => as === 'volumechange')[1], {
          volume: 0.5,
          paused: true,
          currentTime: 0,
          duration: null,
        });
      });

      test('dialogs, details, and scripts that fail', async () => {
        await p.open(
          '<dialog id="d">d</dialog><details id="t"><summary>s</summary>x</details>',
          { on: 'close', select: 'dialog' },
          { on: 'toggle', select: 'details' },
          { on: ['error', 'unhandledrejection'], target: 'window' },
        );
        await p.run(() => {
          document.querySelector('#d').showModal();
          document.querySelector('#d').close('yes');
          document.querySelector('#t').open = true;
          window.dispatchEvent(new ErrorEvent('error', { message: 'Error: thrown', lineno: 7 }));
          window.dispatchEvent(
            new PromiseRejectionEvent('unhandledrejection', {
              promise: Promise.resolve(),
              reason: new RangeError('rejected'),
            }),
          );
        });
        const heard = await p.hears((all) => all.length >= 4);
        assert.equal(heard.find(([as]) => as === 'close')[1].returnValue, 'yes');
        assert.equal(heard.find(([as]) => as === 'toggle')[1].open, true);
        assert.match(heard.find(([as]) => as === 'error')[1].message, /thrown/);
        assert.equal(heard.find(([as]) => as === 'error')[1].lineno, 7);
        assert.deepEqual(heard.find(([as]) => as === 'unhandledrejection')[1].reason, {
          name: 'RangeError',
          message: 'rejected',
        });
      });

      test('custom events with their detail, whatever it is; elements in it are described', async () => {
        await p.open(
          '<b id="b">b</b>',
          { on: 'my:event', as: 'mine' },
          { on: 'quiet', select: '#b' },
        );
        const detail = {
          n: 1,
          list: [1, [2]],
          text: 'ø',
          none: null,
          when: '2020-01-01T00:00:00.000Z',
        };
        await p.run((plain) => {
          const b = document.querySelector('#b');
          const odd = {
            ...plain,
            when: new Date(plain.when),
            element: b,
            file: new File(['abc'], 'a.txt', { type: 'text/plain' }),
            left: () => 1,
            ['__proto__']: 'own',
          };
          b.dispatchEvent(new CustomEvent('my:event', { bubbles: true, detail: odd }));
          b.dispatchEvent(new CustomEvent('quiet', { detail: 5 }));
        }, detail);
        const [[, mine], [, quiet]] = await p.heard();
        const { element, file, ...rest } = mine.detail;
        assert.deepEqual(
          Object.entries(rest),
          Object.entries({ ...detail, ...JSON.parse('{"__proto__":"own"}') }),
        );
        assert.equal(element.id, 'b');
        subset(file, { name: 'a.txt', size: 3, type: 'text/plain' });
        assert.equal(quiet.detail, 5);
      });
    });
  });
}
