// SPDX-License-Identifier: MIT
// subscriber.mjs - a page whose program (programs/board.py) subscribes and publishes on request,
// and reports the lines that the server writes to it.
import assert from 'node:assert/strict';
import { Program } from './program.mjs';
import { Page } from './session-client.mjs';

export class Subscriber extends Program {
  static async opens(server, options) {
    const page = await Page.opens(server, 'board', options);
    return new Subscriber((await page.program()).pid, page);
  }

  static opensMany(server, count, options) {
    return Promise.all(Array.from({ length: count }, () => Subscriber.opens(server, options)));
  }

  /** Has the program give the server this command. */
  gives(command, fields) {
    this.says(`.${command} ${JSON.stringify(fields)}`);
  }

  /** The fields of the next line of this name that the server writes to the program. */
  async isTold(name) {
    for (;;) {
      const [told, fields] = await this.page.hearsOf('heard');
      if (told === name) return fields;
    }
  }

  /** Resolves with the fields of `.subscribed`. */
  subscribes(topic, options = {}) {
    this.gives('subscribe', { topic, ...options });
    return this.isTold('subscribed');
  }

  unsubscribes(topic) {
    this.gives('unsubscribe', { topic });
  }

  publishes(topic, event, data, more = {}) {
    this.gives('publish', { topic, event, data, ...more });
  }

  /** Publishes `count` events `n` of `size` bytes and more. */
  floods(topic, count, size) {
    this.page.says(`flood ${JSON.stringify({ topic, count, size })}`);
  }

  /** The next `n` lines of `.topic`. */
  async events(n) {
    const events = [];
    while (events.length < n) events.push(await this.isTold('topic'));
    return events;
  }

  /** The data of the next `n` events. */
  async data(n) {
    return (await this.events(n)).map(({ data }) => data);
  }

  /** The program's next `.presence` line is exactly this: {here}, {joined} or {left}. */
  async sees(topic, who) {
    assert.deepEqual(await this.isTold('presence'), { topic, ...who });
  }

  /** The program reads nothing from now on, until goesOn(). */
  async stops() {
    this.page.says('stop');
    await this.page.hears(/^stopping/);
  }

  goesOn() {
    this.kill('SIGCONT');
  }

  /** Its page ends the session. */
  closes() {
    return this.page.closes();
  }
}
