/**
 * The packs of a set that compaction has emptied: what was live in them has been written again, so whatever drive still has one (it was
 * away, or the power went) is told to remove it, and no recovery reads it.
 *
 * Every drive has the list in a small file. A retirement counts once so many voting drives have it that any drives the set is opened with
 * include one of them (`witnessThreshold`); only then is a pack removed. What only fewer drives have is true all the same: nothing
 * was written to any of them before everything live was committed elsewhere, so an opening may go by the lists together, whichever drives it sees.
 */
import { HoldfastError, isHoldfastError } from "../base/errors.ts";
import type { SetId } from "../base/ids.ts";
import type { Drive } from "../drive/drive.ts";
import { packFileName, packsFolder, parsePackFileName } from "../format/pack-name.ts";
import { encodeRetired, type PackRange, parseRetired } from "../format/retired.ts";
import type { ErasureProfile } from "./erasure-set.ts";
import type { Member } from "./member.ts";
import { countedDrives, witnessThreshold } from "./quorum.ts";

interface Home {
  readonly id: SetId;
  readonly members: readonly Member[];
  readonly profile: ErasureProfile;
}

const retiredFileName = "retired";

export class RetiredPacks {
  #ranges: readonly PackRange[] = [];
  #throughSequence = 0;

  /** No retired pack has a batch above this sequence: an index that has not come so far has to be made anew. */
  get throughSequence(): number {
    return this.#throughSequence;
  }

  has(pack: number): boolean {
    return rangeWith(this.#ranges, pack) !== undefined;
  }

  /** Reads what the drives say, all together. @throws FORMAT_TOO_NEW */
  async load(context: Pick<Home, "id" | "members">): Promise<void> {
    for (const { drive } of context.members) {
      const bytes = await drive?.readFile(retiredFileName).catch(() => undefined);
      const list = bytes === undefined ? undefined : parseRetired(bytes);
      if (list === undefined || list.setId !== context.id) continue;
      this.#ranges = union([...this.#ranges, ...list.ranges]);
      this.#throughSequence = Math.max(this.#throughSequence, list.throughSequence);
    }
  }

  /**
   * Retires packs, durably. Whatever is live in them must be committed elsewhere, and no delete in them may be needed any more.
   * @throws WRITE_QUORUM_LOST when too few drives took it: then no pack may be removed
   */
  async retire(context: Home, more: { readonly packs: Iterable<number>; readonly throughSequence: number }): Promise<void> {
    this.#ranges = union([...this.#ranges, ...[...more.packs].map((pack) => ({ first: pack, last: pack }))]);
    this.#throughSequence = Math.max(this.#throughSequence, more.throughSequence);
    await this.#writeToEnough(context);
  }

  /** Resolves as soon as enough drives have it: a drive that hangs holds nobody up. */
  #writeToEnough(context: Home): Promise<void> {
    const needed = witnessThreshold(countedDrives(context.members), context.profile);
    let waiting = 0;
    let told = 0;
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        if (told >= needed) resolve();
        else if (told + waiting < needed) reject(tooFew(told, needed));
      };
      for (const member of context.members) {
        if (!member.takesRepairs) continue;
        const { votes } = member;
        if (votes) waiting++;
        void this.#writeToMember(context, member).then((done) => {
          if (!votes) return;
          waiting--;
          if (done && member.votes) told++;
          settle();
        });
      }
      settle();
    });
  }

  /** Gives a member the list; false when it could not be written. */
  async #writeToMember(context: Pick<Home, "id">, member: Member): Promise<boolean> {
    try {
      await member.enqueue((drive) => this.writeTo(context, drive));
      return true;
    } catch (error) {
      member.noteWriteFailure(error);
      return false;
    }
  }

  /** Gives a drive the list, unless it has it already. A drive that joins gets it before it votes. */
  async writeTo(context: Pick<Home, "id">, drive: Drive): Promise<void> {
    if (this.#ranges.length === 0) return;
    const bytes = encodeRetired({ setId: context.id, throughSequence: this.#throughSequence, ranges: this.#ranges });
    const known = await drive.readFile(retiredFileName).catch(() => undefined);
    if (known !== undefined && Buffer.compare(known, bytes) === 0) return;
    await drive.replaceFile(retiredFileName, bytes);
  }

  /**
   * Finishes what a crash or an absence has left: gives every drive the list, then removes retired packs wherever they still lie.
   * @throws WRITE_QUORUM_LOST
   */
  async settle(context: Home): Promise<void> {
    if (this.#ranges.length === 0) return;
    await this.#writeToEnough(context);
    await Promise.all(context.members.map((member) => this.#removeFrom(member)));
  }

  async #removeFrom(member: Member): Promise<void> {
    const names = (await member.drive?.list(packsFolder).catch(() => [])) ?? [];
    const packs = names.map((name) => parsePackFileName(name)).filter((pack) => pack !== undefined && this.has(pack)) as number[];
    for (const pack of packs) await removePack(member, pack);
  }
}

/** Removes a member's copy of a pack, after everything that is being written to it. */
export async function removePack(member: Member, pack: number): Promise<void> {
  member.lacking.delete(pack);
  if (!member.takesRepairs) return;
  try {
    await member.enqueue((drive) => {
      member.forgetPack(pack);
      return drive.remove(packFileName(pack));
    });
    // Somebody may have opened it meanwhile, which would keep its space.
    member.forgetPack(pack);
    member.lacking.delete(pack);
  } catch (error) {
    if (!isHoldfastError(error, "DRIVES_MISSING")) member.noteWriteFailure(error);
  }
}

function tooFew(told: number, needed: number): HoldfastError {
  return new HoldfastError(
    "WRITE_QUORUM_LOST",
    `only ${told} drives could be told which packs are retired, ${needed} are needed; bring drives back`,
    {
      details: { available: told, needed, indeterminate: false },
    },
  );
}

function rangeWith(ranges: readonly PackRange[], pack: number): PackRange | undefined {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ranges[middle] as PackRange).last < pack) low = middle + 1;
    else high = middle;
  }
  const range = ranges[low];
  return range !== undefined && range.first <= pack ? range : undefined;
}

/** The same packs in as few ranges as possible, ascending. */
function union(ranges: readonly PackRange[]): PackRange[] {
  const merged: { first: number; last: number }[] = [];
  for (const { first, last } of [...ranges].sort((a, b) => a.first - b.first)) {
    const before = merged.at(-1);
    if (before !== undefined && first <= before.last + 1) before.last = Math.max(before.last, last);
    else merged.push({ first, last });
  }
  return merged;
}
