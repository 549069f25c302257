/** Text that stands for itself in HTML. @param {unknown} text @returns {string} */
export function escape(text: unknown): string;
/** A value as JSON that may stand inside of a <script> element. @param {unknown} value @returns {string} */
export function scriptJson(value: unknown): string;
/**
 * html`<p>${anything}</p>`: what is put in is escaped, unless it is html`` itself; of an array its elements.
 * @param {TemplateStringsArray} texts @param {...unknown} values @returns {Html}
 */
export function html(texts: TemplateStringsArray, ...values: unknown[]): Html;
/**
 * @typedef {'event' | 'call' | 'answer' | 'part' | 'failure' | 'system'} Kind
 * @typedef {{ kind: Kind, name: string, call: number, data: any, bare: boolean, problem: string, size: number, session: string }} Message
 * @typedef {{ timeout?: number, signal?: AbortSignal }} CallOptions milliseconds, 30 s unless said otherwise; Infinity: no limit
 * @typedef {(data: any) => any} Handler
 * @typedef {{ as?: string, select?: string, target?: string, fields?: string[], keys?: string | string[], prevent?: boolean, stop?: boolean, once?: boolean,
 *   passive?: boolean, capture?: boolean, coalesce?: boolean, throttle?: number, debounce?: number, maxAge?: number }} ListenOptions
 * @typedef {{ history?: number, last?: boolean, presence?: unknown, watch?: boolean, self?: boolean, to?: 'page' }} SubscribeOptions
 * @typedef {{ name: string, publish: (event: string, data?: unknown, options?: { keep?: boolean }) => Room, presence: (handler: Handler) => void,
 *   subscribed: (handler: Handler) => void, stop: () => Room }} Topic
 * @typedef {{ type?: string, status?: number, headers?: Record<string, string> }} AnswerOptions
 */
/**
 * `ended`: the session is over. `remote`: the page answered a call with a failure; `data` is all it said. `timeout`, `aborted`: a call was given up.
 * `several-answers`: use stream(). `reset`: a byte stream was given up. `bad-name`, `unsendable`, `buffer-full`: nothing was sent. `answer`: the page has been made already. `protocol`: what
 * came on descriptor 3 is no line of the server's.
 */
