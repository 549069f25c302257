// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Reads a file, or another Blob, whole or not at all: no browser tells by itself that a file was
 * cut short while it was read, and Firefox reads on in one that has grown.
 */

/** Why a file did not come whole. `reason` is a token for the other side. */
export class FileError extends Error {
  /**
   * @param {'file-changed' | 'file-unreadable'} reason @param {string} message
   * @param {unknown} [cause]
   */
  constructor(reason, message, cause) {
    super(message, { cause });
    this.reason = reason;
  }
}

/** Each piece is small, although Firefox reads megabytes at once. */
const PIECE_BYTES = 256 * 1024;

/**
 * The pieces of a Blob. After the last one the file is known to be as it was when it was chosen, as
 * far as the browser can tell.
 * @param {Blob} blob @throws {FileError}
 */
export async function* piecesOf(blob) {
  const reader = blob.stream().getReader();
  let count = 0;
  try {
    for (let next; !(next = await readNext(reader, blob, count)).done;) {
      count += next.value.length;
      if (count > blob.size) throw changedFile(blob, `more than its ${blob.size} bytes were found`);
      for (let at = 0; at < next.value.length; at += PIECE_BYTES)
        yield next.value.subarray(at, at + PIECE_BYTES);
    }
  } finally {
    reader.cancel().catch(() => {});
  }
  if (count < blob.size) throw changedFile(blob, `only ${count} of ${blob.size} bytes were found`);
  await requireUnchanged(blob);
}

/**
 * @param {ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>} reader @param {Blob} blob
 * @param {number} count bytes that were read before
 */
async function readNext(reader, blob, count) {
  try {
    return await reader.read();
  } catch (cause) {
    const where = `${fileNameOf(blob)} can't be read after ${count} of ${blob.size} bytes`;
    const why = /** @type {any} */ (cause)?.message ?? cause;
    throw new FileError('file-unreadable', `${where}: ${why}`, cause);
  }
}

/**
 * Chromium compares a file with the time of its last change whenever it begins to read it. A file
 * that is gone meanwhile was read whole.
 * @param {Blob} blob
 */
async function requireUnchanged(blob) {
  try {
    await blob.slice(-1).arrayBuffer();
  } catch (error) {
    if (/** @type {any} */ (error)?.name === 'NotReadableError')
      throw changedFile(blob, 'it was written to meanwhile', error);
  }
}

/** @param {Blob} blob @param {string} how @param {unknown} [cause] */
function changedFile(blob, how, cause) {
  return new FileError('file-changed', `${fileNameOf(blob)} has changed: ${how}`, cause);
}

/** @param {Blob} blob */
function fileNameOf(blob) {
  return /** @type {any} */ (blob).name || 'the data';
}
