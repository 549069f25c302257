/**
 * One page of many. Any property may be set on it: it is where a program
 * keeps what belongs to this page.
 */
export class SharedPage extends AnsweredPage {
    /**
     * @param {Connection} connection
     * @param {Record<string, any>} joined
     * @param {Buffer} body
     * @param {string} id
     */
    constructor(connection: Connection, joined: Record<string, any>, body: Buffer, id: string);
    /** Of the lines that are its own. */
    id: string;
    /** What waits to be heard; for the helper's own use. @type {Queue<Message | null>} */
    inbox: Queue<Message | null>;
    /**
     * Answers with this status instead of a page; the function that makes it is left.
     * @param {number} [status]
     * @param {import('./answer.mjs').RefusalOptions} [options]
     * @returns {never}
     */
    refuse(status?: number, options?: import("./answer.mjs").RefusalOptions): never;
    /** The page takes no more, or more again. @param {boolean} full */
    noteFull(full: boolean): void;
    #private;
}
/** All pages of this process; an iterable of those that are here now. */
export class Pages extends Handlers {
    /** @param {{ fd?: number, environment?: NodeJS.ProcessEnv }} [where] */
    constructor({ fd, environment }?: {
        fd?: number;
        environment?: NodeJS.ProcessEnv;
    });
    /**
     * Makes each page: it gets the page, and returns its HTML, or shows or refuses it itself.
     * @param {(page: SharedPage) => any} handler
     * @returns {this}
     */
    page(handler: (page: SharedPage) => any): this;
    /**
     * Hears that the session of a page is over.
     * @param {(page: SharedPage) => any} handler
     * @returns {this}
     */
    left(handler: (page: SharedPage) => any): this;
    /** An event for all pages. @param {string} name @param {unknown} [data] */
    send(name: string, data?: unknown): void;
    /** Serves pages until the server ends the process. @returns {Promise<void>} */
    run(): Promise<void>;
    [Symbol.iterator](): ArrayIterator<SharedPage>;
    #private;
}
export type Message = import("./wire.mjs").Message;
export type Handler = import("./functions.mjs").Handler;
import { AnsweredPage } from './answered-page.mjs';
import { Queue } from './queue.mjs';
import { Connection } from './connection.mjs';
import { Handlers } from './handlers.mjs';
