/**
 * Brings the index to the end of the log: everything behind the last sequence it holds is applied again, from footers where packs are
 * sealed and from frames where they are not. An empty index is rebuilt from the first pack on.
 */
import { isHoldfastError } from "../base/errors.ts";
import type { FooterEntry } from "../format/footer.ts";
import type { IndexMutation, OrderedIndex } from "../index/ordered-index.ts";
import { replayBatch } from "./batch-records.ts";
import { appliedKey, decodeApplied, encodeApplied } from "./index-entry.ts";
import { lostPacks } from "./lost-packs.ts";
import { boundedBy, listPacks, type PackStart, packStart, readFooter, scanEntries } from "./pack-entries.ts";
import type { RecoveredLog } from "./recover-log.ts";
import type { ScanBounds } from "./scan-pack.ts";
import type { SetContext } from "./set-context.ts";

/** Mutations gathered before the index is written. */
const mutationsPerWrite = 4096;

/** How far a replay is. */
export interface ReplayProgress {
  readonly packsDone: number;
  readonly packs: number;
}

/**
 * @throws LOG_DAMAGED, DRIVES_MISSING when frames that have to be replayed are nowhere; the index is then not brought past them
 */
export async function replayLog(context: SetContext, log: RecoveredLog, onProgress?: (progress: ReplayProgress) => void): Promise<void> {
  try {
    await new Replay(context, log, onProgress).run(context.index);
  } catch (error) {
    const { renewal } = context.index;
    if (renewal === undefined || !isHoldfastError(error, "INDEX_DAMAGED")) throw error;
    const beside = await renewal.openBeside();
    try {
      await new Replay(context, log, onProgress).run(beside);
      await beside.adopt();
    } finally {
      await beside.close();
    }
  }
}

/** The last sequence an index holds. */
function appliedSequence(index: OrderedIndex): number {
  return decodeApplied(index.get(appliedKey));
}

class Replay {
  readonly #context: SetContext;
  readonly #log: RecoveredLog;
  readonly #onProgress: ((progress: ReplayProgress) => void) | undefined;
  /** Packs of which not everything is there. */
  readonly #lost = new Set<number>();

  constructor(context: SetContext, log: RecoveredLog, onProgress: ((progress: ReplayProgress) => void) | undefined) {
    this.#context = context;
    this.#log = log;
    this.#onProgress = onProgress;
  }

  async run(index: OrderedIndex): Promise<void> {
    const { committedSequence } = this.#log.tail;
    let applied = appliedSequence(index);
    if (applied > committedSequence || applied < this.#context.retired.throughSequence || (applied === 0 && index.count() > 0)) {
      // The drives were set back to an older state than the index has seen, e.g. from a backup; or the index was, and packs it lacks have
      // been compacted away since, with deletes that only what is as old as they were needs. The packs are the truth.
      index.clear();
      applied = 0;
    }
    if (applied === committedSequence) return;
    const packs = await this.#packsBehind(applied);
    const writer = new IndexWriter(index);
    let packsDone = 0;
    for (const pack of packs) {
      for (const entry of await this.#entriesOf(pack)) {
        // Of an index that has come past what is lost no later opening could tell.
        if (this.#isRefused()) break;
        const { sequence } = entry.header;
        if (sequence > applied && sequence <= committedSequence) writer.add(entry);
        await index.pressure();
      }
      packsDone++;
      this.#onProgress?.({ packsDone, packs: packs.length });
    }
    // The last committed batch is in the log, whatever has been given up.
    if (this.#lost.size === 0 && writer.lastSequence !== committedSequence) this.#lost.add(packs.at(-1)?.pack ?? this.#log.lastPack.pack);
    if (this.#isRefused())
      throw lostPacks(
        this.#context,
        [...this.#lost].sort((a, b) => a - b),
      );
    writer.flush();
  }

  #isRefused(): boolean {
    return this.#lost.size > 0 && !this.#context.settings.acceptLoss;
  }

  /**
   * The packs that hold batches behind `applied`, ascending: looked for from the last one back. Packs have consecutive numbers, and every one
   * below the last has frames: where one has none, or is nowhere, without having been retired, it is lost.
   */
  async #packsBehind(applied: number): Promise<PackToReplay[]> {
    const context = this.#context;
    const { lastPack } = this.#log;
    const there = new Set(await listPacks(context));
    const found: PackToReplay[] = [];
    let bounds: ScanBounds = { ...this.#log.bounds, belowSequence: this.#log.tail.committedSequence + 1 };
    let next: PackStart | undefined;
    for (let pack = lastPack.pack; pack >= firstPack; pack--) {
      if (context.retired.has(pack)) continue;
      if (next !== undefined) bounds = boundedBy(bounds, pack, next);
      const start = there.has(pack) ? await packStart(context, pack, bounds) : undefined;
      if (start === undefined && pack < lastPack.pack) this.#lost.add(pack);
      if (there.has(pack)) found.unshift({ pack, bounds });
      if (start === undefined) continue;
      if (start.sequence <= applied + 1) break;
      next = start;
    }
    return found;
  }

  async #entriesOf({ pack, bounds }: PackToReplay): Promise<readonly FooterEntry[]> {
    const { lastPack } = this.#log;
    if (pack === lastPack.pack) return lastPack.entries;
    const footer = await readFooter(this.#context, pack);
    if (footer !== undefined) return footer.entries;
    try {
      return (await scanEntries(this.#context, pack, bounds)).entries;
    } catch (error) {
      if (!isHoldfastError(error, "LOG_DAMAGED")) throw error;
      this.#lost.add(pack);
      return [];
    }
  }
}

interface PackToReplay {
  readonly pack: number;
  readonly bounds: ScanBounds;
}

/** The number of a set's first pack. */
const firstPack = 1;

/** Gathers the changes of many batches for one write of the index. */
export class IndexWriter {
  readonly #index: OrderedIndex;
  #mutations: IndexMutation[] = [];
  #sequence = 0;
  /** Of the last batch added. */
  lastSequence = 0;

  constructor(index: OrderedIndex) {
    this.#index = index;
  }

  add(entry: FooterEntry): void {
    for (const mutation of replayBatch(entry.header, entry.records)) this.#mutations.push(mutation);
    this.#sequence = entry.header.sequence;
    this.lastSequence = this.#sequence;
    if (this.#mutations.length >= mutationsPerWrite) this.flush();
  }

  flush(): void {
    if (this.#sequence === 0) return;
    this.#mutations.push({ key: appliedKey, value: encodeApplied(this.#sequence) });
    this.#index.write(this.#mutations);
    this.#mutations = [];
    this.#sequence = 0;
  }
}
