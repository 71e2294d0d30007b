/**
 * The shards of one blob as they are written side by side: who is waited for, who may lag, who is left out.
 *
 * Enough of them, the threshold of `quorum.ts`, must keep up. Once those have done what there is to do, the others get a grace; then they
 * lag, and are not waited for any more while they catch up. One that lags more than `lagStripesMax` stripes is left out, and so is everyone
 * who is not finished a grace after enough are. While fewer than enough keep up, everybody is waited for.
 */
import { HoldfastError, isHoldfastError } from "../base/errors.ts";
import type { Drive } from "../drive/drive.ts";
import { type BlobId, shardFileName } from "../format/blob-name.ts";
import { driveOfSlot, type StripeLayout } from "../format/layout.ts";
import type { DriveHealth } from "./drive-health.ts";
import type { Member } from "./member.ts";
import type { Waiting } from "./patience.ts";
import { shardThreshold } from "./quorum.ts";
import type { SetContext } from "./set-context.ts";
import { ShardWriter } from "./shard-writer.ts";
import type { StopSignal } from "./stop-signal.ts";

/** Stripes a drive may lag behind the others. */
const lagStripesMax = 4;
/** After the others have written a stripe; a suspect drive gets less. */
const stripeGraceMs = 100;
/** After the others have finished: a sync may take its time. */
const finishGraceMs = 1000;
const suspectGraceMs = 50;
/** How often it is looked whether the drives are still there. */
const lookEveryMs = 250;
/** How long files to be removed are waited for. */
const removeGraceMs = 2000;

export interface CrewOptions {
  readonly health: DriveHealth;
  readonly stop: StopSignal;
  readonly onMissed: (member: Member) => void;
  readonly onFinishedLate: (member: Member, drive: Drive) => Promise<void>;
}

export class ShardCrew {
  readonly #context: SetContext;
  readonly #blob: BlobId;
  readonly #layout: StripeLayout;
  readonly #options: CrewOptions;
  readonly #shards: ShardWriter[] = [];
  readonly #threshold: number;
  #failure: unknown;
  #isRemoving = false;
  #onProgress: () => void = () => undefined;

