/**
 * Is a history of concurrent calls on registers explained by calls that happened one after another, each at some moment between its call
 * and its answer? Search of Wing & Gong ("Testing and Verifying Concurrent Objects", 1993) with the memory of Lowe ("Testing for
 * Linearizability", 2017), key by key, since a history is linearizable exactly when that of each key is (Herlihy & Wing, 1990).
 *
 * A register holds a tag or nothing. Calls whose answer was never seen (a crash, a time-out) may have happened at any moment from their
 * call to `by`, or never. They are tried only where a call right after them depends on what they leave: elsewhere they explain nothing.
 * Times are logical: any numbers that order calls and answers as they were seen.
 */
import { invariant } from "../base/invariant.ts";

/** What a client asked for. Tags of puts are used once in a history. */
export type RegisterCall =
  | { readonly kind: "get" }
  | { readonly kind: "put"; readonly tag: string; readonly ifMatch?: string | undefined; readonly ifNoneMatch?: "*" | undefined }
  | { readonly kind: "delete"; readonly ifMatch?: string | undefined };

/** What it was answered. */
export type RegisterAnswer =
  /** A change was made. */
  | { readonly kind: "done" }
  /** The tag a get found, or the one that spoke against a condition; undefined: there was none. */
  | { readonly kind: "found" | "refused"; readonly tag: string | undefined };

/** One call of a history. */
export interface RegisterOperation {
  readonly client: number;
  readonly key: string;
  readonly call: RegisterCall;
  readonly calledAt: number;
  /** Undefined: nobody knows whether it happened. */
  readonly answer: RegisterAnswer | undefined;
  /** When it was answered; without an answer: when it can no longer happen, infinite when it always can. */
  readonly by: number;
}

/** What the check found. */
export type Verdict =
  | { readonly linearizable: true; readonly states: number }
  | { readonly linearizable: false; readonly states: number; readonly key: string; readonly why: string };

/** Far above what histories of a few thousand calls take; a search that needs more says so instead of going on for ever. */
const statesMaxDefault = 5_000_000;

/** Judges a history; every register is empty at its start. @throws InvariantError when the search grows beyond `statesMax` */
export function checkLinearizability(
  history: readonly RegisterOperation[],
  options: { readonly statesMax?: number | undefined } = {},
): Verdict {
  const byKey = new Map<string, RegisterOperation[]>();
  for (const operation of history) {
    const group = byKey.get(operation.key);
    if (group === undefined) byKey.set(operation.key, [operation]);
    else group.push(operation);
  }
  let states = 0;
  for (const [key, operations] of byKey) {
    const search = new Search(operations, options.statesMax ?? statesMaxDefault);
    const why = search.run();
    states += search.states;
    if (why !== undefined) return { linearizable: false, states, key, why };
  }
  return { linearizable: true, states };
}

/** One choice of the search: what was taken, and what it changed. */
interface Taken {
  readonly operation: RegisterOperation;
  readonly place: number;
  readonly known: boolean;
  readonly before: Position;
}

/** Where the search stands, beside the marks of what is taken. */
interface Position {
  /** The first answered call that is not taken. */
  readonly low: number;
  readonly tag: string | undefined;
  /** The last one taken has no answer: what comes next must depend on it. */
  readonly tentative: boolean;
  /** The latest call of all taken: nothing that had to happen before it can still be taken. */
  readonly latestCall: number;
}

class Search {
  states = 0;
  readonly #known: readonly RegisterOperation[];
  readonly #unknown: readonly RegisterOperation[];
  readonly #knownTaken: Uint8Array;
  readonly #unknownTaken: Uint8Array;
  readonly #statesMax: number;
  readonly #seen = new Set<string>();
  #position: Position = { low: 0, tag: undefined, tentative: false, latestCall: Number.NEGATIVE_INFINITY };
  /** The furthest the search got, for the message. */
  #furthest = { taken: -1, tag: undefined as string | undefined, stuck: [] as RegisterOperation[] };

