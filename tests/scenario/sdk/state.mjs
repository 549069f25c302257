#!/usr/bin/env node
// The program of sdk-state.test.mjs, by the Node helper: of its own, and shared.
const helper = await import(`${process.env.HTTPSOCKET_SDK}/node/httpsocket.mjs`);

const shared = /state_shared[^/]*$/.test(process.argv[1]);
const program = shared ? new helper.Pages() : helper.page;
let release = () => {};
const released = new Promise((resolve) => (release = resolve));

/** The functions of a shared program are given the page; these are, in both kinds. */
const withPage = (f) => (shared ? f : (...data) => f(program, ...data));
const on = (name, f) => program.on(name, withPage(f));
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function begin(page) {
  page.state = { notes: [], pad: '' };
  page.send('started', { pid: process.pid, restored: page.isRestored });
  return '<!doctype html><title>state</title>';
}

async function note(page, n) {
  page.state.notes.push([n, page.resent]);
  await page.send('noted', n);
}

program.restored(
  withPage((page, { why, resent }) => {
    page.send('restored', [why, resent, page.state.notes]);
    if (page.request.query.get('fail')) throw new Error('a restore that throws');
  }),
);
program.handle(
  'notes',
  withPage((page) => page.state.notes),
);
on('note', note);
on('look', (page) => void page.send('looked'));
on('throw', async (page, n) => {
  await note(page, n);
  throw new Error('thrown on purpose');
});
on('die', (page, n) => {
  page.state.notes.push([n, page.resent]);
  if (!page.resent) process.kill(process.pid, 'SIGKILL');
});
on('quit', async (page, n) => {
  await note(page, n);
  process.exit(3);
});
on('pad', (page, size) => void (page.state.pad = 'x'.repeat(size)));
on('bad', (page) => {
  try {
    page.state = { map: new Map() };
  } catch (error) {
    page.send('refused', error.message);
  }
  page.state.pad = new Set();
});
on('ask', async (page, n) => note(page, await page.call('name', n)));
on('later', (page, n) => {
  void sleep(100).then(() => page.state.notes.push([n, false]));
});
program.handle(
  'slow',
  withPage(async (page, n) => {
    page.send('waiting');
    await released;
    await note(page, n);
  }),
);
on('release', () => void release());
program.problem((...told) => {
  const what = told.at(-1);
  (shared ? told[0] : program).send('told', what.command);
});

if (shared) {
  program.page(begin);
} else if (program.request.query.get('unused')) {
  on('add', (page, n) => page.send('total', n));
  program.show('<!doctype html><title>state</title>');
} else {
  program.show(await begin(program));
}
await program.run();
