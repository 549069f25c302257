// SPDX-License-Identifier: MIT
// @ts-check

/**
 * What a program is told of a file. One that was chosen with its folder has a path in it.
 * @param {any} file a File, or another Blob
 */
export function describeFile({ name, size, type, lastModified, webkitRelativePath: path }) {
  return { name, ...(path && { path }), size, type, lastModified };
}
