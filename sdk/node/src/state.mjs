// SPDX-License-Identifier: MIT
// @ts-check
/**
 * A page's state that outlives its program (docs/page-programs/state.md): when it is saved, and
 * which messages it covers.
 *
 * From its first use on `.save` is written at the end of each function, if the state has changed,
 * and `.confirm` with how many messages are done, contiguous from the first. A program that does
 * not use it writes none of this. While the server takes no more, the newest state waits, and no
 * other.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { PageError } from './errors.mjs';
import { line } from './wire.mjs';

/** @typedef {import('./wire.mjs').Message} Message */

const REFUSALS_MAX = 16; // the log is told of so many
/** Whose function runs for a message that may have been seen. @type {AsyncLocalStorage<State>} */
const RESENT = new AsyncLocalStorage();

/** Those in use, and whether the program has failed. @type {Set<State>} */
const inUse = new Set();
let failed = false;

export class State {
  #connection;
  #lead;
  #restoring; // what the page has is still to come: nothing is saved before
  /** @type {any} */
  #value = {};
  #used = false;
  #over = false;
  /** @type {{ why: string, resent: number } | null} */
  #restored = null;
  #begun = false;
  /** Nothing is, yet. @type {Buffer} */
  #saved = Buffer.alloc(0);
  #told = 0;
  #done = 0;
  #confirmed = 0;
  /** Done before one that was told before them. @type {Set<number>} */
  #early = new Set();
  #running = 0; // functions
  #event = 0; // the message that is heard, of those that are heard one after the other
  #isSoon = false;
  #isLater = false;
  #complaint = '';
  #refusals = 0;

  /**
   * @param {import('./connection.mjs').Connection} connection
   * @param {string} lead of each line
   * @param {boolean} restoring
   */
  constructor(connection, lead, restoring) {
    this.#connection = connection;
    this.#lead = lead;
    this.#restoring = restoring;
  }

  get value() {
    this.#use();
    return this.#value;
  }

  set value(value) {
    savedForm('', value);
    this.#value = value;
    this.#use();
  }

  /** What is being heard may have been seen by a process before this one. */
  get resent() {
    return RESENT.getStore() === this;
  }

  #use() {
    if (!this.#used && !this.#over) saveAtExit(this);
    this.#used = true;
    this.saveSoon();
  }

  // -- messages --

  /** A message has been told; the server's own lines have no number. @param {Message} message */
  number(message) {
    if (message.kind === 'system') return;
    message.number = ++this.#told;
    if (message.kind !== 'event' && message.kind !== 'call') this.#finish(message.number);
  }

