// SPDX-License-Identifier: MIT
// @ts-check
/**
 * The parts of the client, by name. In client.js a part is loaded when it is first needed; in the
 * whole forms, and in the npm package, all parts are there from the beginning.
 */

/** @typedef {'page' | 'events' | 'dom' | 'streams' | 'access' | 'tcp' | 'dev'} PartName */

/** What the parts that are here have to offer. @type {Map<string, any>} */
const partsHere = new Map();

/**
 * The lines that stand now, each from its `.welcome` on: by them the loader knows whether a part
 * that does not come is kept back by something else. @typedef {{ url: string, probe: () => void }}
 * OpenLine
 * @type {Set<OpenLine>}
 */
export const openLines = new Set();

/** @type {(name: PartName) => Promise<any>} */
let loader = async (name) => {
  throw new Error(`the part '${name}' is not here`);
};

/** A part is here. @param {PartName} name @param {object} offers */
export function providePart(name, offers) {
  partsHere.set(name, offers);
}

/** How parts are loaded from now on. @param {(name: PartName) => Promise<any>} load */
export function loadPartsBy(load) {
  loader = load;
}

/** @param {PartName} name @returns {any} what the part offers; undefined: it is not here yet */
export function partHere(name) {
  return partsHere.get(name);
}

/**
 * @param {PartName} name
 * @returns {Promise<any>} what the part offers; waits while the server can't be reached, and
 *   rejects if the page can't have the part
 */
export async function loadPart(name) {
  return partHere(name) ?? loader(name);
}
