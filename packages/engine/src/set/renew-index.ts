/**
 * Makes the index of an open set anew, beside the one in use and while batches are committed: first from every pack that takes no more, then, while
 * nothing is in flight for a moment, from what was committed meanwhile. No pack is given up until it is done: a delete that is not needed any more
 * because the put before it goes at the same time would otherwise be missed by who has read that put.
 */
import { throwIfAborted } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import type { BesideIndex } from "../index/ordered-index.ts";
import { lostPacks } from "./lost-packs.ts";
import type { OpenSet } from "./open-set.ts";
import { type Pacer, unhurried } from "./pace.ts";
import { IndexWriter } from "./replay-log.ts";

export interface RenewOptions {
  readonly pacer?: Pacer | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Puts an index made from the packs in the place of the one in use. @throws ABORTED, STORE_CLOSED, LOG_DAMAGED, DRIVES_MISSING, DRIVE_FULL */
export async function renewIndex(set: OpenSet, options: RenewOptions = {}): Promise<void> {
  let adopted: Promise<void> = Promise.resolve();
  const beside = await makeBeside(set, options, (index) => {
    adopted = index.adopt();
  });
  try {
    await adopted;
  } finally {
    await beside.close();
  }
}

/**
 * An index made from the packs: at the moment in which `whenEven` is called, nothing is in flight and it holds just what is committed.
 * @throws ABORTED, STORE_CLOSED, LOG_DAMAGED, DRIVES_MISSING, DRIVE_FULL
 */
export async function makeBeside(set: OpenSet, options: RenewOptions, whenEven: (index: BesideIndex) => void): Promise<BesideIndex> {
  const { renewal } = set.context.index;
  invariant(renewal !== undefined, "an index that is made anew lies on a drive");
  const beside = await renewal.openBeside();
  try {
    await set.exclusive(async () => {
      const reader = new PackReader(set, new IndexWriter(beside), beside, options);
      // Each round has less to read than the one before, unless packs are filled faster than they are read.
      for (let round = 0; round < roundsMax && reader.hasMore; round++) await reader.readFull();
      await set.quiesce(async () => {
        await reader.readFull();
        await reader.readActive();
        whenEven(beside);
      });
    });
    return beside;
  } catch (error) {
    await beside.close();
    throw error;
  }
}

/** Rounds before commits have to wait for the rest. */
const roundsMax = 3;

class PackReader {
  readonly #set: OpenSet;
  readonly #writer: IndexWriter;
  readonly #index: BesideIndex;
  readonly #options: RenewOptions;
  /** The last pack that was read. */
  #pack = 0;

  constructor(set: OpenSet, writer: IndexWriter, index: BesideIndex, options: RenewOptions) {
    this.#set = set;
    this.#writer = writer;
    this.#index = index;
    this.#options = options;
  }

  /** Whether there are packs that take no more and have not been read. */
  get hasMore(): boolean {
    return this.#pack + 1 < this.#set.activePack;
  }

  /** Every pack that takes no more now and has not been read yet. */
  async readFull(): Promise<void> {
    const { context } = this.#set;
    const { activePack } = this.#set;
    while (this.#pack + 1 < activePack) {
      this.#pack++;
      if (context.retired.has(this.#pack)) continue;
      const frames = await this.#read(this.#pack);
      if (frames === 0 && !context.settings.acceptLoss) throw lostPacks(context, [this.#pack]);
    }
  }

  /** What is committed of the pack being filled. */
  async readActive(): Promise<void> {
    const { activePack, context } = this.#set;
    await this.#read(activePack);
    if (this.#writer.lastSequence !== this.#set.status().sequence && !context.settings.acceptLoss) throw lostPacks(context, [activePack]);
    this.#writer.flush();
  }

  async #read(pack: number): Promise<number> {
    const { pacer = unhurried, signal } = this.#options;
    throwIfAborted(signal);
    const { entries } = await this.#set.framesOf(pack);
    for (const entry of entries) {
      this.#writer.add(entry);
      await this.#index.pressure();
    }
    await pacer.spend(
      entries.reduce((sum, { header }) => sum + header.recordsBytes, 0),
      signal,
    );
    return entries.length;
  }
}
