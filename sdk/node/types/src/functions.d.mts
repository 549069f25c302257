/**
 * @typedef {import('./wire.mjs').Message} Message
 * @typedef {import('./conversation.mjs').Conversation} Conversation
 * @typedef {(...values: any[]) => any} Handler
 * @typedef {'event' | 'call' | 'system' | 'stream'} Taken
 */
export class Functions {
    /** @param {Taken} kind @param {string} name @param {Handler} handler @returns {this} */
    keep(kind: Taken, name: string, handler: Handler): this;
    /** @param {string} line @param {string} topic @param {Handler} handler */
    ofTopic(line: string, topic: string, handler: Handler): void;
    /** @param {string} topic */
    forgetTopic(topic: string): void;
    /** @param {number} ms @param {Handler} handler */
    every(ms: number, handler: Handler): void;
    stopTimers(): void;
    /** @param {Message} message */
    knows({ kind, name }: Message): boolean;
    /** The function for a line of the server. @param {string} name */
    hook(name: string): Handler | undefined;
    /**
     * Calls what there is for it.
     * @param {Conversation} conversation
     * @param {Message} message
     * @param {...unknown} lead before the data
     * @returns {unknown} awaited before the next one is heard
     */
    dispatch(conversation: Conversation, message: Message, ...lead: unknown[]): unknown;
    /** @param {Handler} work */
    guarded(work: Handler): Promise<void>;
    #private;
}
export type Message = import("./wire.mjs").Message;
export type Conversation = import("./conversation.mjs").Conversation;
export type Handler = (...values: any[]) => any;
export type Taken = "event" | "call" | "system" | "stream";