export class PageError extends Error {
    /** @param {string} code @param {string} message @param {unknown} [data] */
    constructor(code: string, message: string, data?: unknown);
    code: string;
    data: unknown;
}
/** Thrown in a function for calls: its text is told to the caller. Of any other error the caller hears no details. */
export class Failure extends Error {
    /** @param {string} message @param {Record<string, unknown>} [more] */
    constructor(message: string, more?: Record<string, unknown>);
    data: {
        message: string;
    };
}
/** HTML that needs no escaping any more. */
export class Html {
    /** @param {string} text */
    constructor(text: string);
    text: string;
    toString(): string;
}
/** The request that the program was started for. Read when it is asked for: a program that wants no body leaves stdin alone. */
export class Request {
    /** @param {NodeJS.ProcessEnv} environment */
    constructor(environment: NodeJS.ProcessEnv);
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
    /** The fields of a form posted as application/x-www-form-urlencoded; formData() takes both encodings, and files. */
    get form(): import("node:url").URLSearchParams;
    /** @returns {Promise<FormData>} */
    formData(): Promise<FormData>;
    /** The body as JSON. @returns {any} */
    get json(): any;
    #private;
}
/** What the page sent, where the program reads it itself. A call wants answer(), or fail(). */
export class PageEvent {
    /** @param {(head: string, data: unknown) => Room} post @param {Message} message */
    constructor(post: (head: string, data: unknown) => Room, message: Message);
    name: string;
    data: any;
    call: boolean;
    /** @param {unknown} [data] */
    answer(data?: unknown): Room;
    /** One of several answers; answer() ends them. @param {unknown} data */
    part(data: unknown): Room;
    /** @param {string} message @param {Record<string, unknown>} [more] */
    fail(message: string, more?: Record<string, unknown>): Room;
    #private;
}
/** A byte stream of the page, such as a file: an async iterable of Buffers, and write(), end(). Reading or writing accepts it. */
export class PageStream {
    /** @param {(head: string, data: unknown) => Room} post @param {(size: number) => void} heard @param {{ id: number, name: string, data?: any }} opened */
    constructor(post: (head: string, data: unknown) => Room, heard: (size: number) => void, { id, name, data }: {
        id: number;
        name: string;
        data?: any;
    });
    id: number;
    name: string;
    data: any;
    /** Lets it begin; `data` may say more to the page. @param {unknown} [data] */
    accept(data?: unknown): Room;
    /** The next bytes for the page. @param {ArrayBuffer | ArrayBufferView} bytes */
    write(bytes: ArrayBuffer | ArrayBufferView): Room;
    /** Nothing more is written. */
    end(): Room;
    /** It is over at once, both ways; before accept(): it is refused. @param {string} [reason] @param {string} [message] */
    reset(reason?: string, message?: string): Room;
    /** A line of it has come. @param {Message | null} message */
    take(message: Message | null): void;
    /** What nobody will read any more. */
    forget(): void;
    /** Its function has returned. */
    finish(): void;
    /** What the page says, until its end. Throws `reset` or `ended`. @returns {AsyncGenerator<Buffer, void, void>} */
    [Symbol.asyncIterator](): AsyncGenerator<Buffer, void, void>;
    #private;
}
/** The page that this program has made. Functions may be async; events are heard one after the other, calls are answered side by side. */
export class Page {
    /** @param {{ fd?: number, environment?: NodeJS.ProcessEnv }} [where] */
    constructor({ fd, environment }?: {
        fd?: number;
        environment?: NodeJS.ProcessEnv;
    });
    /** The request that it answers. */
    request: Request;
    /** A script or a device connects straight to the program: no page is wanted. */
    direct: boolean;
    /** The session's id; empty where there is none. */
    session: string;
    /**
     * Answers the request with this page, whole. For a direct connection it accepts, and the body is not wanted.
     * @param {string | Html | Uint8Array} [body] @param {AnswerOptions} [options]
     */
    show(body?: string | Html | Uint8Array, options?: AnswerOptions): void;
    /** Begins a page that is written in pieces; end() completes it. @param {AnswerOptions} [options] */
    begin({ type, status, headers }?: AnswerOptions): void;
    /** @param {string | Html | Uint8Array} body */
    write(body: string | Html | Uint8Array): void;
    /** The page is complete. What is printed from now on goes to the server's log. */
    end(): void;
    /**
     * Answers with this status instead of a page, and ends the program. 401 keeps the client's scripts away from here for a minute, or for `retry` seconds;
     * `path` says from where down. With `realm` a browser asks its user for a name and a password, which are the header `authorization` next time.
     * @param {number} [status] @param {{ message?: string, realm?: string, retry?: number, path?: string }} [options]
     * @returns {never}
     */
    refuse(status?: number, { message, realm, retry, path }?: {
        message?: string;
        realm?: string;
        retry?: number;
        path?: string;
    }): never;
    /** Hears the event: it gets its data. @param {string} name @param {Handler} handler @returns {this} */
    on(name: string, handler: Handler): this;
    /** Answers the call: it gets its data and returns the answer; a generator yields several. @param {string} name @param {Handler} handler @returns {this} */
    handle(name: string, handler: Handler): this;
    /**
     * Takes byte streams of this name, such as files: it gets a PageStream. When it returns the stream ends, when it throws it is reset.
     * @param {string} name @param {(stream: PageStream) => any} handler @returns {this}
     */
    onStream(name: string, handler: (stream: PageStream) => any): this;
    /** Hears that the page is connected. @param {(info: { resumed: boolean, origin: string, address: string }) => any} handler @returns {this} */
    attached(handler: (info: {
        resumed: boolean;
        origin: string;
        address: string;
    }) => any): this;
    /** Hears that the connection is gone, and may come back. @param {(info: { reason: string }) => any} handler @returns {this} */
    detached(handler: (info: {
        reason: string;
    }) => any): this;
    /** Is called last: the session is over, and some seconds are left. @param {() => any} handler @returns {this} */
    ended(handler: () => any): this;
    /**
     * Is called at this interval as long as the session lasts; left out while the last call is still awaited.
     * @param {number} ms @param {() => any} handler @returns {this}
     */
    every(ms: number, handler: () => any): this;
    /**
     * An event for the page: JSON, or bytes as bytes. It is queued at once; `await page.send(…)` waits while the page is slower than the program. After the
     * end of the session nothing is sent, and awaiting rejects with `ended`.
     * @param {string} name @param {unknown} [data]
     */
    send(name: string, data?: unknown): Room;
    /** The session is over; the page is told why. @param {string} [reason] */
    close(reason?: string): Room;
    /**
     * Hears these events of the page's document; times are milliseconds. They come to `handler`, or, without one, as events of the name `as`.
     * @param {string | string[]} on @param {string | ListenOptions | null} [select] a selector, or all options @param {ListenOptions | Handler} [options]
     * @param {Handler} [handler]
     * @returns {{ name: string, stop: () => Room }}
     */
    listen(on: string | string[], select?: string | ListenOptions | null, options?: ListenOptions | Handler, handler?: Handler): {
        name: string;
        stop: () => Room;
    };
    /** No more of what listen() began and all of this fits. @param {{ on?: string | string[], as?: string, select?: string, target?: string }} which */
    unlisten(which: {
        on?: string | string[];
        as?: string;
        select?: string;
        target?: string;
    }): Room;
    /** Changes the page's document, all in one frame. @param {...Record<string, unknown>} operations */
    dom(...operations: Record<string, unknown>[]): Room;
    /** Hears that the page could not do what listen() or dom() said. @param {(problem: { command: string, message: string }) => any} handler @returns {this} */
    problem(handler: (problem: {
        command: string;
        message: string;
    }) => any): this;
    /**
     * Hears what programs of this server publish in the topic: {event, data, from, seq, time, …}. Options are those of `.subscribe`.
     * @param {string} topic @param {SubscribeOptions | Handler} [options] @param {Handler} [handler] @returns {Topic}
     */
    subscribe(topic: string, options?: SubscribeOptions | Handler, handler?: Handler): Topic;
    /** @param {string} topic */
    unsubscribe(topic: string): Room;
    /** An event for all that are subscribed to the topic. `keep: true`: it is the topic's last value. @param {string} topic @param {string} event @param {unknown} [data] @param {{ keep?: boolean }} [options] */
    publish(topic: string, event: string, data?: unknown, options?: {
        keep?: boolean;
    }): Room;
    /** The page's TCPConnections are refused, all of them. @param {number} [retry] seconds */
    refuseTcp(retry?: number): Room;
    /**
     * Is asked for each TCPConnection of the page that DNS allows; gives whether it may be. A number refuses for so many seconds.
     * @param {(target: { host: string, port: number, secure: boolean }) => boolean | number | Promise<boolean | number>} handler @returns {this}
     */
    consentTcp(handler: (target: {
        host: string;
        port: number;
        secure: boolean;
    }) => boolean | number | Promise<boolean | number>): this;
    /** The page's answer. @param {string} name @param {unknown} [data] @param {CallOptions} [options] @returns {Promise<any>} */
    call(name: string, data?: unknown, options?: CallOptions): Promise<any>;
    /**
     * The page's several answers; `timeout` counts from one to the next. Leaving the loop gives the call up.
     * @param {string} name @param {unknown} [data] @param {CallOptions} [options] @returns {AsyncGenerator<any, void, void>}
     */
    stream(name: string, data?: unknown, options?: CallOptions): AsyncGenerator<any, void, void>;
    /** Calls the functions until the session is over. One that throws is reported, and the others go on. @returns {Promise<void>} */
    run(): Promise<void>;
    /** Events and calls for which there is no function, until the session is over. @returns {AsyncGenerator<PageEvent, void, void>} */
    [Symbol.asyncIterator](): AsyncGenerator<PageEvent, void, void>;
    #private;
}
/** The page of this program. */
export const page: Page;
export type Kind = "event" | "call" | "answer" | "part" | "failure" | "system";
export type Message = {
    kind: Kind;
    name: string;
    call: number;
    data: any;
    bare: boolean;
    problem: string;
    size: number;
    session: string;
};
/**
 * milliseconds, 30 s unless said otherwise; Infinity: no limit
 */
