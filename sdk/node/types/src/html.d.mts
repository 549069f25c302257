/** Text that stands for itself in HTML. @param {unknown} text @returns {string} */
export function escape(text: unknown): string;
/**
 * A value as JSON that may stand inside of a <script> element.
 * @param {unknown} value
 * @returns {string}
 */
export function scriptJson(value: unknown): string;
/**
 * html`<p>${anything}</p>`: what is put in is escaped, unless it is html``
 * itself; of an array its elements.
 * @param {TemplateStringsArray} texts
 * @param {...unknown} values
 * @returns {Html}
 */
export function html(texts: TemplateStringsArray, ...values: unknown[]): Html;
/** HTML that needs no escaping any more. */
export class Html {
    /** @param {string} text */
    constructor(text: string);
    text: string;
    toString(): string;
}
