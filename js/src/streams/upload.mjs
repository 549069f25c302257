// SPDX-License-Identifier: MIT
// @ts-check
/** A file, or any other Blob, on its way to the program. */
import { describeFile } from '../base/file-info.mjs';
import { ProgramStream } from './program-stream.mjs';

/**
 * @typedef {object} UploadOptions
 * @property {any} [data] what the program is told of it; of a file its `name`, `size`, `type`, `lastModified` unless
 *   said otherwise
 * @property {AbortSignal} [signal] gives it up
 * @property {(sent: number, size: number) => void} [progress] called now and then: so many bytes have arrived
 */

/**
 * @param {import('./program-stream.mjs').StreamHost} host the session that carries it
 * @param {string} name @param {Blob} blob @param {UploadOptions} options
 * @returns {Promise<any>} what the program said when it accepted it; fulfilled when all has arrived and it has ended its
 *   side
 */
export async function upload(host, name, blob, { data = describeFile(blob), signal, progress }) {
  const stream = new ProgramStream(host, name, { data, signal });
  const told = await stream.opened;
  await Promise.all([stream.readable.pipeTo(new WritableStream()), send(stream, blob, progress)]);
  await stream.closed;
  return told;
}

/** @param {ProgramStream} stream @param {Blob} blob @param {UploadOptions['progress']} progress */
async function send(stream, blob, progress) {
  const writer = stream.writable.getWriter();
  let sent = 0;
  try {
    for await (const piece of pieces(blob)) {
      await writer.write(piece);
      sent += piece.length;
      progress?.(sent - stream.bufferedAmount, blob.size);
    }
  } catch (error) {
    stream.abort(error); // the file can't be read any more, or the stream has failed by itself
    throw error;
  }
  await writer.close();
  progress?.(blob.size, blob.size);
}

/** As it comes, but not too much at a time: Firefox reads megabytes at once. @param {Blob} blob */
async function* pieces(blob) {
  const reader = blob.stream().getReader();
  for (let next; !(next = await reader.read()).done;)
    for (let at = 0; at < next.value.length; at += PIECE_BYTES)
      yield next.value.subarray(at, at + PIECE_BYTES);
}

const PIECE_BYTES = 256 * 1024;

/** Files that a listener has heard of: one after the other, so that a program which reads one at a time keeps none waiting. */
export class Uploads {
  #run;
  #last = Promise.resolve();
  #made = 0;
  #closed = false;

  /** @param {(name: string, file: File, data: object) => Promise<any>} run uploads one */
  constructor(run) {
    this.#run = run;
  }

  /**
   * @param {string} name @param {File} file @param {(error: any) => void} failed
   * @returns {number} what it is known by, to the program too
   */
  add(name, file, failed) {
    const upload = ++this.#made;
    const run = () =>
      this.#closed ? undefined : this.#run(name, file, { ...describeFile(file), upload });
    this.#last = this.#last.then(run).catch(failed);
    return upload;
  }

  /** Those that have not begun never will. */
  close() {
    this.#closed = true;
  }
}
