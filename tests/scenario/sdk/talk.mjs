#!/usr/bin/env node
// The conversation of sdk.test.mjs, by the Node helper.
const { page, Failure, Html, html, scriptJson } = await import(
  `${process.env.HTTPSOCKET_SDK}/node/httpsocket.mjs`
);

const { request } = page;
if (request.query.get('refuse'))
  page.refuse(401, { message: 'not you', realm: 'the test', retry: 7, path: '/' });

const received = [];
page
  .on('echo', (data) => page.send('echo', data))
  .on('put', (number) => void received.push(number))
  .handle('report', () => ({
    count: received.length,
    in_order: received.every((n, i) => n === i),
    pid: process.pid,
  }))
  .on('flood', async (count) => {
    for (let i = 0; i < count; i++) await page.send('n', i);
  })
  .handle('add', (numbers) => numbers.reduce((a, b) => a + b, 0))
  .handle('same', (data) => data)
  .handle('count', async function* (n) {
    for (let i = 0; i < n; i++) yield i;
  })
  .handle('refused', (what) => {
    throw new Failure(`no ${what}`, { code: 7 });
  })
  .handle('crash', () => {
    throw new Error('a secret of the program');
  })
  .on('throw', () => {
    throw new Error('thrown on purpose');
  })
  .on('ask', async ({ name, data, timeout }) => {
    try {
      await page.send('asked', {
        answer: await page.call(name, data, { timeout: timeout * 1000 }),
      });
    } catch (error) {
      await page.send(
        'asked',
        error.code === 'remote' ? { failure: error.message } : { [error.code]: true },
      );
    }
  })
  .on('collect', async (name) => {
    const parts = [];
    for await (const part of page.stream(name)) parts.push(part);
    await page.send('collected', parts);
  })
  .on('print', (text) => console.log(text))
  .on('watch', async () => {
    page
      .listen('click', '#test', { as: 'test_click', prevent: true }, (event) =>
        page.send('clicked', event),
      )
      .stop();
    await page.dom({ select: '#n', text: '<5>' });
    await page.dom({ select: '#a', remove: true }, { select: '#b', focus: true });
  })
  .problem(({ command }) => page.send('told', ['problem', command]))
  .on('join', (topic) => {
    const board = page.subscribe(
      topic,
      { history: 2, presence: { name: 'py' } },
      ({ event, data }) => page.send('heard', [event, data]),
    );
    board.presence(({ here, joined }) =>
      page.send(
        'here',
        (here ?? joined ?? []).map((one) => one.data),
      ),
    );
    return board.publish('stroke', { x: 1 });
  })
  .on('part', (topic) => page.unsubscribe(topic))
  .onStream('upload', async (stream) => {
    if (stream.data.size > 10_000_000) return stream.reset('too-large');
    try {
      for await (const piece of stream) await stream.write(piece);
    } catch (error) {
      page.send('broken', error.data.reason);
    }
  })
  .on('leave', (reason) => page.close(reason))
  .attached(({ resumed }) => page.send('told', ['attach', resumed]))
  .ended(() => console.error('ended'));

const told = {
  method: request.method,
  name: request.query.get('name'),
  agent: request.headers['x-test'] ?? null,
  field: request.form.get('field'),
};
page.show(
  html`<!doctype html><title>${'<talk> & "more"'}</title><script>const told = ${new Html(scriptJson(told))}</script>`,
);
await page.run();
