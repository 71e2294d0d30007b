import { deepStrictEqual, ok } from "node:assert";
import type { Store } from "../engine.ts";
import { patterned } from "./temporary-store.ts";
import { bytesAt } from "./writer-lane.ts";
import type { KnownBody, NotedOperation, WriterLine } from "./writer-protocol.ts";

/** A put to a key of all lanes since the store was last looked at. */
interface ChainLink {
  readonly body: KnownBody;
  readonly replaces: number | null;
  fate: "pending" | "done" | "failed";
}

const bucketName = "things";

/**
 * What a test knows of a store that writers change: acknowledged bodies, and changes of which nobody knows whether they happened. `check`
 * compares it with the store; what it finds of the open changes counts from then on.
 */
export class ObjectLedger {
  /** Operations that were acknowledged. */
  acknowledged = 0;
  /** Codes of operations that failed, and of reads that did. */
  readonly failures = new Map<string, number>();
  readonly unread = new Map<string, number>();
  readonly #bodies = new Map<string, KnownBody>();
  readonly #underWay = new Map<number, NotedOperation>();
  /** Changes of earlier writers, and such that failed without an answer. */
  readonly #unknown: NotedOperation[] = [];
  readonly #chains = new Map<string, ChainLink[]>();

  /** Takes a line of a writer. */
  take(line: WriterLine): void {
    if (line.type === "begin") this.#begin(line);
    else if (line.type === "done") this.#done(this.#ending(line.number));
    else if (line.type === "failed") this.#failed(this.#ending(line.number), line);
    else if (line.type === "unread") count(this.unread, line.code);
  }

  /** The writer is dead: what it had under way may have happened or not. */
  writerEnded(): void {
    this.#unknown.push(...this.#underWay.values());
    this.#underWay.clear();
  }

  /** Compares every object with what is known; resolves with the keys and sizes of all there is. */
  async check(store: Store): Promise<Map<string, number>> {
    ok(this.#underWay.size === 0, "the ledger is checked once its writer is dead");
    for (const key of this.#chains.keys()) await this.#settleChain(store, key);
    for (const operation of this.#unknown.splice(0)) await this.#settle(store, operation);
    const expected = new Map<string, number>();
    for (const [key, body] of this.#bodies) if (body !== null) expected.set(key, body[1]);
    const keys: string[] = [];
    for await (const entry of store.bucket(bucketName).list()) if (entry.key !== undefined) keys.push(entry.key);
    deepStrictEqual(keys, [...expected.keys()].sort(), "the listing is what was acknowledged");
    for (const [key, body] of this.#bodies) ok(await holds(store, key, body), `${key} is as acknowledged: ${JSON.stringify(body)}`);
    return expected;
  }

  #begin(operation: NotedOperation): void {
    this.#underWay.set(operation.number, operation);
    const { replaces } = operation;
    if (replaces === undefined) return;
    for (const [key, body] of operation.changes) this.#chain(key).push({ body, replaces, fate: "pending" });
  }

  #ending(number: number): NotedOperation {
    const operation = this.#underWay.get(number);
    ok(operation !== undefined, `operation ${number} ended before it began`);
    this.#underWay.delete(number);
    return operation;
  }

  #done(operation: NotedOperation): void {
    this.acknowledged++;
    if (operation.replaces !== undefined) this.#linkOf(operation).fate = "done";
    else for (const [key, body] of operation.changes) this.#bodies.set(key, body);
  }

  #failed(operation: NotedOperation, { code, indeterminate }: { readonly code: string; readonly indeterminate: boolean }): void {
    count(this.failures, code);
    if (indeterminate) this.#unknown.push(operation);
    else if (operation.replaces !== undefined) this.#linkOf(operation).fate = "failed";
  }

  #chain(key: string): ChainLink[] {
    const chain = this.#chains.get(key) ?? [];
    this.#chains.set(key, chain);
    return chain;
  }

  #linkOf({ changes }: NotedOperation): ChainLink {
    const [key, body] = changes[0] as (typeof changes)[number];
    const link = this.#chain(key).find((candidate) => candidate.body === body);
    ok(link !== undefined, `the put to ${key} was noted`);
    return link;
  }

  /** All of an operation has happened or nothing; from now on it stays so. */
  async #settle(store: Store, { changes, replaces }: NotedOperation): Promise<void> {
    if (replaces !== undefined) return;
    const happened = await Promise.all(changes.map(([key, body]) => holds(store, key, body)));
    const not = await Promise.all(changes.map(([key]) => holds(store, key, this.#bodies.get(key) ?? null)));
    const all = happened.every((yes) => yes);
    ok(all || not.every((yes) => yes), `all or nothing of ${JSON.stringify(changes)} has happened: ${happened}, ${not}`);
    if (all) for (const [key, body] of changes) this.#bodies.set(key, body);
  }

  /** What is there leads back, from each body to the one it replaced, over every acknowledged put to what was there before. */
  async #settleChain(store: Store, key: string): Promise<void> {
    const links = this.#chain(key).splice(0);
    const start = this.#bodies.get(key) ?? null;
    const bytes = await bytesAt(store.bucket(bucketName), key);
    const at = bytes === null ? undefined : links.find(({ body }) => sameBytes(bytes, body));
    if (at !== undefined) this.#bodies.set(key, at.body);
    else ok(sameBytes(bytes, start), `${key} has bytes that were never put there`);
    const walked = new Set<ChainLink>();
    for (let link = at; link !== undefined && !walked.has(link); link = links.find(({ body }) => body?.[0] === link?.replaces)) {
      ok(link.fate !== "failed", `${key} shows a put that was refused: ${JSON.stringify(link)}`);
      walked.add(link);
    }
    for (const link of links) ok(link.fate !== "done" || walked.has(link), `${key} has lost an acknowledged put: ${JSON.stringify(link)}`);
    const first = [...walked].at(-1);
    ok(
      first === undefined || first.replaces === (start?.[0] ?? null),
      `the puts to ${key} go back to what was there: ${JSON.stringify(first)}`,
    );
  }
}

async function holds(store: Store, key: string, body: KnownBody): Promise<boolean> {
  return sameBytes(await bytesAt(store.bucket(bucketName), key), body);
}

function sameBytes(bytes: Uint8Array | null, body: KnownBody): boolean {
  if (bytes === null || body === null) return bytes === body;
  return bytes.byteLength === body[1] && Buffer.compare(bytes, patterned(body[1], body[0])) === 0;
}

function count(counts: Map<string, number>, code: string): void {
  counts.set(code, (counts.get(code) ?? 0) + 1);
}
