/**
 * @typedef {import('./answer.mjs').AnswerOptions} AnswerOptions
 * @typedef {import('./request.mjs').Request} Request
 * @typedef {import('./answer.mjs').Answer} Answer
 * @typedef {{ request: Request, direct: boolean, isRestored: boolean, session: string,
 *   answer: Answer }} PageSetup
 */
export class AnsweredPage extends Conversation {
    /**
     * @param {import('./connection.mjs').Connection} connection
     * @param {import('./functions.mjs').Functions} functions
     * @param {string} lead
     * @param {PageSetup} making
     */
    constructor(connection: import("./connection.mjs").Connection, functions: import("./functions.mjs").Functions, lead: string, { request, direct, isRestored, session, answer }: PageSetup);
    /** The request that it answers. */
    request: import("./request.mjs").Request;
    /** A script or a device connects straight to the program: no page is wanted. */
    direct: boolean;
    /**
     * The program was started to go on for one that is gone: the page is there already, and what
     * show() says is not wanted.
     */
    isRestored: boolean;
    /** The session's id; empty where there is none. */
    session: string;
    /** For the helper's own use. */
    answer: import("./answer.mjs").Answer;
    /**
     * Answers the request with this page, whole. For a direct connection it
     * accepts, and the body is not wanted.
     * @param {string | import('./html.mjs').Html | Uint8Array} [body]
     * @param {AnswerOptions} [options]
     */
    show(body?: string | import("./html.mjs").Html | Uint8Array, options?: AnswerOptions): void;
    /**
     * Begins a page that is written in pieces; end() completes it.
     * @param {AnswerOptions} [options]
     */
    begin(options?: AnswerOptions): void;
    /** @param {string | import('./html.mjs').Html | Uint8Array} body */
    write(body: string | import("./html.mjs").Html | Uint8Array): void;
    /** The page is complete. What is printed from now on goes to the server's log. */
    end(): void;
}
export type AnswerOptions = import("./answer.mjs").AnswerOptions;
export type Request = import("./request.mjs").Request;
export type Answer = import("./answer.mjs").Answer;
export type PageSetup = {
    request: Request;
    direct: boolean;
    isRestored: boolean;
    session: string;
    answer: Answer;
};
import { Conversation } from './conversation.mjs';
