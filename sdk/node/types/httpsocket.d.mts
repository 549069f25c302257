export { Request } from "./src/request.mjs";
export { PageStream } from "./src/stream.mjs";
/** The page of this program. */
export const page: Page;
export { Failure, PageError } from "./src/errors.mjs";
export { escape, Html, html, scriptJson } from "./src/html.mjs";
export { Page, PageEvent } from "./src/page.mjs";
export { Pages, SharedPage } from "./src/pages.mjs";
