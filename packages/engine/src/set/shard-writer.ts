/**
 * One shard file of a blob on its way to its drive. What is to be written is queued and done in order; the drive may take its time.
 *
 *   open → finished (durable under its name)
 *        → lost (the drive failed or is gone, or was given up): nothing more is written, and the unfinished file is removed once the drive
 *          has answered what it was asked
 *
 * Bytes handed in are let go when they are written, or when the shard is lost: what a drive that hangs still reads of them later goes to a
 * file that never gets a name. A `finish` that is under way when the shard is given up cannot be taken back: `onFinishedLate` tells of it.
 */
import type { Drive, NewFile } from "../drive/drive.ts";
import type { Member } from "./member.ts";

export interface ShardWriterEvents {
  /** Something was written, finished, or failed. */
  onProgress(): void;
  /** The drive failed. Not called when it is gone or was given up. */
  onFailure(member: Member, error: unknown): void;
  /** The file got its name after the shard was given up. */
  onFinishedLate(): Promise<void>;
}

export class ShardWriter {
  readonly slot: number;
  readonly member: Member;
  readonly drive: Drive;
  /** Left behind by the others: not waited for until it has caught up. */
  isLagging = false;
  state: "open" | "finished" | "lost" = "open";
  readonly #name: string;
  readonly #events: ShardWriterEvents;
  #file: NewFile | undefined;
  #isFinishing = false;
  /** Bytes handed in and not let go, by what is called to let them go. */
  readonly #held = new Set<() => void>();
  #queue: Promise<void>;
  #ended: Promise<void> | undefined;
  #queued = 0;

  constructor(place: { slot: number; member: Member; drive: Drive; name: string; header: Uint8Array }, events: ShardWriterEvents) {
    this.slot = place.slot;
    this.member = place.member;
    this.drive = place.drive;
    this.#name = place.name;
    this.#events = events;
    this.#queue = Promise.resolve();
    this.#enqueue(async () => {
      this.#file = await this.drive.create(place.name);
      await this.#file.write([place.header]);
    });
  }

  /** Pieces of work handed in and not done. */
  get queued(): number {
    return this.#queued;
  }

  /** False when another drive, or none, is in its place. */
  get isHere(): boolean {
    return this.member.drive === this.drive;
  }

  /** Appends the buffers; `release` is called once they are no longer needed. */
  append(buffers: readonly Uint8Array[], release: () => void): void {
    this.#held.add(release);
    this.#enqueue(async () => {
      await this.#file?.write(buffers);
      if (this.#held.delete(release)) release();
    });
  }

  /** Makes the file durable under its name, after all that was appended. */
  finish(): void {
    this.#enqueue(async () => {
      this.#isFinishing = true;
      await this.#file?.finish();
      if (this.state === "lost") await this.#events.onFinishedLate();
      else this.state = "finished";
    });
  }

  /** Gives the shard up. Whoever waits for the drive goes on without it. */
  giveUp(): void {
    if (this.state !== "open") return;
    this.state = "lost";
    for (const release of this.#held) release();
    this.#held.clear();
    this.#ended = this.#queue.then(() => (this.#isFinishing ? undefined : this.#file?.abort()));
  }

  /** Leaves nothing behind; resolves when the drive has done so. */
  async remove(): Promise<void> {
    this.giveUp();
    if (this.state === "finished") await this.drive.remove(this.#name).catch(() => undefined);
    else await this.#ended;
  }

  #enqueue(work: () => Promise<void>): void {
    this.#queued++;
    this.#queue = this.#queue.then(async () => {
      try {
        if (this.state === "open") await work();
      } catch (error) {
        this.#fail(error);
      }
      this.#queued--;
      this.#events.onProgress();
    });
  }

  #fail(error: unknown): void {
    const wasOpen = this.state === "open";
    // A failed finish leaves nothing behind by itself.
    this.#isFinishing = false;
    this.giveUp();
    if (wasOpen && this.isHere) this.#events.onFailure(this.member, error);
  }
}