  constructor(context: SetContext, plan: { readonly blob: BlobId; readonly layout: StripeLayout }, options: CrewOptions) {
    this.#context = context;
    this.#blob = plan.blob;
    this.#layout = plan.layout;
    this.#options = options;
    this.#threshold = shardThreshold(plan.layout, context.settings.survive);
    options.stop.signal.addEventListener("abort", () => this.#onProgress(), { once: true });
  }

  /** Begins the shard of a slot. */
  open(slot: number, header: Uint8Array): void {
    const member = this.#context.members[driveOfSlot(this.#layout, slot)] as Member;
    const { drive } = member;
    if (drive === undefined) {
      this.#failure ??= member.missingError();
      this.#options.onMissed(member);
      return;
    }
    const place = { slot, member, drive, name: shardFileName(this.#blob), header };
    const shard: ShardWriter = new ShardWriter(place, {
      onProgress: () => {
        if (shard.queued === 0) shard.isLagging = false;
        this.#onProgress();
      },
      onFailure: (failing, error) => {
        this.#failure ??= error;
        this.#options.onMissed(failing);
        failing.noteWriteFailure(error);
      },
      onFinishedLate: async () => {
        if (this.#isRemoving) await drive.remove(place.name).catch(() => undefined);
        else await this.#options.onFinishedLate(member, drive);
      },
    });
    this.#shards.push(shard);
  }

  /** Those that are still being written. */
  get atWork(): readonly ShardWriter[] {
    return this.#shards.filter((shard) => shard.state === "open");
  }

  get isLagging(): boolean {
    return this.#shards.some((shard) => shard.state === "open" && shard.isLagging);
  }

  /**
   * Resolves when everybody has done what there is to do, but for those who lag.
   * @throws WRITE_QUORUM_LOST, DRIVE_FULL when too few shards are left; ABORTED, STORE_CLOSED
   */
  caughtUp(): Promise<void> {
    for (const shard of this.atWork) if (shard.isLagging && shard.queued > lagStripesMax) this.#leaveOut(shard);
    return this.#wait(stripeGraceMs, (shard) => {
      shard.isLagging = true;
    });
  }

  /** Makes the shards durable; those who are not finished a grace after enough others are left out. @throws as `caughtUp` */
  async finish(): Promise<void> {
    for (const shard of this.atWork) {
      shard.isLagging = false;
      shard.finish();
    }
    await this.#wait(finishGraceMs, (shard) => this.#leaveOut(shard));
  }

  /** Leaves out those who lag, where enough others keep up. */
  leaveLaggardsOut(): void {
    for (const shard of this.atWork) if (shard.isLagging) this.#leaveOut(shard);
  }

  /** Removes every file; those of drives that do not answer are removed when they do. */
  async remove(): Promise<void> {
    this.#isRemoving = true;
    const { patience } = this.#options.health;
    await patience.until(Promise.all(this.#shards.map((shard) => shard.remove())), this.#options.health.nowMs() + removeGraceMs);
  }

  async #wait(graceMs: number, onLate: (shard: ShardWriter) => void): Promise<void> {
    const { health, stop } = this.#options;
    const startMs = health.nowMs();
    let enoughSinceMs: number | undefined;
    for (;;) {
      stop.check();
      this.#checkQuorum();
      const busy = this.atWork.filter((shard) => shard.queued > 0);
      const kept = this.#shards.filter((shard) => shard.state !== "lost").length - busy.length;
      const awaited = kept >= this.#threshold ? busy.filter((shard) => !shard.isLagging) : busy;
      if (awaited.length === 0) return;
      const nowMs = health.nowMs();
      enoughSinceMs = kept >= this.#threshold ? (enoughSinceMs ?? nowMs) : undefined;
      // Who needs twice the time the others took is slow, whatever the grace.
      const graceEndMs = (since: number, shard: ShardWriter): number =>
        since + (shard.member.state === "suspect" ? suspectGraceMs : Math.max(graceMs, since - startMs));
      let nextMs = nowMs + lookEveryMs;
      for (const shard of awaited) {
        if (enoughSinceMs === undefined) continue;
        const endMs = graceEndMs(enoughSinceMs, shard);
        if (nowMs >= endMs) onLate(shard);
        else nextMs = Math.min(nextMs, endMs);
      }
      if (enoughSinceMs !== undefined && awaited.every((shard) => shard.isLagging || shard.state === "lost")) return;
      await this.#progress(nextMs);
    }
  }

  /** Resolves when a shard has got on, the work is stopped, or the time has come. */
  #progress(untilMs: number): Promise<void> {
    const { patience } = this.#options.health;
    return new Promise((resolve) => {
      const waiting: Waiting = { dueMs: untilMs, onLate: () => this.#onProgress() };
      this.#onProgress = () => {
        this.#onProgress = () => undefined;
        patience.forget(waiting);
        resolve();
      };
      patience.watch(waiting);
    });
  }

  #leaveOut(shard: ShardWriter): void {
    const others = this.#shards.filter((other) => other !== shard && other.state !== "lost" && !other.isLagging);
    if (others.length < this.#threshold) return;
    this.#options.health.noteLag(shard.member);
    this.#lose(shard);
  }

  #lose(shard: ShardWriter): void {
    shard.giveUp();
    this.#options.onMissed(shard.member);
  }

  #checkQuorum(): void {
    for (const shard of this.atWork) {
      if (shard.isHere) continue;
      this.#failure ??= shard.member.missingError();
      this.#lose(shard);
    }
    const left = this.#shards.filter((shard) => shard.state !== "lost").length;
    if (left >= this.#threshold) return;
    if (isHoldfastError(this.#failure, "DRIVE_FULL")) throw this.#failure;
    throw new HoldfastError(
      "WRITE_QUORUM_LOST",
      `only ${left} of ${this.#layout.data + this.#layout.parity} drives took the object, and nothing of it was kept; bring drives back`,
      { cause: this.#failure, details: { indeterminate: false } },
    );
  }
}
