// The Telnet protocol (RFC 854), as far as a terminal needs it: the other side
// echoes, no line mode, what kind of terminal this is (RFC 1091) and its size
// (RFC 1073). Pure: bytes in, bytes out.
const IAC = 255;
const [DONT, DO, WONT, WILL, SB] = [254, 253, 252, 251, 250];
const SE = 240;
const [ECHO, SUPPRESS_GO_AHEAD, TERMINAL_TYPE, WINDOW_SIZE] = [1, 3, 24, 31];
const [IS, SEND] = [0, 1];

/** What this side does if asked, and what the other side may do. */
const OURS = new Set([TERMINAL_TYPE, WINDOW_SIZE, SUPPRESS_GO_AHEAD]);
const THEIRS = new Set([ECHO, SUPPRESS_GO_AHEAD]);

export class Telnet {
  #send;
  #type;
  #size;
  #sizeWanted = false;
  /** The bytes so far of an incomplete command. */
  #command = [];
  #agreed = new Set();

  /** `send(bytes)` sends to the other side. */
  constructor(send, { type = 'xterm-256color', columns = 80, rows = 24 } = {}) {
    this.#send = send;
    this.#type = type;
    this.#size = { columns, rows };
  }

  /** Takes bytes that arrived, answers commands, and returns the bytes for the screen. */
  receive(bytes) {
    const screen = [];
    for (const byte of bytes) {
      if (!this.#command.length && byte !== IAC) screen.push(byte);
      else if (this.#command.push(byte) && this.#complete()) {
        if (this.#command[1] === IAC) screen.push(IAC);
        else this.#obey(this.#command);
        this.#command = [];
      }
    }
    return Uint8Array.from(screen);
  }

  /** Takes what was typed. */
  type(bytes) {
    this.#send(Uint8Array.from([...bytes].flatMap((byte) => (byte === IAC ? [IAC, IAC] : [byte]))));
  }

  resize(columns, rows) {
    this.#size = { columns, rows };
    if (!this.#sizeWanted) return;
    const numbers = [columns >> 8, columns & 255, rows >> 8, rows & 255];
    this.#send(
      Uint8Array.from([
        IAC,
        SB,
        WINDOW_SIZE,
        ...numbers.flatMap((n) => (n === IAC ? [IAC, IAC] : [n])),
        IAC,
        SE,
      ]),
    );
  }

  #complete() {
    const [, kind] = this.#command;
    if (kind === undefined) return false;
    if (kind === SB)
      return (
        this.#command.length > 4 && this.#command.at(-2) === IAC && this.#command.at(-1) === SE
      );
    return kind < WILL || kind === IAC || this.#command.length === 3;
  }

  #obey([, kind, option, ...rest]) {
    if (kind === DO) this.#answer(WILL, WONT, option, OURS.has(option));
    else if (kind === WILL) this.#answer(DO, DONT, option, THEIRS.has(option));
    else if (kind === SB && option === TERMINAL_TYPE && rest[0] === SEND)
      this.#send(
        Uint8Array.from([
          IAC,
          SB,
          TERMINAL_TYPE,
          IS,
          ...new TextEncoder().encode(this.#type),
          IAC,
          SE,
        ]),
      );
  }

  /** Answers once that an option is on, or stays off. */
  #answer(yes, no, option, agreed) {
    const key = `${yes} ${option}`;
    if (this.#agreed.has(key)) return;
    this.#agreed.add(key);
    this.#send(Uint8Array.from([IAC, agreed ? yes : no, option]));
    if (option === WINDOW_SIZE && agreed) {
      this.#sizeWanted = true;
      this.resize(this.#size.columns, this.#size.rows);
    }
  }
}
