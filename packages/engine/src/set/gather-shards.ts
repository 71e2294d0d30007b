/**
 * Getting enough shards of one stripe: as many as are needed are asked for, then one more for each that cannot be had or takes too long, so that
 * drives that never answer hold nobody up as long as enough others do.
 */
import type { DriveHealth } from "./drive-health.ts";
import type { Member } from "./member.ts";
import type { Waiting } from "./patience.ts";

/** A drive that has not answered by then will not: the read goes on without it, or fails. */
const answerMsMax = 30_000;
/** How often those still waited for are looked at. */
const lookAgainMs = 250;

/** What is wanted of the shards, and how to get it. */
export interface ShardSource<Shard, Result> {
  /** The slots that may be asked, those to be asked first in front. */
  readonly slots: readonly number[];
  /** How many are asked for at once, and how many must be there before `combine` is tried. */
  readonly needed: number;
  /** Reads one; undefined when it cannot be had. Never rejects. */
  read(slot: number): Promise<Shard | undefined>;
  /** Tried with every arrival: what was wanted, or undefined when it cannot be made from these. Must not throw. */
  combine(shards: ReadonlyMap<number, Shard>): Result | undefined;
  /** The place of a slot: where its drive is gone, it is not waited for. */
  member(slot: number): Member;
}

/** Resolves with what was wanted, or with undefined when no more shards can be had. */
export function gatherShards<Shard, Result>(source: ShardSource<Shard, Result>, health: DriveHealth): Promise<Result | undefined> {
  return new Promise((resolve) => new Gathering(source, health, resolve).askMore());
}

interface Asked {
  readonly sinceMs: number;
  isReplaced: boolean;
  /** Called when it answers. */
  onAnswer: () => void;
}

class Gathering<Shard, Result> {
  readonly #source: ShardSource<Shard, Result>;
  readonly #health: DriveHealth;
  readonly #resolve: (result: Result | undefined) => void;
  readonly #have = new Map<number, Shard>();
  /** Slots that have been asked and have not answered: since when, and whether others were asked in their place. */
  readonly #asked = new Map<number, Asked>();
  readonly #waiting: Waiting;
  readonly #giveUpMs: number;
  #next = 0;
  #needed: number;
  #done = false;

  constructor(source: ShardSource<Shard, Result>, health: DriveHealth, resolve: (result: Result | undefined) => void) {
    this.#source = source;
    this.#health = health;
    this.#resolve = resolve;
    this.#needed = source.needed;
    const nowMs = health.nowMs();
    this.#giveUpMs = nowMs + answerMsMax;
    this.#waiting = { dueMs: nowMs + health.hedgeMs, onLate: () => this.#lookAgain() };
    health.patience.watch(this.#waiting);
  }

  /** Asks for as many as are still needed; ends when there is nobody left to ask or to wait for. */
  askMore(): void {
    const { slots } = this.#source;
    let expected = this.#have.size;
    for (const { isReplaced } of this.#asked.values()) if (!isReplaced) expected++;
    for (; expected < this.#needed && this.#next < slots.length; expected++) this.#ask(slots[this.#next++] as number);
    if (this.#asked.size === 0) this.#end(undefined);
  }

  #ask(slot: number): void {
    const asked: Asked = { sinceMs: this.#health.nowMs(), isReplaced: false, onAnswer: () => undefined };
    this.#asked.set(slot, asked);
    void this.#source.read(slot).then((shard) => {
      asked.onAnswer();
      this.#arrived(slot, shard);
    });
  }

  #arrived(slot: number, shard: Shard | undefined): void {
    if (this.#done) return;
    this.#asked.delete(slot);
    if (shard !== undefined) {
      this.#have.set(slot, shard);
      if (this.#have.size >= this.#source.needed) {
        const result = this.#source.combine(this.#have);
        if (result !== undefined) {
          this.#end(result);
          return;
        }
        // Some of these are not what they should be: from now on one more is needed than there are.
        this.#needed = Math.max(this.#needed, this.#have.size + 1);
      }
    }
    this.askMore();
  }

  /** It takes long: others are asked in place of those that have not answered, and those that never will are given up. */
  #lookAgain(): void {
    if (this.#done) return;
    const nowMs = this.#health.nowMs();
    for (const [slot, asked] of [...this.#asked]) {
      const member = this.#source.member(slot);
      if (!member.readable || nowMs >= this.#giveUpMs) this.#asked.delete(slot);
      else if (!asked.isReplaced) {
        asked.isReplaced = true;
        asked.onAnswer = this.#health.noteLate(member, asked.sinceMs);
      }
    }
    this.#waiting.dueMs = nowMs + lookAgainMs;
    this.#health.patience.watch(this.#waiting);
    this.askMore();
  }

  #end(result: Result | undefined): void {
    if (this.#done) return;
    this.#done = true;
    this.#health.patience.forget(this.#waiting);
    this.#resolve(result);
  }
}
