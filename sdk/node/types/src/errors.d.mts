/** What the helper throws, and what a program throws to tell a caller why. */
/**
 * `ended`: the session is over. `remote`: the page answered a call with a failure; `data` is all it
 * said. `timeout`, `aborted`: a call was given up. `several-answers`: use stream(). `reset`: a byte
 * stream was given up. `bad-name`, `unsendable`, `buffer-full`: nothing was sent. `answer`: the
 * page has been made already. `protocol`: what came on descriptor 3 is no line of the server's.
 */
export class PageError extends Error {
    /** @param {string} code @param {string} message @param {unknown} [data] */
    constructor(code: string, message: string, data?: unknown);
    code: string;
    data: unknown;
}
/**
 * Thrown in a function for calls: its text is told to the caller. Of any
 * other error the caller hears no details.
 */
export class Failure extends Error {
    /** @param {string} message @param {Record<string, unknown>} [more] */
    constructor(message: string, more?: Record<string, unknown>);
    data: {
        message: string;
    };
}
