// SPDX-License-Identifier: MIT
// @ts-check
import { describeFile } from '../base/file-info.mjs';

/**
 * The files that listeners have heard of, sent one after the other: a program that reads one at a
 * time keeps no other waiting.
 */
export class Uploads {
  #run;
  #last = Promise.resolve();
  #made = 0;
  #closed = false;

  /** @param {(name: string, file: File, data: object) => Promise<any>} run uploads one file */
  constructor(run) {
    this.#run = run;
  }

  /**
   * @param {string} name @param {File} file @param {(error: any) => void} failed
   * @returns {number} the number of the upload, which the program is told too
   */
  add(name, file, failed) {
    const upload = ++this.#made;
    const run = () =>
      this.#closed ? undefined : this.#run(name, file, { ...describeFile(file), upload });
    this.#last = this.#last.then(run).catch(failed);
    return upload;
  }

  /** Uploads that were not begun yet are never begun. */
  close() {
    this.#closed = true;
  }
}
