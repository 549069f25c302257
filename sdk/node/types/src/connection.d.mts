export class Connection {
    /**
     * @param {number} fd
     * @param {(message: import('./wire.mjs').Message | null) => void} sort
     *   is called with each message, and with null at the end
     */
    constructor(fd: number, sort: (message: import("./wire.mjs").Message | null) => void);
    over: boolean;
    /** @returns {net.Socket} */
    connect(): net.Socket;
    /** @param {string} head @param {unknown} data */
    post(head: string, data: unknown): void;
    /** Whole lines, maybe none. @param {Buffer} whole */
    write(whole: Buffer): void;
    /** The process is about to end, and waits for nothing. @param {Buffer} whole */
    writeLast(whole: Buffer): void;
    /** The server has not taken all yet. */
    get isBehind(): boolean;
    /** Resolves when the server has taken enough; rejects with `ended`. */
    drain(): Promise<void>;
    /**
     * So many bytes are queued for functions; negative: they have been heard.
     * @param {number} size
     */
    noteUnheard(size: number): void;
    /** @param {1 | -1} more */
    noteCall(more: 1 | -1): void;
    #private;
}
import net from 'node:net';
