// A terminal: xterm.js is the screen and keyboard, telnet.js talks with the other side.
import { Telnet } from './telnet.js';

const port = Number(new URLSearchParams(location.search).get('port') ?? 2323);
const link = document.querySelector('#link');
const show = (state, text) =>
  Object.assign(link, { textContent: text }) && (link.dataset.state = state);

async function run() {
  if (!globalThis.Terminal)
    throw new Error('xterm.js is not here: start the page by tools/tcp-examples terminal');
  const terminal = new Terminal({ cols: 90, rows: 24, cursorBlink: true });
  terminal.open(document.querySelector('#screen'));
  terminal.focus();
  globalThis.terminal = terminal;

  show('', 'connecting');
  const connection = new TCPConnection(location.hostname, port, { noDelay: true });
  const { readable, writable } = await connection.opened;
  show('connected', 'connected');
  const writer = writable.getWriter();
  const telnet = new Telnet((bytes) => writer.write(bytes).catch(() => {}), {
    columns: terminal.cols,
    rows: terminal.rows,
  });
  terminal.onData((text) => telnet.type(new TextEncoder().encode(text)));
  terminal.onResize(({ cols, rows }) => telnet.resize(cols, rows));

  // The next bytes are taken when the screen has shown these, so a flood waits at the other side.
  const reader = readable.getReader();
  for (let part; !(part = await reader.read()).done;)
    await new Promise((shown) => terminal.write(telnet.receive(part.value), shown));
  await writer.close();
  await connection.closed;
  show('', 'ended');
}

run().catch((error) => show('', error.code ? `${error.code}: ${error.message}` : error.message));