  constructor(operations: readonly RegisterOperation[], statesMax: number) {
    const inOrder = [...operations].sort((a, b) => a.calledAt - b.calledAt);
    this.#known = inOrder.filter(({ answer }) => answer !== undefined);
    this.#unknown = inOrder.filter(({ answer, call }) => answer === undefined && call.kind !== "get").sort((a, b) => a.by - b.by);
    this.#knownTaken = new Uint8Array(this.#known.length);
    this.#unknownTaken = new Uint8Array(this.#unknown.length);
    this.#statesMax = statesMax;
  }

  /** Undefined when there is an order that explains everything; otherwise why not. */
  run(): string | undefined {
    const taken: Taken[] = [];
    const choices: Iterator<Taken>[] = [this.#choices()];
    while (choices.length > 0) {
      if (this.#position.low === this.#known.length) return undefined;
      const next = (choices.at(-1) as Iterator<Taken>).next();
      if (next.done === true) {
        choices.pop();
        const last = taken.pop();
        if (last !== undefined) this.#giveBack(last);
        continue;
      }
      this.#take(next.value);
      if (this.#isNew()) {
        taken.push(next.value);
        choices.push(this.#choices());
        this.#note(taken.length);
      } else this.#giveBack(next.value);
    }
    return this.#explain();
  }

  /** What can have happened next. */
  *#choices(): Generator<Taken, void> {
    const before = this.#position;
    const endsAt = this.#firstAnswer(before.low);
    for (let place = before.low; place < this.#known.length; place++) {
      const operation = this.#known[place] as RegisterOperation;
      if (operation.calledAt > endsAt) break;
      if (this.#knownTaken[place] === 1 || (before.tentative && isBlind(operation.call))) continue;
      if (agrees(operation, before.tag)) yield { operation, place, known: true, before };
    }
    let deleteTried = false;
    for (let place = 0; place < this.#unknown.length; place++) {
      const operation = this.#unknown[place] as RegisterOperation;
      if (this.#unknownTaken[place] === 1 || operation.calledAt > endsAt || operation.by < before.latestCall) continue;
      if ((before.tentative && isBlind(operation.call)) || !applies(operation.call, before.tag)) continue;
      // Of deletes that would do the same, the one that has the least time left stands for all.
      const isDelete = operation.call.kind === "delete";
      if (isDelete && isBlind(operation.call) && deleteTried) continue;
      deleteTried ||= isDelete && isBlind(operation.call);
      yield { operation, place, known: false, before };
    }
  }

  /** The first answer among the calls not taken: what was called later cannot be next. */
  #firstAnswer(low: number): number {
    let first = Number.POSITIVE_INFINITY;
    for (let place = low; place < this.#known.length; place++) {
      const operation = this.#known[place] as RegisterOperation;
      if (operation.calledAt > first) break;
      if (this.#knownTaken[place] === 0) first = Math.min(first, operation.by);
    }
    return first;
  }

  #take({ operation, place, known, before }: Taken): void {
    (known ? this.#knownTaken : this.#unknownTaken)[place] = 1;
    let { low } = before;
    while (low < this.#known.length && this.#knownTaken[low] === 1) low++;
    const tag = known && operation.answer?.kind !== "done" ? before.tag : tagAfter(operation.call);
    this.#position = { low, tag, tentative: !known, latestCall: Math.max(before.latestCall, operation.calledAt) };
  }

  #giveBack({ place, known, before }: Taken): void {
    (known ? this.#knownTaken : this.#unknownTaken)[place] = 0;
    this.#position = before;
  }

  /** True for a place the search has not been at: the same calls taken, the same tag. */
  #isNew(): boolean {
    const { low, tag, tentative } = this.#position;
    let beyond = "";
    for (let place = low; place < this.#known.length; place++) {
      const operation = this.#known[place] as RegisterOperation;
      if (operation.calledAt > this.#position.latestCall) break;
      beyond += this.#knownTaken[place] === 1 ? "1" : "0";
    }
    const key = `${low} ${beyond} ${this.#unknownTaken.join("")} ${tentative ? "?" : "="}${tag ?? ""}`;
    if (this.#seen.has(key)) return false;
    this.#seen.add(key);
    this.states++;
    invariant(this.states <= this.#statesMax, "a history is small enough to be searched");
    return true;
  }

  #note(taken: number): void {
    if (taken <= this.#furthest.taken) return;
    const endsAt = this.#firstAnswer(this.#position.low);
    const stuck = this.#known.filter((operation, place) => this.#knownTaken[place] === 0 && operation.calledAt <= endsAt);
    this.#furthest = { taken, tag: this.#position.tag, stuck };
  }

  #explain(): string {
    const { taken, tag, stuck } = this.#furthest.taken < 0 ? { taken: 0, tag: undefined, stuck: this.#known.slice(0, 8) } : this.#furthest;
    const holds = tag === undefined ? "nothing" : tag;
    const calls = stuck.map(formatOperation).join("; ");
    return `after ${taken} of ${this.#known.length} calls the register holds ${holds}, and none of these can be next: ${calls}`;
  }
}

/** True for a change that depends on nothing before it. */
function isBlind(call: RegisterCall): boolean {
  return call.kind !== "get" && call.ifMatch === undefined && (call.kind === "delete" || call.ifNoneMatch === undefined);
}

/** True when a change is made where the register holds `tag`. */
function applies(call: RegisterCall, tag: string | undefined): boolean {
  if (call.kind === "get") return false;
  if (call.ifMatch !== undefined && call.ifMatch !== tag) return false;
  return call.kind === "delete" || call.ifNoneMatch === undefined || tag === undefined;
}

/** True when a call is answered like this where the register holds `tag`. */
function agrees({ call, answer }: RegisterOperation, tag: string | undefined): boolean {
  if (answer?.kind === "done") return applies(call, tag);
  return answer?.tag === tag && (call.kind === "get" || !applies(call, tag));
}

function tagAfter(call: RegisterCall): string | undefined {
  return call.kind === "put" ? call.tag : undefined;
}

/** `client 3: put k1 a7 if b2 [12, 19] done`: one call of a history as a line. */
export function formatOperation({ client, key, call, answer, calledAt, by }: RegisterOperation): string {
  const tag = call.kind === "put" ? ` ${call.tag}` : "";
  const ifMatch = call.kind !== "get" && call.ifMatch !== undefined ? ` if ${call.ifMatch}` : "";
  const ifNone = call.kind === "put" && call.ifNoneMatch !== undefined ? " if none" : "";
  const answered = answer === undefined ? "unknown" : answer.kind === "done" ? "done" : `${answer.kind} ${answer.tag ?? "nothing"}`;
  return `client ${client}: ${call.kind} ${key}${tag}${ifMatch}${ifNone} [${calledAt}, ${by}] ${answered}`;
}

/** Writes a history down while it happens. */
export class HistoryRecorder {
  readonly operations: RegisterOperation[] = [];
  readonly #open = new Map<number, Omit<RegisterOperation, "answer" | "by">>();
  #now = 0;
  #calls = 0;

  /** A call begins; its number is for `answered` and `withdrawn`. */
  called(client: number, key: string, call: RegisterCall): number {
    this.#open.set(++this.#calls, { client, key, call, calledAt: ++this.#now });
    return this.#calls;
  }

  /** The call of this number was answered. */
  answered(number: number, answer: RegisterAnswer): void {
    this.#close(number, { answer, by: ++this.#now });
  }

  /** It is known that the call of this number has done nothing and never will. */
  withdrawn(number: number): void {
    this.#open.delete(number);
  }

  /** Nobody will ever know about the call of this number; with `by` "now" it can have happened up to now only. */
  lost(number: number, by: "now" | "ever"): void {
    this.#close(number, { answer: undefined, by: by === "now" ? ++this.#now : Number.POSITIVE_INFINITY });
  }

  /** The numbers of the calls under way. */
  get underWay(): number[] {
    return [...this.#open.keys()];
  }

  #close(number: number, end: Pick<RegisterOperation, "answer" | "by">): void {
    const operation = this.#open.get(number);
    invariant(operation !== undefined, "a call ends once");
    this.#open.delete(number);
    this.operations.push({ ...operation, ...end });
  }
}