  /** @param {Message} message */
  isResent({ number = 0 }) {
    return number > 0 && number <= (this.#restored?.resent ?? 0);
  }

  /**
   * Runs what hears the message, which is then done.
   * @param {Message} message
   * @param {() => unknown} work
   */
  async hears(message, work) {
    if (message.kind === 'event') this.#event = message.number ?? 0;
    this.#running++;
    try {
      await (this.isResent(message) ? RESENT.run(this, work) : work());
    } finally {
      this.#running--;
      this.done(message);
    }
  }

  /**
   * The program reads it itself, and asks for the next one when it is done.
   * @param {Message} message
   */
  reads(message) {
    this.#event = message.number ?? 0;
    this.#running++;
  }

  /**
   * It has asked, or has left its loop: then it may be about to fail.
   * @param {Message} message
   * @param {boolean} asked
   */
  hasRead(message, asked) {
    this.#running--;
    if (asked) this.done(message);
    else setImmediate(() => this.done(message));
  }

  /** @param {Message} message */
  done({ number = 0 }) {
    if (number) this.#finish(number);
    if (this.#event === number) this.#event = 0;
    this.save();
  }

  /** @param {number} number */
  #finish(number) {
    for (this.#early.add(number); this.#early.delete(this.#done + 1);) this.#done++;
  }

  // -- what comes back --

  /**
   * Takes a line of the server's. Gives what the program is told when the state is whole.
   * @param {Message} message
   * @returns {{ why: string, resent: number } | null}
   */
  restore({ name, data }) {
    if (name === '.restore') {
      this.#restored = { why: data.why, resent: data.resent };
      if (data.bytes) return null; // .state is next
      this.#value = data.state;
    } else {
      this.#value = data;
    }
    this.#saved = savedForm(this.#lead, this.#value);
    this.#restoring = false;
    this.#use();
    return this.#restored;
  }

  /** Says what to do with a state that the server has refused. @param {Message} message */
  noteProblem({ data }) {
    if (data?.command === 'save' && this.#refusals++ < REFUSALS_MAX)
      console.error(`httpsocket: page.state: ${data.message}`);
  }

  // -- what is written --

  /** Writes what there is to save. */
  save() {
    this.#isSoon = false;
    if (!this.#used || this.#restoring || this.#over || this.#isLater) return;
    if (this.#connection.isBehind) void this.#saveLater();
    else this.#connection.write(this.#lines());
  }

  async #saveLater() {
    this.#isLater = true;
    await this.#connection.drain().catch(() => {});
    this.#isLater = false;
    this.save();
  }

  /** Something of the program's own has the state. A function saves at its end. */
  saveSoon() {
    if (this.#isSoon || !this.#used || this.#running) return;
    this.#isSoon = true;
    setImmediate(() => this.save());
  }

  /** The program ends; the function that has ended it is done. */
  saveLast() {
    if (this.#restoring || this.#over || this.#connection.isBehind) return;
    if (this.#event) this.#finish(this.#event);
    this.#connection.writeLast(this.#lines());
  }

  /** The session is over. */
  end() {
    this.#over = true;
    inUse.delete(this);
  }

  #lines() {
    let saved;
    try {
      saved = savedForm(this.#lead, this.#value);
    } catch (error) {
      this.#complain(String(/** @type {Error} */ (error).message));
      return Buffer.alloc(0); // nor is confirmed what only this state has
    }
    this.#complaint = '';
    const parts = [];
    if (!this.#begun) parts.push(Buffer.from(`${this.#lead}.confirm 0\n`));
    if (!saved.equals(this.#saved)) parts.push(saved);
    if (this.#done !== this.#confirmed)
      parts.push(Buffer.from(`${this.#lead}.confirm ${this.#done}\n`));
    this.#begun = true;
    this.#saved = saved;
    this.#confirmed = this.#done;
    return Buffer.concat(parts);
  }

  /** @param {string} why */
  #complain(why) {
    if (why !== this.#complaint) console.error(`httpsocket: ${why}; the state before it stays`);
    this.#complaint = why;
  }
}

/** @param {State} state */
function saveAtExit(state) {
  if (!inUse.size && !process.listeners('exit').includes(saveAll)) {
    process.on('uncaughtExceptionMonitor', () => (failed = true));
    process.on('exit', saveAll);
  }
  inUse.add(state);
}

/** Unless the program failed: then the message that it failed of comes again. */
function saveAll() {
  if (!failed) for (const state of inUse) state.saveLast();
}

/** @param {string} lead @param {unknown} value */
function savedForm(lead, value) {
  try {
    if (!(value instanceof ArrayBuffer || ArrayBuffer.isView(value))) JSON.stringify(value, plain);
    return line(`${lead}.save`, value === undefined ? null : value);
  } catch (error) {
    const why = /** @type {Error} */ (error).message;
    throw new PageError('unsendable', `page.state is not JSON: ${why}`);
  }
}

/**
 * What JSON would change without a word, such as a Map to {}, is refused.
 * @param {string} key
 * @param {any} value
 */
function plain(key, value) {
  const of = key && ` (${key})`;
  if (typeof value === 'function' || typeof value === 'symbol')
    throw new TypeError(`a ${typeof value}${of}`);
  if (typeof value === 'number' && !Number.isFinite(value)) throw new TypeError(`${value}${of}`);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null)
    throw new TypeError(`a ${value.constructor?.name ?? 'class'}${of}, not a plain object`);
  return value;
}
