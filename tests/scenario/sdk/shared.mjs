#!/usr/bin/env node
// The shared program of sdk-shared.test.mjs, by the Node helper.
const { Pages, html } = await import(`${process.env.HTTPSOCKET_SDK}/node/httpsocket.mjs`);

const pages = new Pages();
pages
  .page((page) => {
    const { query, form } = page.request;
    if (query.get('refuse')) page.refuse(403, { message: 'not you' });
    if (query.get('crash')) throw new Error("a page that can't be made");
    page.count = 0;
    return html`<!doctype html><title>${query.get('name')} ${form.get('field')}</title>`;
  })
  .on('add', async (page, n) => {
    page.count += n;
    await page.send('total', [page.count, process.pid, [...pages].length]);
  })
  .on('say', (page, text) => pages.send('said', text))
  .handle('double', (page, n) => 2 * n)
  .on('ask', async (page, name) => {
    await page.send('asked', await page.call(name).catch((error) => error.message));
  })
  .on('flood', async (page, count) => {
    for (let i = 0; i < count; i++) await page.send('n', [i, 'x'.repeat(1000)]);
  })
  .on('join', (page, topic) => {
    const board = page.subscribe(topic, (event) => page.send('heard', event.data));
    return board.publish('stroke', page.count);
  })
  .onStream('upload', async (page, stream) => {
    for await (const piece of stream) await stream.write(piece);
  })
  .attached((page, { resumed }) => page.send('told', ['attach', resumed]))
  .left((page) => console.error('left', page.count))
  .ended(() => console.error('ended'));
await pages.run();
