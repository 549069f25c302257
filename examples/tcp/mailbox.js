// Shows what is in a mailbox, newest first, and a letter when it is chosen.
import { Imap } from './imap.js';

const $ = (selector) => document.querySelector(selector);
const port = Number(new URLSearchParams(location.search).get('port') ?? 1993);
const text = (bytes) => new TextDecoder().decode(bytes);

function show(state, words) {
  $('#link').dataset.state = state;
  $('#link').textContent = words;
}

function headers(bytes) {
  const unfolded = text(bytes).replace(/\r\n[ \t]+/g, ' ');
  return Object.fromEntries(
    [...unfolded.matchAll(/^([\w-]+): (.*)$/gm)].map(([, name, value]) => [
      name.toLowerCase(),
      value,
    ]),
  );
}

async function open(imap, number, button) {
  const [{ bytes }] = await imap.fetch(number, 'TEXT');
  $('#letter').textContent = text(bytes).trimEnd();
  for (const other of document.querySelectorAll('#list button'))
    other.ariaCurrent = String(other === button);
}

function row(imap, { number, bytes }) {
  const { from = '', subject = '', date = '' } = headers(bytes);
  const button = document.createElement('button');
  const small = Object.assign(document.createElement('small'), {
    textContent: `${from} · ${date.slice(0, 16)}`,
  });
  button.append(subject, small);
  button.onclick = () => open(imap, number, button).catch(fail);
  const item = document.createElement('li');
  item.append(button);
  return item;
}

function fail(error) {
  $('#problem').textContent = error.code ? `${error.code}: ${error.message}` : error.message;
  show('', 'not connected');
}

async function run({ user, password }) {
  $('#problem').textContent = '';
  show('', 'connecting');
  const imap = await Imap.connect(location.hostname, port, { secure: true });
  await imap.login(user, password);
  const count = await imap.select('INBOX');
  const letters = count ? await imap.fetch('1:*', 'HEADER.FIELDS (FROM SUBJECT DATE)') : [];
  $('#list').replaceChildren(...letters.reverse().map((letter) => row(imap, letter)));
  show('connected', `${count} letters, over TLS`);
  imap.closed.then(() => show('', 'ended'), fail);
}

$('#login').onsubmit = (event) => {
  event.preventDefault();
  run(Object.fromEntries(new FormData(event.target))).catch(fail);
};
