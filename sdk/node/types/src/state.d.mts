export class State {
    /**
     * @param {import('./connection.mjs').Connection} connection
     * @param {string} lead of each line
     * @param {boolean} restoring
     */
    constructor(connection: import("./connection.mjs").Connection, lead: string, restoring: boolean);
    set value(value: any);
    get value(): any;
    /** What is being heard may have been seen by a process before this one. */
    get resent(): boolean;
    /** A message has been told; the server's own lines have no number. @param {Message} message */
    number(message: Message): void;
    /** @param {Message} message */
    isResent({ number }: Message): boolean;
    /**
     * Runs what hears the message, which is then done.
     * @param {Message} message
     * @param {() => unknown} work
     */
    hears(message: Message, work: () => unknown): Promise<void>;
    /**
     * The program reads it itself, and asks for the next one when it is done.
     * @param {Message} message
     */
    reads(message: Message): void;
    /**
     * It has asked, or has left its loop: then it may be about to fail.
     * @param {Message} message
     * @param {boolean} asked
     */
    hasRead(message: Message, asked: boolean): void;
    /** @param {Message} message */
    done({ number }: Message): void;
    /**
     * Takes a line of the server's. Gives what the program is told when the state is whole.
     * @param {Message} message
     * @returns {{ why: string, resent: number } | null}
     */
    restore({ name, data }: Message): {
        why: string;
        resent: number;
    } | null;
    /** Says what to do with a state that the server has refused. @param {Message} message */
    noteProblem({ data }: Message): void;
    /** Writes what there is to save. */
    save(): void;
    /** Something of the program's own has the state. A function saves at its end. */
    saveSoon(): void;
    /** The program ends; the function that has ended it is done. */
    saveLast(): void;
    /** The session is over. */
    end(): void;
    #private;
}
export type Message = import("./wire.mjs").Message;
