/**
 * The request that the program was started for. Read when it is asked for: a program that wants no
 * body leaves stdin alone.
 */
export class Request {
    /** @param {NodeJS.ProcessEnv} environment @param {Buffer} [body] instead of stdin's */
    constructor(environment: NodeJS.ProcessEnv, body?: Buffer);
    get method(): string;
    /** Path and query as they were sent. */
    get uri(): string;
    /** The program's own path in the site. */
    get script(): string;
    /** What follows the program in the path, decoded; begins with a slash if there is something. */
    get pathInfo(): string;
    get address(): string;
    get secure(): boolean;
    get query(): import("node:url").URLSearchParams;
    /** By name in lower case. @returns {Record<string, string>} */
    get headers(): Record<string, string>;
    /** @returns {Record<string, string>} */
    get cookies(): Record<string, string>;
    /** The whole body. @returns {Buffer} */
    get body(): Buffer;
    /**
     * The fields of a form posted as application/x-www-form-urlencoded;
     * formData() takes both encodings, and files.
     */
    get form(): import("node:url").URLSearchParams;
    /** @returns {Promise<FormData>} */
    formData(): Promise<FormData>;
    /** The body as JSON. @returns {any} */
    get json(): any;
    #private;
}
