/** @param {string} name */
export function checked(name: string): string;
/**
 * A whole message: bytes as bytes, everything else as JSON.
 * @param {string} head
 * @param {unknown} data
 * @returns {Buffer}
 */
export function line(head: string, data: unknown): Buffer;
/**
 * One message. `bare`: there was no data, it counts as null; `problem` says why its
 * JSON can't be had, and is empty otherwise; `session`: which page of a shared
 * program; `size`: of its line and its bytes; `number`: among the events, calls and answers of its
 * page, once it has been told (state.mjs).
 * @typedef {'event' | 'call' | 'answer' | 'part' | 'failure' | 'system'} Kind
 * @typedef {{ kind: Kind, name: string, call: number, data: any, bare: boolean, problem: string,
 *   size: number, session: string, number?: number }} Message
 */
/** Bytes in, messages out; keeps what is not whole yet. Pure. */
export class Reader {
    /** @param {Buffer} chunk @returns {Message[]} */
    feed(chunk: Buffer): Message[];
    #private;
}
/**
 * One message. `bare`: there was no data, it counts as null; `problem` says why its
 * JSON can't be had, and is empty otherwise; `session`: which page of a shared
 * program; `size`: of its line and its bytes; `number`: among the events, calls and answers of its
 * page, once it has been told (state.mjs).
 */
export type Kind = "event" | "call" | "answer" | "part" | "failure" | "system";
/**
 * One message. `bare`: there was no data, it counts as null; `problem` says why its
 * JSON can't be had, and is empty otherwise; `session`: which page of a shared
 * program; `size`: of its line and its bytes; `number`: among the events, calls and answers of its
 * page, once it has been told (state.mjs).
 */
export type Message = {
    kind: Kind;
    name: string;
    call: number;
    data: any;
    bare: boolean;
    problem: string;
    size: number;
    session: string;
    number?: number;
};
