// SPDX-License-Identifier: MIT
// @ts-check
/**
 * A store whose entries expire. It uses localStorage, so that all tabs of an origin share the
 * entries and they survive a reload. Each entry has a key of its own there, so that two tabs can
 * write at once and lose nothing. An entry is kept in memory, for this page alone, where there is
 * no storage (in Node, in a worker, or forbidden by the browser), where storage is full, and where
 * the key is too long.
 *
 * Any script of the origin may write into localStorage, so an entry that can't be parsed is removed
 * and ignored. Storage and memory hold at most 64 entries each. The entry that expires first gives
 * way.
 */

const PREFIX = 'httpsocket ';
const MAX_ENTRIES = 64;
/** An entry with a longer key stays in memory: localStorage has room for 5 million characters. */
const LONGEST_KEY = 2048;

/**
 * @typedef {object} StoreEntry
 * @property {number} until when the entry expires, by the wall clock
 * @property {number} ms its whole lifetime: a clock that is set back does not prolong it
 * @property {unknown} value
 */

/**
 * The part of Storage that is used here.
 * @typedef {Pick<Storage, 'length' | 'key' | 'getItem' | 'setItem' | 'removeItem'>} BackingStorage
 */

export class ExpiringStore {
  /** @type {Map<string, StoreEntry>} */
  #memory = new Map();
  #storage;

  /** @param {() => BackingStorage | null | undefined} storage called at each use; may throw */
  constructor(storage) {
    this.#storage = storage;
  }

  /**
   * @param {string} key @param {number} now the wall clock, in milliseconds
   * @returns {{ value: unknown, ms: number } | null} the value, and how long it remains
   */
  get(key, now) {
    const kept = [this.#memory.get(key), this.#stored(PREFIX + key, now)];
    let best = null;
    for (const entry of kept) {
      const ms = entry ? remainingMs(entry, now) : 0;
      if (entry && ms > 0 && ms > (best?.ms ?? 0)) best = { value: entry.value, ms };
    }
    return best;
  }

  /**
   * Keeps a value for `ms`, unless an entry with that key lasts longer.
   * @param {string} key @param {unknown} value anything JSON has @param {number} ms
   * @param {number} now
   */
  set(key, value, ms, now) {
    if (!(ms > 0) || (this.get(key, now)?.ms ?? 0) >= ms) return;
    const entry = { until: now + ms, ms, value };
    if (this.#store(key, entry, now)) return;
    this.#memory.delete(key);
    if (this.#memory.size >= MAX_ENTRIES) this.#memory.delete(firstToExpire(this.#memory));
    this.#memory.set(key, entry);
  }

  /** @param {string} key @param {number} now @returns {StoreEntry | null} */
  #stored(key, now) {
    try {
      const storage = this.#storage();
      const text = storage?.getItem(key);
      if (!storage || text == null) return null;
      const entry = parseStoreEntry(text);
      if (entry && remainingMs(entry, now) > 0) return entry;
      storage.removeItem(key);
    } catch {
      // localStorage is forbidden
    }
    return null;
  }

  /**
   * @param {string} key @param {StoreEntry} entry @param {number} now
   * @returns {boolean} false: the entry could not be stored
   */
  #store(key, entry, now) {
    if (key.length > LONGEST_KEY) return false;
    try {
      const storage = this.#storage();
      if (!storage) return false;
      this.#makeRoom(storage, PREFIX + key, now);
      storage.setItem(PREFIX + key, JSON.stringify(entry));
      return true;
    } catch {
      return false; // localStorage is forbidden, or full
    }
  }

  /**
   * @param {BackingStorage} storage @param {string} key of the entry that is about to be stored
   * @param {number} now
   */
  #makeRoom(storage, key, now) {
    const keys = Array.from({ length: storage.length }, (_, i) => storage.key(i)).filter((k) =>
      k?.startsWith(PREFIX),
    );
    /** @type {Map<string, StoreEntry>} */
    const entries = new Map();
    for (const other of /** @type {string[]} */ (keys)) {
      const entry = other === key ? null : this.#stored(other, now);
      if (entry) entries.set(other, entry);
    }
    for (; entries.size >= MAX_ENTRIES; entries.delete(firstToExpire(entries)))
      storage.removeItem(firstToExpire(entries));
  }
}

/** @param {StoreEntry} entry @param {number} now */
function remainingMs({ until, ms }, now) {
  return Math.min(until - now, ms);
}

/** @param {string} text @returns {StoreEntry | null} */
function parseStoreEntry(text) {
  let entry;
  try {
    entry = JSON.parse(text);
  } catch {
    return null;
  }
  return typeof entry?.until === 'number' && typeof entry.ms === 'number' ? entry : null;
}

/** @param {Map<string, StoreEntry>} entries @returns {string} */
function firstToExpire(entries) {
  let first = '';
  for (const [key, { until }] of entries)
    if (until < (entries.get(first)?.until ?? Infinity)) first = key;
  return first;
}

/**
 * The store of this page. In Node the mere mention of localStorage may print a warning, so it is
 * used only where there is a document.
 */
export const pageStore = new ExpiringStore(() =>
  typeof document === 'undefined' ? null : globalThis.localStorage,
);
