// SPDX-License-Identifier: MIT
// record.mjs - what all pages of the storm are told of one topic, and what is wrong with it: events
// that are missing, doubled or in another order, and who is there and should not be.

const SETTLES_MS = 10_000;

/** What one page has heard in its present subscription, and before. */
class View {
  /** The newest event's number; null: not subscribed, and nothing known. */
  last = null;
  /** Its own public id; null: not subscribed now. */
  id = null;
  /** Since when it has been. */
  since = 0;
  lost = 0;
  /** Told as lost, and not yet seen as a gap. */
  untold = 0;
  /** Who is there: id to {number, since}. */
  here = new Map();
}

export class TopicRecord {
  /** Number to `PAGE.K`, as the first page has heard it. */
  #order = [];
  #views = new Map();
  /** Publications that may come twice: their program ended before it had saved them. */
  #uncertain = new Set();
  #gone = new Map(); // public id to the time when it was over
  #said = new Map(); // page number to how many it has published
  #lastOf = new Map(); // page number to the newest K that is in #order
  counts = { events: 0, heard: 0, lost: 0, past: 0, doubled: 0 };

  constructor(name, fails) {
    Object.assign(this, { name, fails });
  }

  publishes(number) {
    const k = (this.#said.get(number) ?? 0) + 1;
    this.#said.set(number, k);
    return k;
  }

  /** Its program is another one now, which may publish these again. */
  leaves(page, uncovered) {
    const view = this.#viewOf(page);
    if (view.id) this.#gone.set(view.id, Date.now());
    Object.assign(view, { id: null, here: new Map(), untold: 0 });
    for (const text of uncovered)
      if (text.startsWith('pub ')) this.#uncertain.add(`${page.number}.${text.slice(4)}`);
  }

  /** The page is a new one, that knows nothing. */
  forgets(page) {
    this.#views.delete(page.number);
  }

  subscribed(page, { id, seq }) {
    const view = this.#viewOf(page);
    view.last ??= seq;
    Object.assign(view, { id, since: Date.now() });
    if (seq < view.last)
      this.fails(`${page}: subscribed to ${this.name} at ${seq}, after ${view.last}`);
  }

  event(page, told) {
    const view = this.#viewOf(page);
    if (told.lost !== undefined) {
      view.lost += told.lost;
      view.untold += told.lost;
      this.counts.lost += told.lost;
      return;
    }
    const { seq, past, data } = told;
    const ident = data.join('.');
    this.counts.heard++;
    this.#isInOrder(page, seq, ident, data);
    if (past && seq <= view.last) return;
    if (past) this.counts.past++;
    this.#follows(page, view, seq);
  }

  /** It is the next one, or what lies between was told as lost. */
  #follows(page, view, seq) {
    const missing = seq - view.last - 1;
    if (seq <= view.last) this.fails(`${page}: ${this.name} goes back from ${view.last} to ${seq}`);
    else if (missing !== view.untold)
      this.fails(
        `${page}: ${missing} events of ${this.name} are missing before ${seq},` +
          ` ${view.untold} of them told`,
      );
    view.untold = 0;
    view.last = seq;
  }

  /** All pages hear the same event by this number. */
  #isInOrder(page, seq, ident, [number, k]) {
    const known = this.#order[seq];
    if (known === ident) return;
    if (known !== undefined)
      return this.fails(`${page}: ${this.name} ${seq} is ${ident}, and for others ${known}`);
    this.#order[seq] = ident;
    this.counts.events++;
    const before = this.#lastOf.get(number) ?? 0;
    if (k > before) this.#lastOf.set(number, k);
    else if (!this.#uncertain.has(ident))
      this.fails(`${this.name} ${seq} is ${ident}, after ${number}.${before}`);
    else this.counts.doubled++;
  }

  presence(page, { here, joined = [], left = [] }) {
    const view = this.#viewOf(page);
    const before = view.here;
    if (here) view.here = new Map();
    for (const { id, data } of here ?? joined)
      view.here.set(id, { number: data.n, since: before.get(id)?.since ?? Date.now() });
    for (const id of left) view.here.delete(id);
  }

  #viewOf(page) {
    if (!this.#views.has(page.number)) this.#views.set(page.number, new View());
    return this.#views.get(page.number);
  }

  /**
   * What is wrong about who is there: all that is older than SETTLES_MS, since `calm`, the time
   * when the broker was back. `pages`: those that are connected.
   */
  wrongPresence(pages, calm) {
    const until = Date.now() - SETTLES_MS;
    if (calm > until) return [];
    const wrong = [];
    const settled = pages
      .map((page) => [page, this.#viewOf(page)])
      .filter(([page, view]) => view.id && view.since < until && page.attachedSince < until);
    const idOf = new Map([...this.#views].map(([number, { id }]) => [number, id]));
    for (const [page, { here }] of settled) {
      for (const [other, { id }] of settled)
        if (!here.has(id)) wrong.push(`${page} of ${this.name} does not see ${other}`);
      for (const [id, { number, since }] of here)
        if (since < until && idOf.get(number) !== id && (this.#gone.get(id) ?? 0) < until)
          wrong.push(`${page} of ${this.name} sees page ${number} as ${id}, who has left`);
    }
    return wrong;
  }

  /** What is missing when all is quiet. */
  unfinished(pages) {
    const missing = [];
    const newest = this.#order.length - 1;
    for (const page of pages) {
      const { last, id } = this.#viewOf(page);
      if (!id || (last !== newest && newest > 0))
        missing.push(`${page} has heard ${this.name} up to ${last} of ${newest}`);
    }
    for (const [number, k] of this.#said)
      if ((this.#lastOf.get(number) ?? 0) !== k)
        missing.push(
          `${this.name}: page ${number} has said ${k}, heard is ${this.#lastOf.get(number)}`,
        );
    return missing;
  }
}
