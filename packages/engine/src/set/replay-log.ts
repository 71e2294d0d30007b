/**
 * Brings the index to the end of the log: everything behind the last sequence it holds is applied again, from footers where packs are
 * sealed and from frames where they are not. An empty index is rebuilt from the first pack on.
 */
import type { FooterEntry } from "../format/footer.ts";
import type { IndexMutation } from "../index/ordered-index.ts";
import { replayBatch } from "./batch-records.ts";
import { appliedKey, decodeApplied, encodeApplied } from "./index-entry.ts";
import { firstSequenceOf, listPacks, readFooter, scanEntries } from "./pack-entries.ts";
import type { RecoveredLog } from "./recover-log.ts";
import type { SetContext } from "./set-context.ts";

/** Mutations gathered before the index is written. */
const mutationsPerWrite = 4096;

/** How far a replay is. */
export interface ReplayProgress {
  readonly packsDone: number;
  readonly packs: number;
}

/** The last sequence the index holds. */
function appliedSequence(context: Pick<SetContext, "index">): number {
  return decodeApplied(context.index.get(appliedKey));
}

export async function replayLog(context: SetContext, log: RecoveredLog, onProgress?: (progress: ReplayProgress) => void): Promise<void> {
  const { tail } = log;
  let applied = appliedSequence(context);
  if (applied > tail.committedSequence || applied < context.retired.throughSequence) {
    // The drives were set back to an older state than the index has seen, e.g. from a backup; or the index was, and packs it lacks have
    // been compacted away since, with deletes that only what is as old as they were needs. The packs are the truth.
    context.index.clear();
    applied = 0;
  }
  if (applied === tail.committedSequence) return;
  const packs = await packsBehind(context, log, applied);
  const writer = new IndexWriter(context);
  let packsDone = 0;
  for (const { pack, belowSequence } of packs) {
    for (const entry of await packEntries(context, log, pack, belowSequence)) {
      const { sequence } = entry.header;
      if (sequence > applied && sequence <= tail.committedSequence) writer.add(entry);
      await context.index.pressure();
    }
    packsDone++;
    onProgress?.({ packsDone, packs: packs.length });
  }
  writer.flush();
}

interface PackToReplay {
  readonly pack: number;
  readonly belowSequence: number;
}

/** The packs that hold batches behind `applied`, ascending: looked for from the last one back. */
async function packsBehind(context: SetContext, log: RecoveredLog, applied: number): Promise<PackToReplay[]> {
  const packs = (await listPacks(context)).filter((pack) => pack <= log.lastPack.pack);
  const found: PackToReplay[] = [];
  let belowSequence = Number.POSITIVE_INFINITY;
  for (const pack of packs.reverse()) {
    found.unshift({ pack, belowSequence });
    const first = await firstSequenceOf(context, pack, { ...log.bounds, belowSequence });
    if (first === undefined) continue;
    if (first <= applied + 1) break;
    belowSequence = first;
  }
  return found;
}

async function packEntries(context: SetContext, log: RecoveredLog, pack: number, belowSequence: number): Promise<readonly FooterEntry[]> {
  if (pack === log.lastPack.pack) return log.lastPack.entries;
  const footer = await readFooter(context, pack);
  return footer?.entries ?? (await scanEntries(context, pack, { ...log.bounds, belowSequence })).entries;
}

/** Gathers the changes of many batches for one write of the index. */
class IndexWriter {
  readonly #context: SetContext;
  #mutations: IndexMutation[] = [];
  #sequence = 0;

  constructor(context: SetContext) {
    this.#context = context;
  }

  add(entry: FooterEntry): void {
    for (const mutation of replayBatch(entry.header, entry.records)) this.#mutations.push(mutation);
    this.#sequence = entry.header.sequence;
    if (this.#mutations.length >= mutationsPerWrite) this.flush();
  }

  flush(): void {
    if (this.#sequence === 0) return;
    this.#mutations.push({ key: appliedKey, value: encodeApplied(this.#sequence) });
    this.#context.index.write(this.#mutations);
    this.#mutations = [];
    this.#sequence = 0;
  }
}