export type CallOptions = {
    timeout?: number;
    signal?: AbortSignal;
};
export type Handler = (data: any) => any;
export type ListenOptions = {
    as?: string;
    select?: string;
    target?: string;
    fields?: string[];
    keys?: string | string[];
    prevent?: boolean;
    stop?: boolean;
    once?: boolean;
    passive?: boolean;
    capture?: boolean;
    coalesce?: boolean;
    throttle?: number;
    debounce?: number;
    maxAge?: number;
};
export type SubscribeOptions = {
    history?: number;
    last?: boolean;
    presence?: unknown;
    watch?: boolean;
    self?: boolean;
    to?: "page";
};
export type Topic = {
    name: string;
    publish: (event: string, data?: unknown, options?: {
        keep?: boolean;
    }) => Room;
    presence: (handler: Handler) => void;
    subscribed: (handler: Handler) => void;
    stop: () => Room;
};
export type AnswerOptions = {
    type?: string;
    status?: number;
    headers?: Record<string, string>;
};
/** What send() gives: awaiting it waits until the page has room for more. @implements {PromiseLike<void>} */
declare class Room implements PromiseLike<void> {
    /** @param {() => Promise<void>} wait */
    constructor(wait: () => Promise<void>);
    /**
     * @template A, B
     * @param {((value: void) => A | PromiseLike<A>) | null} [resolve] @param {((reason: any) => B | PromiseLike<B>) | null} [reject]
     * @returns {Promise<A | B>}
     */
    then<A, B>(resolve?: ((value: void) => A | PromiseLike<A>) | null, reject?: ((reason: any) => B | PromiseLike<B>) | null): Promise<A | B>;
    #private;
}
export {};
