// SPDX-License-Identifier: MIT
// @ts-check
/**
 * What a program wants to hear: its functions by name, and how they are called. They belong to one
 * page, or to all pages of a shared program.
 */
import { Failure, PageError } from './errors.mjs';
import { PageStream } from './stream.mjs';
import { checked } from './wire.mjs';

const UNHEARD_MAX = 16; // a page can send any name: the log is told of so many

/**
 * @typedef {import('./wire.mjs').Message} Message
 * @typedef {import('./conversation.mjs').Conversation} Conversation
 * @typedef {(...values: any[]) => any} Handler
 * @typedef {'event' | 'call' | 'system' | 'stream'} Taken
 */

export class Functions {
  /** @type {Record<Taken, Map<string, Handler>>} */
  #handlers = { event: new Map(), call: new Map(), system: new Map(), stream: new Map() };
  /** By the server's line, by topic. @type {Map<string, Map<string, Handler>>} */
  #topics = new Map();
  /** @type {Set<string>} */
  #unheard = new Set();
  /** @type {NodeJS.Timeout[]} */
  #timers = [];

  /** @param {Taken} kind @param {string} name @param {Handler} handler @returns {this} */
  keep(kind, name, handler) {
    if (kind === 'event' || kind === 'call') checked(name);
    if (this.#handlers[kind].has(name))
      throw new PageError('bad-name', `there is a function for ${name || 'the end'} already`);
    this.#handlers[kind].set(name, handler);
    return this;
  }

  /** @param {string} line @param {string} topic @param {Handler} handler */
  ofTopic(line, topic, handler) {
    const handlers = this.#topics.get(line) ?? new Map();
    if (!this.#topics.has(line))
      this.keep('system', line, (message) => handlers.get(message.topic)?.(message));
    this.#topics.set(line, handlers.set(topic, handler));
  }

  /** @param {string} topic */
  forgetTopic(topic) {
    for (const handlers of this.#topics.values()) handlers.delete(topic);
  }

  /** @param {number} ms @param {Handler} handler */
  every(ms, handler) {
    let busy = false;
    const tick = async () => {
      if (busy) return;
      busy = true;
      await this.guarded(handler);
      busy = false;
    };
    this.#timers.push(setInterval(tick, ms));
  }

  stopTimers() {
    for (const timer of this.#timers) clearInterval(timer);
  }

  /** @param {Message} message */
  knows({ kind, name }) {
    return this.#handlers[kind === 'call' || kind === 'event' ? kind : 'system'].has(name);
  }

  /** The function for a line of the server. @param {string} name */
  hook(name) {
    return this.#handlers.system.get(name);
  }

  /**
   * Calls what there is for it.
   * @param {Conversation} conversation
   * @param {Message} message
   * @param {...unknown} lead before the data
   * @returns {unknown} awaited before the next one is heard
   */
  dispatch(conversation, message, ...lead) {
    const heard = conversation.saving.hears(message, () => this.#hear(conversation, message, lead));
    return message.kind === 'call' ? undefined : heard;
  }

  /**
   * @param {Conversation} conversation
   * @param {Message} message
   * @param {unknown[]} lead
   */
  #hear(conversation, message, lead) {
    if (message.name === '.problem') conversation.saving.noteProblem(message);
    if (message.problem) return this.#refuseUnreadable(conversation, message);
    if (message.kind === 'call')
      return this.guarded(() => this.#serve(conversation, message, lead));
    if (message.name === '.stream') {
      const taken = this.guarded(() => this.#takeStream(conversation, message.data, lead));
      return void taken.then(() => conversation.saving.save());
    }
    if (message.name === '.restore' || message.name === '.state')
      return this.#goOn(conversation, message, lead);
    const handler = this.#handlers[message.kind === 'system' ? 'system' : 'event'].get(
      message.name,
    );
    if (handler) return this.guarded(() => handler(...lead, message.data));
    if (message.kind === 'event') this.#complainUnheard('event', message.name);
  }

  /**
   * @param {Conversation} conversation
   * @param {Message} message
   * @param {unknown[]} lead
   */
  #goOn(conversation, message, lead) {
    const told = conversation.saving.restore(message);
    const handler = this.hook('.restore');
    if (told && handler) return this.guarded(() => handler(...lead, told));
  }

  /** @param {Handler} work */
  async guarded(work) {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof PageError && error.code === 'ended')) console.error(error);
    }
  }

  /** @param {Conversation} conversation @param {Message} message */
  #refuseUnreadable(conversation, message) {
    if (message.kind === 'call')
      conversation.post(`!${message.call}`, { message: "the program can't read this data" });
    console.error(`httpsocket: ${message.name}: ${message.problem}`);
  }

  /** @param {Conversation} conversation @param {Message} message @param {unknown[]} lead */
  async #serve(conversation, { name, call, data }, lead) {
    try {
      const handler = this.#handlers.call.get(name);
      if (!handler) {
        this.#complainUnheard('call', name);
        throw new Failure(`no function for ${name}`);
      }
      const result = await handler(...lead, data);
      await conversation.post(
        `=${call}`,
        isIterator(result) ? await sendParts(conversation, call, result) : result,
      );
    } catch (error) {
      if (error instanceof PageError && error.code === 'ended') return;
      await conversation.post(
        `!${call}`,
        error instanceof Failure ? error.data : { message: 'the program failed' },
      );
      if (!(error instanceof Failure)) throw error;
    }
  }

  /**
   * @param {Conversation} conversation
   * @param {{ id: number, name: string, data?: any }} opened
   * @param {unknown[]} lead
   */
  async #takeStream(conversation, opened, lead) {
    const stream = new PageStream(
      (head, data) => conversation.post(head, data),
      (size) => conversation.noteHeard(size),
      opened,
    );
    const handler = this.#handlers.stream.get(stream.name);
    if (!handler) {
      this.#complainUnheard('stream', stream.name);
      return void stream.reset('refused', `nothing takes a stream ${stream.name}`);
    }
    conversation.streams.set(stream.id, stream);
    try {
      await handler(...lead, stream);
      stream.finish();
    } catch (error) {
      const code = error instanceof PageError ? error.code : '';
      if (code === 'reset' || code === 'ended') return;
      stream.reset('program-failed');
      throw error;
    } finally {
      conversation.streams.delete(stream.id);
      stream.forget();
    }
  }

  /** @param {string} kind @param {string} name */
  #complainUnheard(kind, name) {
    if (this.#unheard.has(name) || this.#unheard.size >= UNHEARD_MAX) return;
    this.#unheard.add(name);
    console.error(`httpsocket: nothing hears the ${kind} ${name.slice(0, 128)} (said once)`);
  }
}

/**
 * @param {Conversation} conversation
 * @param {number} call
 * @param {AsyncIterator<unknown> | Iterator<unknown>} parts
 * @returns {Promise<unknown>} what the generator returned
 */
async function sendParts(conversation, call, parts) {
  for (;;) {
    const { value, done } = await parts.next();
    if (done) return value;
    await conversation.post(`+${call}`, value ?? null);
  }
}

/** @param {any} value @returns {value is AsyncIterator<unknown> | Iterator<unknown>} */
function isIterator(value) {
  return (
    typeof value?.next === 'function' && (Symbol.asyncIterator in value || Symbol.iterator in value)
  );
}
