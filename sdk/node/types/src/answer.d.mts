/** @param {Uint8Array} data */
export function putOnStdout(data: Uint8Array): void;
/**
 * Closes stdout; console.log() goes to stderr from now on, and no file that
 * is opened takes its number.
 */
export function leadStdoutToLog(): undefined;
/** @typedef {{ type?: string, status?: number, headers?: Record<string, string> }} AnswerOptions */
/** @typedef {{ message?: string, realm?: string, retry?: number, path?: string }} RefusalOptions */
/** begin(), write(), end(): once each. */
export class Answer {
    /**
     * @param {boolean} direct no page is wanted
     * @param {(data: Uint8Array) => void} put
     * @param {() => void} close
     */
    constructor(direct: boolean, put: (data: Uint8Array) => void, close: () => void);
    begun: boolean;
    ended: boolean;
    /** @param {AnswerOptions} [options] */
    begin({ type, status, headers }?: AnswerOptions): void;
    /** @param {string | import('./html.mjs').Html | Uint8Array} body */
    write(body: string | import("./html.mjs").Html | Uint8Array): void;
    end(): void;
    /** @param {number} status @param {RefusalOptions} options */
    refuse(status: number, { message, realm, retry, path }: RefusalOptions): void;
    #private;
}
export type AnswerOptions = {
    type?: string;
    status?: number;
    headers?: Record<string, string>;
};
export type RefusalOptions = {
    message?: string;
    realm?: string;
    retry?: number;
    path?: string;
};
