/**
 * @typedef {import('./wire.mjs').Message} Message
 * @typedef {import('./functions.mjs').Handler} Handler
 * @typedef {{ timeout?: number, signal?: AbortSignal }} CallOptions milliseconds, 30 s unless said
 *   otherwise; Infinity: no limit
 * @typedef {{ as?: string, select?: string, target?: string, fields?: string[],
 *   keys?: string | string[], prevent?: boolean, stop?: boolean, once?: boolean, files?: 'stream',
 *   passive?: boolean, capture?: boolean, coalesce?: boolean, throttle?: number,
 *   debounce?: number, maxAge?: number, busy?: boolean, modifiers?: 'any' | string[],
 *   margin?: string, threshold?: number }} ListenOptions
 * @typedef {{ history?: number, last?: boolean, presence?: unknown, watch?: boolean,
 *   self?: boolean, to?: 'page' }} SubscribeOptions
 * @typedef {(event: string, data?: unknown, options?: { keep?: boolean }) => Room} Publish
 * @typedef {{ name: string, publish: Publish, presence: (handler: Handler) => void,
 *   subscribed: (handler: Handler) => void, stop: () => Room }} Topic
 */
export class Conversation extends Handlers {
    /**
     * @param {import('./connection.mjs').Connection} connection
     * @param {import('./functions.mjs').Functions} functions
     * @param {string} [lead] of each line
     * @param {boolean} [restoring] it goes on from a state, which is to come
     */
    constructor(connection: import("./connection.mjs").Connection, functions: import("./functions.mjs").Functions, lead?: string, restoring?: boolean);
    over: boolean;
    /** Streams whose function runs. @type {Map<number, import('./stream.mjs').PageStream>} */
    streams: Map<number, import("./stream.mjs").PageStream>;
    /** For the helper's own use. @type {State} */
    saving: State;
    set state(value: any);
    /**
     * What outlives the process: JSON, at first `{}`. It is saved when it has changed, after each
     * function, and is there again before the functions of the next process run.
     * @returns {any}
     */
    get state(): any;
    /** What is being heard may have been seen by a process before this one. @returns {boolean} */
    get resent(): boolean;
    /** Saves the state now, if it has changed: in the midst of a long function. */
    save(): void;
    /**
     * An event for the page: JSON, or bytes as bytes. It is queued at once; `await page.send(…)`
     * waits while the page is slower than the program. After the end of the session nothing is sent,
     * and awaiting rejects with `ended`.
     * @param {string} name
     * @param {unknown} [data]
     */
    send(name: string, data?: unknown): Room;
    /** The session is over; the page is told why. @param {string} [reason] */
    close(reason?: string): Room;
    /**
     * Hears these events of the page's document; times are milliseconds. They come to `handler`, or,
     * without one, as events of the name `as`.
     * @param {string | string[]} on
     * @param {string | ListenOptions | null} [select] a selector, or all options
     * @param {ListenOptions | Handler} [options]
     * @param {Handler} [handler]
     * @returns {{ name: string, stop: () => Room }}
     */
    listen(on: string | string[], select?: string | ListenOptions | null, options?: ListenOptions | Handler, handler?: Handler): {
        name: string;
        stop: () => Room;
    };
    /**
     * No more of what listen() began and all of this fits.
     * @param {{ on?: string | string[], as?: string, select?: string, target?: string }} which
     */
    unlisten(which: {
        on?: string | string[];
        as?: string;
        select?: string;
        target?: string;
    }): Room;
    /**
     * Changes the page's document, all in one frame.
     * @param {...Record<string, unknown>} operations
     */
    dom(...operations: Record<string, unknown>[]): Room;
    /**
     * Hears what programs of this server publish in the topic: {event, data, from, seq, time, …}.
     * Options are those of `.subscribe`.
     * @param {string} topic
     * @param {SubscribeOptions | Handler} [options]
     * @param {Handler} [handler]
     * @returns {Topic}
     */
    subscribe(topic: string, options?: SubscribeOptions | Handler, handler?: Handler): Topic;
    /** @param {string} topic */
    unsubscribe(topic: string): Room;
    /**
     * An event for all that are subscribed to the topic. `keep: true`: it is the topic's last value.
     * @param {string} topic
     * @param {string} event
     * @param {unknown} [data]
     * @param {{ keep?: boolean }} [options]
     */
    publish(topic: string, event: string, data?: unknown, options?: {
        keep?: boolean;
    }): Room;
    /** The page's TCPConnections are refused, all of them. @param {number} [retry] seconds */
    refuseTcp(retry?: number): Room;
    /**
     * The page's answer.
     * @param {string} name
     * @param {unknown} [data]
     * @param {CallOptions} [options]
     * @returns {Promise<any>}
     */
    call(name: string, data?: unknown, options?: CallOptions): Promise<any>;
    /**
     * The page's several answers; `timeout` counts from one to the next.
     * Leaving the loop gives the call up.
     * @param {string} name
     * @param {unknown} [data]
     * @param {CallOptions} [options]
     * @returns {AsyncGenerator<any, void, void>}
     */
    stream(name: string, data?: unknown, options?: CallOptions): AsyncGenerator<any, void, void>;
    /** A line. @param {string} head @param {unknown} [data] @returns {Room} */
    post(head: string, data?: unknown): Room;
    /** Resolves when the page has room; rejects with `ended`. @returns {Promise<void>} */
    room(): Promise<void>;
    /** Bytes that wait for a function have been heard, or given up. @param {number} size */
    noteHeard(size: number): void;
    /**
     * Whether it was for somebody who waits, and for no function.
     * @param {Message} message
     * @returns {boolean}
     */
    take(message: Message): boolean;
    /** The session is over: whoever waits hears it. */
    endConversation(): void;
    #private;
}
export type Message = import("./wire.mjs").Message;
export type Handler = import("./functions.mjs").Handler;
/**
 * milliseconds, 30 s unless said
 * otherwise; Infinity: no limit
 */
export type CallOptions = {
    timeout?: number;
    signal?: AbortSignal;
};
export type ListenOptions = {
    as?: string;
    select?: string;
    target?: string;
    fields?: string[];
    keys?: string | string[];
    prevent?: boolean;
    stop?: boolean;
    once?: boolean;
    files?: "stream";
    passive?: boolean;
    capture?: boolean;
    coalesce?: boolean;
    throttle?: number;
    debounce?: number;
    maxAge?: number;
    busy?: boolean;
    modifiers?: "any" | string[];
    margin?: string;
    threshold?: number;
};
export type SubscribeOptions = {
    history?: number;
    last?: boolean;
    presence?: unknown;
    watch?: boolean;
    self?: boolean;
    to?: "page";
};
export type Publish = (event: string, data?: unknown, options?: {
    keep?: boolean;
}) => Room;
export type Topic = {
    name: string;
    publish: Publish;
    presence: (handler: Handler) => void;
    subscribed: (handler: Handler) => void;
    stop: () => Room;
};
import { Handlers } from './handlers.mjs';
import { State } from './state.mjs';
import { Room } from './queue.mjs';
