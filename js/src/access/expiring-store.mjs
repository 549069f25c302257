// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Notes that expire, shared by all tabs of an origin and there again after a reload: in its localStorage, one key each,
 * so that tabs which write at the same moment lose nothing. Where there is no storage (Node, a worker, a page that may
 * not), where it is full, or where a key is too long for it, a note is kept in memory, for this page alone.
 *
 * Whoever writes into the storage is of our origin, but may be anybody's code: what is no note of ours is taken out and
 * passed over. At most 64 are kept in each place; the one that ends first gives way.
 */

const PREFIX = 'httpsocket ';
const MOST = 64;
/** Longer keys are not written into the storage, which has room for 5 million characters in all. */
const LONGEST_KEY = 2048;

/**
 * @typedef {object} Note
 * @property {number} until on the clock of the wall
 * @property {number} ms how long it was to last: should somebody set the clock back, it doesn't last longer
 * @property {unknown} value
 */

/** The part of a Storage that this needs.
 * @typedef {Pick<Storage, 'length' | 'key' | 'getItem' | 'setItem' | 'removeItem'>} NoteStorage */

export class Notes {
  /** @type {Map<string, Note>} */
  #memory = new Map();
  #storage;

  /** @param {() => NoteStorage | null | undefined} storage asked at each use; may throw */
  constructor(storage) {
    this.#storage = storage;
  }

  /**
   * @param {string} key @param {number} now on the clock of the wall
   * @returns {{ value: unknown, ms: number } | null} the note, and how long it still lasts
   */
  get(key, now) {
    const kept = [this.#memory.get(key), this.#stored(PREFIX + key, now)];
    let best = null;
    for (const note of kept) {
      const ms = note ? left(note, now) : 0;
      if (note && ms > 0 && ms > (best?.ms ?? 0)) best = { value: note.value, ms };
    }
    return best;
  }

  /**
   * Keeps a note for `ms`, unless there is one that lasts longer.
   * @param {string} key @param {unknown} value as JSON has it @param {number} ms @param {number} now
   */
  set(key, value, ms, now) {
    if (!(ms > 0) || (this.get(key, now)?.ms ?? 0) >= ms) return;
    const note = { until: now + ms, ms, value };
    if (this.#store(key, note, now)) return;
    this.#memory.delete(key);
    if (this.#memory.size >= MOST) this.#memory.delete(firstToEnd(this.#memory));
    this.#memory.set(key, note);
  }

  /** @param {string} key @param {number} now @returns {Note | null} */
  #stored(key, now) {
    try {
      const storage = this.#storage();
      const text = storage?.getItem(key);
      if (!storage || text == null) return null;
      const note = parseNote(text);
      if (note && left(note, now) > 0) return note;
      storage.removeItem(key);
    } catch {
      // forbidden here
    }
    return null;
  }

  /** @param {string} key @param {Note} note @param {number} now @returns {boolean} whether there was a place for it */
  #store(key, note, now) {
    if (key.length > LONGEST_KEY) return false;
    try {
      const storage = this.#storage();
      if (!storage) return false;
      this.#makeRoom(storage, PREFIX + key, now);
      storage.setItem(PREFIX + key, JSON.stringify(note));
      return true;
    } catch {
      return false; // forbidden here, or full
    }
  }

  /** @param {NoteStorage} storage @param {string} key of the note that comes @param {number} now */
  #makeRoom(storage, key, now) {
    const keys = Array.from({ length: storage.length }, (_, i) => storage.key(i)).filter((k) =>
      k?.startsWith(PREFIX),
    );
    /** @type {Map<string, Note>} */
    const notes = new Map();
    for (const other of /** @type {string[]} */ (keys)) {
      const note = other === key ? null : this.#stored(other, now);
      if (note) notes.set(other, note);
    }
    for (; notes.size >= MOST; notes.delete(firstToEnd(notes)))
      storage.removeItem(firstToEnd(notes));
  }
}

/** @param {Note} note @param {number} now */
function left({ until, ms }, now) {
  return Math.min(until - now, ms);
}

/** @param {string} text @returns {Note | null} */
function parseNote(text) {
  let note;
  try {
    note = JSON.parse(text);
  } catch {
    return null;
  }
  return typeof note?.until === 'number' && typeof note.ms === 'number' ? note : null;
}

/** @param {Map<string, Note>} notes @returns {string} */
function firstToEnd(notes) {
  let first = '';
  for (const [key, { until }] of notes)
    if (until < (notes.get(first)?.until ?? Infinity)) first = key;
  return first;
}

/** Those of this page. In Node, a mere mention of localStorage may warn: so only where there is a document. */
export const ownNotes = new Notes(() =>
  typeof document === 'undefined' ? null : globalThis.localStorage,
);
