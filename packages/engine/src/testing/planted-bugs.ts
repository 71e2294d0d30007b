/**
 * Known-bad variants of the engine, to test the tests: each must be caught by the suite named with it. A variant is one exact piece of
 * source text replaced by another while vitest loads the file (`HOLDFAST_PLANT=name`, see vitest.config.ts); nothing of it is in the
 * engine itself. Where a piece is no longer found, the variant has to be written anew: change it together with the code.
 */
export interface PlantedBug {
  readonly name: string;
  /** Below packages/engine. */
  readonly file: string;
  /** Occurs exactly once in the file. */
  readonly find: string;
  readonly replace: string;
  /** The test file that must fail, and what it is run with. */
  readonly suite: string;
  /** Part of the name of the tests to run; all of the file by default. */
  readonly tests?: string;
  readonly env?: Readonly<Record<string, string>>;
}

const recoveryCases = "src/set/recovery-cases.test.ts";

/** Power cuts in scenarios with this in their name. */
function cuts(scenario: string): Pick<PlantedBug, "suite" | "env" | "tests"> {
  return { suite: "test/crash-points.test.ts", env: { HOLDFAST_CRASH: JSON.stringify({ scenario, images: 4 }) }, tests: scenario };
}

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: "skip the sync of a frame",
    file: "src/set/flight.ts",
    find: 'if (context.settings.durability === "full") return file.writeDurable(header.position, buffers);',
    replace: "if (header.position >= 0) return file.write(header.position, buffers);",
    ...cuts("put small"),
  },
  {
    name: "acknowledge one drive early",
    file: "src/set/quorum.ts",
    find: "if (counts.every((count) => count.durable >= count.threshold)) this.#settle(true);",
    replace: "if (counts.every((count) => count.durable + 1 >= count.threshold)) this.#settle(true);",
    ...cuts("put small"),
  },
  {
    name: "acknowledge at k - 1 shards",
    file: "src/set/quorum.ts",
    find: "this.#shards = { durable: 0, waiting: expected.shards, threshold: expected.shardThreshold };",
    replace: "this.#shards = { durable: 0, waiting: expected.shards, threshold: expected.shardThreshold - 2 };",
    ...cuts("put small"),
  },
  {
    name: "accept frames of an old epoch",
    file: "src/set/scan-pack.ts",
    find: "const wasCut = header.epoch < this.#bounds.epoch && header.sequence >= this.#bounds.firstSequence;",
    replace: "const wasCut = header.sequence < 0;",
    ...cuts("two of six drives away"),
  },
  {
    name: "forget to cut what is taken back",
    file: "src/set/retract.ts",
    find: "await member.enqueue(() => cutPack(member, pack, position));",
    replace: "",
    ...cuts("writes taken back"),
  },
  {
    name: "go on in the old pack after an unclean end",
    file: "src/set/recover-log.ts",
    find: "if (end.position > 0) startNextPack(tail);",
    replace: "",
    suite: recoveryCases,
  },
  {
    name: "ignore the checksum of a payload",
    file: "src/set/read-packed.ts",
    find: "if (matchesChecksum(this.#location.checksum, 0, bytes)) return bytes;",
    replace: "if (bytes.byteLength >= 0) return bytes;",
    suite: "src/set/bit-rot.test.ts",
  },
  {
    name: "ignore the checksum of records",
    file: "src/set/scan-pack.ts",
    find: "if (records !== undefined && matchesChecksum(header.recordsChecksum, 0, records)) return records;",
    replace: "if (records !== undefined) return records;",
    suite: "src/set/bit-rot.test.ts",
  },
  {
    name: "take damage in the middle of the log for its tail",
    file: "src/set/recover-log.ts",
    find: "if (!context.settings.acceptLoss && (await scan.hasLaterFrame())) throw damagedPack(pack, scan.position);",
    replace: "",
    suite: "src/set/bit-rot.test.ts",
  },
  {
    name: "skip the promise of an epoch",
    file: "src/set/recover-log.ts",
    find: "if (told >= needed) told = await promiseEpoch(context, epoch);",
    replace: "",
    suite: recoveryCases,
  },
  {
    name: "leave doubtful frames as they are at recovery",
    file: "src/set/recover-log.ts",
    find: "for (const frame of next.doubtful) await rewriteFrame(context, frame);",
    replace: "",
    ...cuts("put small"),
  },
  {
    name: "apply a batch to the index before it is committed",
    file: "src/set/committer.ts",
    find: "    this.#flights.push(flight);",
    replace:
      "    this.#flights.push(flight);\n    this.#context.index.write(batch.changes.map((change) => indexMutation(change.key, change.entry)));",
    suite: "src/set/transactions.test.ts",
  },
  {
    name: "forget what is placed and not yet committed",
    file: "src/set/batch.ts",
    find: "      this.#overlay.add(this.#batch, change);\n",
    replace: "",
    suite: "src/set/transactions.test.ts",
  },
  {
    name: "remove blobs that are named",
    file: "src/set/blob-store.ts",
    find: "if (blob !== undefined && !this.#isKnown(blob)) await drive.remove(path);",
    replace: "if (blob !== undefined) await drive.remove(path);",
    ...cuts("put large"),
  },
  {
    name: "leave blobs that nothing names",
    file: "src/set/blob-store.ts",
    find: "if (blob !== undefined && !this.#isKnown(blob)) await drive.remove(path);",
    replace: "",
    ...cuts("put large"),
  },
  {
    name: "write on to a drive whose sync failed",
    file: "src/drive/local-context.ts",
    find: "if (call.mutates && fatal) this.#failure ??= mapped;",
    replace: "",
    suite: "src/drive/local-drive.test.ts",
  },
  {
    name: "remove packs without having retired them durably",
    file: "src/set/retired-packs.ts",
    find: "more.throughSequence);\n    await this.#writeToEnough(context);",
    replace: "more.throughSequence);",
    suite: "src/set/compaction-crashes.test.ts",
  },
  {
    name: "drop deletes that an older pack still needs",
    file: "src/set/compact-set.ts",
    find: "await carryDeletes(this.#set, this.#victims.numbers, lowest, { pacer, signal });",
    replace: "",
    suite: "src/set/compact-set.test.ts",
  },
  {
    name: "recover from packs that are retired",
    file: "src/set/retired-packs.ts",
    find: "return rangeWith(this.#ranges, pack) !== undefined;",
    replace: "return pack < 0;",
    suite: "src/set/compaction.property.test.ts",
  },
  {
    name: "seal a pack on a drive that lacks frames of it",
    file: "src/set/seal-pack.ts",
    find: "if (!member.takesRepairs || full.pack < member.wholeFrom || member.lacking.has(full.pack)) return;",
    replace: "if (!member.takesRepairs) return;",
    suite: "src/set/heal-crash.test.ts",
  },
  {
    name: "let a drive vote that does not hold everything",
    file: "src/set/member.ts",
    find: "return this.#drive !== undefined && !this.fresh;",
    replace: "return this.#drive !== undefined;",
    suite: "src/set/heal-set.test.ts",
  },
  {
    name: "call a drive healed that could not be",
    file: "src/set/heal-set.ts",
    find: "else this.#unhealed.add(patient);",
    replace: "",
    suite: "src/set/heal-set.test.ts",
  },
];

/** A vite plugin that plants one of them. @throws when there is none of this name, or its text is not found exactly once */
export function plantBug(name: string): { name: string; enforce: "pre"; transform(code: string, id: string): string | undefined } {
  const bug = plantedBugs.find((candidate) => candidate.name === name);
  if (bug === undefined) throw new Error(`there is no planted bug "${name}"`);
  return {
    name: "planted-bug",
    enforce: "pre",
    transform(code, id) {
      if (!id.replaceAll("\\", "/").endsWith(`/packages/engine/${bug.file}`)) return undefined;
      const pieces = code.split(bug.find);
      if (pieces.length !== 2) throw new Error(`planted bug "${name}": its text is found ${pieces.length - 1} times in ${bug.file}`);
      return pieces.join(bug.replace);
    },
  };
}
