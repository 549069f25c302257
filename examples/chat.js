// chat.js - the page of chat.py: shows the lines of the chat, and sends what is typed.
const server = document.serverConnection;
const [lines, here, form] = ['#lines', '#here', 'form'].map((name) => document.querySelector(name));

function show(text) {
  const line = document.createElement('p');
  line.textContent = text;
  lines.append(line);
  line.scrollIntoView({ block: 'nearest' });
}

server.onhistory = (all) => all.forEach(show);
server.onsaid = show;
server.onhere = (count) => (here.textContent = count);
form.addEventListener('submit', (event) => {
  event.preventDefault();
  server.send('say', form.elements.text.value);
  form.reset();
});
