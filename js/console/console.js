// SPDX-License-Identifier: MIT
// The developer's console, which the server serves in dev mode (src/page/console.c): shows each
// message of any page in a row, and injects faults into connections.
'use strict';
{
  const ROWS_MAX = 2000;
  const rows = document.querySelector('tbody');
  const list = document.querySelector('nav');
  const state = document.querySelector('#state');
  /** The sessions, by their mark. @type {Map<string, HTMLElement>} */
  const sessions = new Map();
  let chosen = '';
  let last = 0; // number of the newest record: the server repeats its history after a reconnect

  const element = (name, text = '', className = '') =>
    Object.assign(document.createElement(name), { textContent: text, className });
  const shows = (row) => !chosen || row.dataset.session === chosen;

  const choose = (session) => {
    chosen = chosen === session ? '' : session;
    for (const [mark, section] of sessions) section.classList.toggle('chosen', mark === chosen);
    for (const row of rows.rows) row.hidden = !shows(row);
  };

  const fault = async (session, what) => {
    const response = await fetch('console/fault', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ session, ...what }),
    });
    if (!response.ok) state.textContent = await response.text();
  };

  const faults = (session) => {
    const box = element('div', '', 'faults');
    const latency = Object.assign(element('input'), {
      type: 'number',
      min: 0,
      max: 60000,
      step: 50,
      value: 300,
      ariaLabel: 'milliseconds',
    });
    const buttons = [
      ['Latency, ms', () => fault(session, { latency: latency.valueAsNumber || 0 })],
      ['None', () => fault(session, { latency: 0 })],
      ['Cut', () => fault(session, { cut: 0 })],
      ['Cut for 5 s', () => fault(session, { cut: 5000 })],
    ].map(([text, act]) => Object.assign(element('button', text), { onclick: act }));
    box.onclick = (event) => event.stopPropagation();
    box.append(latency, ...buttons);
    return box;
  };

  const sessionOf = ({ session, program, pid }) => {
    if (sessions.has(session)) return sessions.get(session);
    const section = element('section');
    section.dataset.session = session;
    const connection = element('p', '', 'soft');
    section.append(
      element('p', program),
      element('p', `${session || 'no session'} · process ${pid}`, 'soft'),
      connection,
      faults(session),
    );
    section.onclick = () => choose(session);
    section.says = (text) => {
      connection.textContent = text;
    };
    sessions.set(session, section);
    list.append(section);
    return section;
  };

  const WHO = { page: 'page →', program: '← program', server: '' };

  const add = (time, kind, { session, from, head, data, bytes, leftOut }, section) => {
    const row = element('tr', '', kind === 'message' ? from : kind);
    row.dataset.session = session;
    const when = new Date(time).toISOString().slice(11, 23);
    const cells = [
      when,
      session,
      kind === 'stderr' ? 'stderr' : WHO[from],
      head ? `${head} ${data}` : data,
      kind === 'message' ? `${bytes} B` : '',
    ];
    row.append(...cells.map((text) => element('td', text)));
    row.hidden = !shows(row);
    rows.append(row);
    if (leftOut) rows.append(element('tr', `(${leftOut} left out)`, 'note'));
    while (rows.rows.length > ROWS_MAX) rows.rows[0].remove();
    if (kind === 'note') {
      section.says(`${head} ${data}`);
      section.classList.toggle('over', head === 'ended');
    }
  };

  const source = new EventSource('console/events');
  source.onopen = () => {
    state.textContent = 'live';
  };
  source.onerror = () => {
    state.textContent = 'not connected';
  };
  source.onmessage = (message) => {
    const { seq, time, event, data, lost, past } = JSON.parse(message.data);
    if (lost) {
      rows.append(element('tr', `(${lost} left out)`, 'note'));
      return;
    }
    if (past && seq <= last) return;
    last = seq;
    add(time, event, data, sessionOf(data));
    const main = document.querySelector('main');
    if (document.querySelector('#follow').checked) main.scrollTop = main.scrollHeight;
  };

  document.querySelector('#clear').onclick = () => rows.replaceChildren();
}
