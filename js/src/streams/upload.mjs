// SPDX-License-Identifier: MIT
// @ts-check
/** Sends a file, or another Blob, to the program. */
import { FileError, piecesOf } from './file-pieces.mjs';
import { ProgramStream } from './program-stream.mjs';

/**
 * @typedef {object} UploadOptions
 * @property {any} [data] what the program is told of it; by default a file's `name`, `size`, `type`
 *   and `lastModified`
 * @property {AbortSignal} [signal] gives up the upload when it is aborted
 * @property {(sent: number, size: number) => void} [progress] called from time to time with the
 *   bytes that have arrived
 */

/**
 * @param {import('./program-stream.mjs').StreamHost} host of the session that carries it
 * @param {string} name @param {Blob} blob @param {UploadOptions} options
 * @returns {Promise<any>} the data that the program accepted it with; fulfilled when all bytes have
 *   arrived and the program has ended its side; rejected if the file can't be read, or has changed
 */
export async function upload(host, name, blob, { data, signal, progress }) {
  const stream = new ProgramStream(host, name, { data, signal });
  const told = await stream.opened;
  await Promise.all([stream.readable.pipeTo(new WritableStream()), send(stream, blob, progress)]);
  await stream.closed;
  return told;
}

/**
 * A file that does not come whole fails at both ends.
 * @param {ProgramStream} stream @param {Blob} blob @param {UploadOptions['progress']} progress
 */
async function send(stream, blob, progress) {
  const writer = stream.writable.getWriter();
  let sent = 0;
  try {
    for await (const piece of piecesOf(blob)) {
      await writer.write(piece);
      sent += piece.length;
      progress?.(sent - stream.bufferedAmount, blob.size);
    }
  } catch (error) {
    stream.abort(error, error instanceof FileError ? error : undefined);
    return stream.closed; // which says why
  }
  await writer.close();
  progress?.(blob.size, blob.size);
}
