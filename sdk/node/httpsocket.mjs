// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Page programs of httpsocketd in Node: a program prints a page, stays, and
 * goes on talking with it.
 *
 *     const { page } = await import(`${process.env.HTTPSOCKET_SDK}/node/httpsocket.mjs`);
 *     page.show('<!doctype html>…');
 *     let total = 0;
 *     for await (const { name, data } of page)
 *       if (name === 'add') page.send('total', (total += data));
 *
 * No dependencies, Node 18 or later. What it throws by itself are PageErrors, told apart by `code`.
 */
import { Page } from './src/page.mjs';

export { Failure, PageError } from './src/errors.mjs';
export { escape, Html, html, scriptJson } from './src/html.mjs';
export { Page, PageEvent } from './src/page.mjs';
export { Pages, SharedPage } from './src/pages.mjs';
export { Request } from './src/request.mjs';
export { PageStream } from './src/stream.mjs';

/** The page of this program. */
export const page = new Page();
