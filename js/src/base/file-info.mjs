// SPDX-License-Identifier: MIT
// @ts-check

/** What a program is told of a file. @param {any} file a File, or another Blob */
export function describeFile({ name, size, type, lastModified }) {
  return { name, size, type, lastModified };
}
