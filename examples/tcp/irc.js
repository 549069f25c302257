// An IRC client. It uses the simple interface of TCPConnection: onopen, onread, send, onclose.
const $ = (selector) => document.querySelector(selector);
const port = Number(new URLSearchParams(location.search).get('port') ?? 6667);
const people = new Set();
let irc, nick, channel;

function show(state, text) {
  $('#link').dataset.state = state;
  $('#link').textContent = text;
}

function say(who, text, kind = '') {
  const line = document.createElement('li');
  line.className = kind;
  if (who) line.append(Object.assign(document.createElement('b'), { textContent: who }), ' ');
  line.append(text);
  $('#talk').append(line);
  line.scrollIntoView({ block: 'nearest' });
}

function showPeople() {
  const names = [...people].sort((a, b) => a.localeCompare(b));
  $('#people').replaceChildren(
    ...names.map((name) => Object.assign(document.createElement('li'), { textContent: name })),
  );
}

/** `:nick!user@host COMMAND middle … :trailing`. */
function parse(line) {
  const [, from = '', command, rest] = /^(?::([^ !]+)[^ ]* )?([^ ]+)(.*)$/.exec(line);
  const [, middle, last] = /^(.*?)(?: :(.*))?$/.exec(rest);
  const parameters = middle.split(' ').filter(Boolean);
  if (last !== undefined) parameters.push(last);
  return { from, command, parameters };
}

const left = (name, why) => {
  if (people.delete(name)) say('', `${name} ${why}`, 'note');
};

/** What the server may say, by its command or number. */
const heard = {
  PING: (_, [token]) => irc.send(`PONG :${token}\r\n`),
  '001': () => irc.send(`JOIN ${channel}\r\n`),
  332: (_, [, , topic]) => ($('#topic').textContent = topic),
  353: (_, parameters) =>
    parameters
      .at(-1)
      .split(' ')
      .forEach((name) => name && people.add(name.replace(/^[@+]/, ''))),
  433: () => (say('', `${nick} is taken`, 'note'), irc.disconnect()),
  JOIN(from) {
    people.add(from);
    say('', `${from} has come`, 'note');
    if (from === nick) show('connected', `connected as ${nick}`);
  },
  PART: (from) => left(from, 'has left'),
  QUIT: (from) => left(from, 'is gone'),
  PRIVMSG: (from, [, text]) => say(from, text),
  TOPIC: (_, [, topic]) => ($('#topic').textContent = topic),
  ERROR: (_, [why]) => say('', why, 'note'),
};

function take(line) {
  const { from, command, parameters } = parse(line);
  heard[command]?.(from, parameters);
  showPeople();
}

function connect() {
  irc = new TCPConnection(location.hostname, port);
  show('', 'connecting');
  const decoder = new TextDecoder();
  let rest = '';
  irc.onopen = () => irc.send(`NICK ${nick}\r\nUSER ${nick} 0 * :a page\r\n`);
  irc.onread = (bytes) => {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split(/\r?\n/);
    rest = lines.pop();
    for (const line of lines) if (line) take(line);
  };
  irc.onerror = (error) => say('', `${error.code}: ${error.message}`, 'note');
  irc.onclose = ({ code }) => {
    show('', code);
    people.clear();
    showPeople();
    $('#join').hidden = false;
  };
}

$('#join').onsubmit = (event) => {
  event.preventDefault();
  ({ nick, channel } = Object.fromEntries(new FormData(event.target)));
  $('#join').hidden = true;
  $('#room').hidden = false;
  connect();
};

$('#say').onsubmit = (event) => {
  event.preventDefault();
  const { text } = event.target.elements;
  if (!text.value.trim() || irc?.readyState !== TCPConnection.OPEN) return;
  irc.send(`PRIVMSG ${channel} :${text.value}\r\n`);
  say(nick, text.value, 'own');
  text.value = '';
};
