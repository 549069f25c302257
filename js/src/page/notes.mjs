// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Notes in `sessionStorage` that outlive a load of the page. Frames of one tab share that storage:
 * each has notes of its own. The storage may be forbidden, or full.
 */

export class Notes {
  #prefix;
  #storage;

  /** @param {() => Storage} storage may throw @param {any} window */
  constructor(storage, window) {
    this.#storage = storage;
    this.#prefix = `httpsocket${placeOf(window)} `;
  }

  /** @param {string} name @returns {any} null: there is no such note */
  read(name) {
    try {
      return JSON.parse(this.#storage().getItem(this.#prefix + name) ?? 'null');
    } catch {
      return null;
    }
  }

  /**
   * @param {string} name @param {any} note null removes it
   * @returns {boolean} whether it is kept
   */
  write(name, note) {
    const key = this.#prefix + name;
    try {
      if (note === null) this.#storage().removeItem(key);
      else this.#storage().setItem(key, JSON.stringify(note));
      return true;
    } catch {
      return false;
    }
  }
}

/** Which frame of the tab it is, such as `.0.2`. @param {any} window */
function placeOf(window) {
  let place = '';
  for (let at = window; at && at.parent !== at && at.parent; at = at.parent) {
    const { parent } = at;
    let i = 0;
    while (i < parent.length && parent[i] !== at) i++;
    place = `.${i}${place}`;
  }
  return place;
}
