/** Who waits for what: a queue that is read by awaiting, and the room that a sender waits for. */
/**
 * What send() gives: awaiting it waits until the page has room for more.
 * @implements {PromiseLike<void>}
 */
export class Room implements PromiseLike<void> {
    /** @param {() => Promise<void>} wait */
    constructor(wait: () => Promise<void>);
    /**
     * @template A, B
     * @param {((value: void) => A | PromiseLike<A>) | null} [resolve]
     * @param {((reason: any) => B | PromiseLike<B>) | null} [reject]
     * @returns {Promise<A | B>}
     */
    then<A, B>(resolve?: ((value: void) => A | PromiseLike<A>) | null, reject?: ((reason: any) => B | PromiseLike<B>) | null): Promise<A | B>;
    #private;
}
/** A queue that is read by awaiting. @template T */
export class Queue<T> {
    /** @type {T[]} */
    items: T[];
    /** @param {T} item */
    push(item: T): void;
    /**
     * Resolves when there is something, or `ms` are over.
     * @param {number} [ms]
     * @param {AbortSignal} [signal]
     * @returns {Promise<void>}
     */
    wait(ms?: number, signal?: AbortSignal): Promise<void>;
    #private;
}
