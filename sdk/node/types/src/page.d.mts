/**
 * @typedef {import('./wire.mjs').Message} Message
 * @typedef {import('./functions.mjs').Handler} Handler
 * @typedef {import('./queue.mjs').Room} Room
 */
/** What the page sent, where the program reads it itself. A call wants answer(), or fail(). */
export class PageEvent {
    /**
     * @param {(head: string, data: unknown) => Room} post
     * @param {Message} message
     * @param {boolean} [resent]
     */
    constructor(post: (head: string, data: unknown) => Room, message: Message, resent?: boolean);
    /** A process before this one may have seen it. */
    resent: boolean;
    name: string;
    data: any;
    call: boolean;
    /** @param {unknown} [data] */
    answer(data?: unknown): import("./queue.mjs").Room;
    /** One of several answers; answer() ends them. @param {unknown} data */
    part(data: unknown): import("./queue.mjs").Room;
    /** @param {string} message @param {Record<string, unknown>} [more] */
    fail(message: string, more?: Record<string, unknown>): import("./queue.mjs").Room;
    #private;
}
/**
 * The page that this program has made. Functions may be async; events are heard one after the
 * other, calls are answered side by side.
 */
export class Page extends AnsweredPage {
    /** @param {{ fd?: number, environment?: NodeJS.ProcessEnv }} [where] */
    constructor({ fd, environment }?: {
        fd?: number;
        environment?: NodeJS.ProcessEnv;
    });
    /**
     * Answers with this status instead of a page, and ends the program. 401 keeps the
     * client's scripts away from here for a minute, or for `retry` seconds; `path` says from
     * where down. With `realm` a browser asks its user for a name and a password, which are
     * the header `authorization` next time.
     * @param {number} [status]
     * @param {import('./answer.mjs').RefusalOptions} [options]
     * @returns {never}
     */
    refuse(status?: number, options?: import("./answer.mjs").RefusalOptions): never;
    /**
     * Is asked for each TCPConnection of the page that DNS allows ({host, port, secure}); gives
     * whether it may be. A number refuses for so many seconds.
     * @param {(target: { host: string, port: number, secure: boolean }) => boolean | number |
     *   Promise<boolean | number>} handler
     * @returns {this}
     */
    consentTcp(handler: (target: {
        host: string;
        port: number;
        secure: boolean;
    }) => boolean | number | Promise<boolean | number>): this;
    /**
     * Calls the functions until the session is over. One that throws is
     * reported, and the others go on.
     * @returns {Promise<void>}
     */
    run(): Promise<void>;
    /**
     * Events and calls for which there is no function, until the session is over.
     * @returns {AsyncGenerator<PageEvent, void, void>}
     */
    [Symbol.asyncIterator](): AsyncGenerator<PageEvent, void, void>;
    #private;
}
export type Message = import("./wire.mjs").Message;
export type Handler = import("./functions.mjs").Handler;
export type Room = import("./queue.mjs").Room;
import { AnsweredPage } from './answered-page.mjs';
