/**
 * The stream that a line is about, beyond its opening.
 * @param {Message} message
 * @returns {number | null}
 */
export function streamOf({ name, data }: Message): number | null;
/**
 * @typedef {import('./wire.mjs').Message} Message
 * @typedef {import('./queue.mjs').Room} Room
 */
/**
 * A byte stream of the page, such as a file: an async iterable of Buffers, and write(), end().
 * Reading or writing accepts it.
 */
export class PageStream {
    /**
     * @param {(head: string, data: unknown) => Room} post
     * @param {(size: number) => void} heard
     * @param {{ id: number, name: string, data?: any }} opened
     */
    constructor(post: (head: string, data: unknown) => Room, heard: (size: number) => void, { id, name, data }: {
        id: number;
        name: string;
        data?: any;
    });
    id: number;
    name: string;
    data: any;
    /** Lets it begin; `data` may say more to the page. @param {unknown} [data] */
    accept(data?: unknown): import("./queue.mjs").Room;
    /** The next bytes for the page. @param {ArrayBuffer | ArrayBufferView} bytes */
    write(bytes: ArrayBuffer | ArrayBufferView): import("./queue.mjs").Room;
    /** Nothing more is written. */
    end(): import("./queue.mjs").Room;
    /**
     * It is over at once, both ways; before accept(): it is refused.
     * @param {string} [reason]
     * @param {string} [message]
     */
    reset(reason?: string, message?: string): import("./queue.mjs").Room;
    /** A line of it has come. @param {Message | null} message */
    take(message: Message | null): void;
    /** What nobody will read any more. */
    forget(): void;
    /** Its function has returned. */
    finish(): void;
    /**
     * What the page says, until its end. Throws `reset` or `ended`.
     * @returns {AsyncGenerator<Buffer, void, void>}
     */
    [Symbol.asyncIterator](): AsyncGenerator<Buffer, void, void>;
    #private;
}
export type Message = import("./wire.mjs").Message;
export type Room = import("./queue.mjs").Room;
