// As much of IMAP (RFC 3501) as a mailbox needs, over the streams of a TCPConnection.

/** Reads lines and literals from a byte stream; bytes beyond are kept for the next read. */
class Reader {
  #reader;
  #bytes = new Uint8Array(0);

  constructor(readable) {
    this.#reader = readable.getReader();
  }

  async #more() {
    const { value, done } = await this.#reader.read();
    if (done) throw new Error('the server has ended the connection');
    const joined = new Uint8Array(this.#bytes.length + value.length);
    joined.set(this.#bytes);
    joined.set(value, this.#bytes.length);
    this.#bytes = joined;
  }

  #take(length, skip = 0) {
    const part = this.#bytes.subarray(0, length);
    this.#bytes = this.#bytes.subarray(length + skip);
    return part;
  }

  async bytes(length) {
    while (this.#bytes.length < length) await this.#more();
    return this.#take(length);
  }

  async line() {
    let end;
    while ((end = this.#bytes.indexOf(10)) < 1) await this.#more();
    return new TextDecoder().decode(this.#take(end - 1, 2));
  }
}

const quoted = (text) => `"${text.replace(/["\\]/g, '\\$&')}"`;

export class Imap {
  #reader;
  #writer;
  #made = 0;
  #last = Promise.resolve();

  /**
   * Connects and hears the greeting. Rejects with the TCPConnection's error, whose `code` says why.
   */
  static async connect(host, port, options) {
    const connection = new TCPConnection(host, port, options);
    const { readable, writable } = await connection.opened;
    const imap = new Imap();
    imap.#reader = new Reader(readable);
    imap.#writer = writable.getWriter();
    imap.closed = connection.closed;
    await imap.#response();
    return imap;
  }

  /** One response: its text, and the literals that it holds. */
  async #response() {
    let text = '';
    const literals = [];
    for (;;) {
      const line = await this.#reader.line();
      const literal = /\{(\d+)\}$/.exec(line);
      text += line;
      if (!literal) return { text, literals };
      literals.push(await this.#reader.bytes(Number(literal[1])));
    }
  }

  /** Sends a command after the previous one has ended, and returns its untagged responses. */
  command(text) {
    const run = async () => {
      const tag = `a${++this.#made}`;
      await this.#writer.write(new TextEncoder().encode(`${tag} ${text}\r\n`));
      const responses = [];
      for (;;) {
        const response = await this.#response();
        if (!response.text.startsWith(`${tag} `)) {
          responses.push(response);
          continue;
        }
        const [, status, words] = /^\S+ (\w+) (.*)$/.exec(response.text);
        if (status !== 'OK') throw new Error(words.replace(/^\[[^\]]*\] /, ''));
        return responses;
      }
    };
    this.#last = this.#last.catch(() => {}).then(run);
    return this.#last;
  }

  login(user, password) {
    return this.command(`LOGIN ${quoted(user)} ${quoted(password)}`);
  }

  /** How many letters there are. */
  async select(mailbox) {
    const responses = await this.command(`SELECT ${quoted(mailbox)}`);
    return Number(
      responses.map(({ text }) => /^\* (\d+) EXISTS/.exec(text)?.[1]).find(Boolean) ?? 0,
    );
  }

  /** The bytes of a part of letters, by their numbers. */
  async fetch(letters, part) {
    const responses = await this.command(`FETCH ${letters} BODY.PEEK[${part}]`);
    const found = responses.filter(({ text }) => /^\* \d+ FETCH/.test(text));
    return found.map(({ text, literals }) => ({
      number: Number(/\d+/.exec(text)[0]),
      bytes: literals[0] ?? new Uint8Array(0),
    }));
  }

  /** Says goodbye, and ends the connection. */
  async logout() {
    await this.command('LOGOUT');
    await this.#writer.close();
  }
}
