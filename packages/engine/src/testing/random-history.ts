/**
 * Histories of a register that is right by construction, and the same with one answer changed so that no order explains it: for testing
 * the checker of histories.
 */
import { createSeededRandom, type Random } from "../base/random.ts";
import { HistoryRecorder, type RegisterAnswer, type RegisterCall, type RegisterOperation } from "./linearizability.ts";

export interface HistoryShape {
  readonly clients: number;
  readonly operations: number;
  readonly keys: number;
  /** Moments at which every call under way is lost; what is lost may still happen until the restart right after. */
  readonly crashes: number;
  /** Calls given up on, which may happen at any time afterwards. */
  readonly timeouts: number;
}

interface Pending {
  readonly number: number;
  readonly key: string;
  readonly call: RegisterCall;
  answer: RegisterAnswer | undefined;
}

/** A linearizable history. Calls of a client follow one another; each happens at a random moment between call and answer. */
export function randomHistory(seed: number, shape: HistoryShape): RegisterOperation[] {
  const random = createSeededRandom(seed);
  const recorder = new HistoryRecorder();
  const registers = new Map<string, string>();
  const clients: (Pending | undefined)[] = Array.from({ length: shape.clients }, () => undefined);
  const late: Pending[] = [];
  let started = 0;
  const apply = (pending: Pending): void => {
    pending.answer ??= applyCall(registers, pending.key, pending.call);
  };
  while (started < shape.operations || clients.some((pending) => pending !== undefined)) {
    if (random.below(shape.operations * 3) < shape.crashes) crash();
    if (late.length > 0 && random.below(40) === 0) apply(late.splice(random.below(late.length), 1)[0] as Pending);
    const client = random.below(shape.clients);
    const pending = clients[client];
    if (pending === undefined) {
      if (started < shape.operations) begin(client, started++);
    } else if (pending.answer === undefined) {
      if (random.below(shape.operations * 2) < shape.timeouts) giveUp(client, pending);
      else apply(pending);
    } else {
      recorder.answered(pending.number, pending.answer);
      clients[client] = undefined;
    }
  }
  return recorder.operations;

  function begin(client: number, count: number): void {
    const key = `k${random.below(shape.keys)}`;
    const call = randomCall(random, `t${count}`, registers.get(key));
    clients[client] = { number: recorder.called(client, key, call), key, call, answer: undefined };
  }

  function giveUp(client: number, pending: Pending): void {
    recorder.lost(pending.number, "ever");
    late.push(pending);
    clients[client] = undefined;
  }

  function crash(): void {
    for (const [client, pending] of clients.entries()) {
      if (pending === undefined) continue;
      if (random.below(2) === 0) apply(pending);
      recorder.lost(pending.number, "now");
      clients[client] = undefined;
    }
  }
}

function randomCall(random: Random, tag: string, current: string | undefined): RegisterCall {
  const other = random.below(4) === 0 ? "other" : (current ?? "none");
  switch (random.below(9)) {
    case 0:
    case 1:
    case 2:
      return { kind: "put", tag };
    case 3:
      return { kind: "put", tag, ifMatch: other };
    case 4:
      return { kind: "put", tag, ifNoneMatch: "*" };
    case 5:
      return { kind: "delete" };
    case 6:
      return { kind: "delete", ifMatch: other };
    default:
      return { kind: "get" };
  }
}

function applyCall(registers: Map<string, string>, key: string, call: RegisterCall): RegisterAnswer {
  const tag = registers.get(key);
  if (call.kind === "get") return { kind: "found", tag };
  const fails = call.ifMatch === undefined ? call.kind === "put" && call.ifNoneMatch === "*" && tag !== undefined : call.ifMatch !== tag;
  if (fails) return { kind: "refused", tag };
  if (call.kind === "put") registers.set(key, call.tag);
  else registers.delete(key);
  return { kind: "done" };
}

/** Ways of spoiling a history; each leaves one that no order explains, because tags are used once. */
export const violations = ["stale read", "read of a value never written", "read from the future", "two updates of one value"] as const;
export type Violation = (typeof violations)[number];

/** The history with one answer changed; undefined where there is no place for this violation. */
export function plantViolation(
  history: readonly RegisterOperation[],
  violation: Violation,
  random: Random,
): RegisterOperation[] | undefined {
  for (const candidate of shuffled(history, random)) {
    const changed = spoil(history, candidate, violation);
    if (changed !== undefined) return history.map((operation) => (operation === candidate ? changed : operation));
  }
  return undefined;
}

function spoil(history: readonly RegisterOperation[], operation: RegisterOperation, violation: Violation): RegisterOperation | undefined {
  const { call } = operation;
  const puts = history.filter(({ key, answer, call: other }) => key === operation.key && other.kind === "put" && answer?.kind === "done");
  if (violation === "two updates of one value") {
    if (call.kind !== "put" || call.ifMatch !== undefined || operation.answer?.kind !== "done") return undefined;
    const first = puts.find((other) => other !== operation && other.call.kind === "put" && other.call.ifMatch !== undefined);
    if (first?.call.kind !== "put") return undefined;
    return { ...operation, call: { kind: "put", tag: call.tag, ifMatch: first.call.ifMatch } };
  }
  if (call.kind !== "get" || operation.answer === undefined) return undefined;
  const tag = tagFor(puts, operation, violation);
  return tag === undefined ? undefined : { ...operation, answer: { kind: "found", tag } };
}

/** A tag that the get cannot have found. */
function tagFor(puts: readonly RegisterOperation[], read: RegisterOperation, violation: Violation): string | undefined {
  if (violation === "read of a value never written") return "never";
  const wrong = puts.find((put) => {
    if (violation === "read from the future") return put.calledAt > read.by;
    return puts.some((later) => later.calledAt > put.by && later.by < read.calledAt);
  });
  return wrong?.call.kind === "put" ? wrong.call.tag : undefined;
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const rest = [...items];
  return items.map(() => rest.splice(random.below(rest.length), 1)[0] as T);
}
