/**
 * Group commit. Operations are decided on arrival, in order, and gather in a batch; while one batch is being written the next one fills.
 *
 *   arrive → decide → batch (filling) → closed (ready) → flight: laid out, written to every drive → acknowledged by the quorum →
 *   committed in order: index, then answers
 *
 * At most `batchesInFlightMax` batches are written and not yet committed; recovery counts on that. An idle set writes a lone operation at
 * once; a busy one lets the batch fill while the last one syncs.
 *
 * When a batch cannot reach its quorum it is retracted: cut from every drive it may have reached, under a new epoch where a drive cannot be
 * asked. Then nothing of it has happened. Where even that fails the set takes no more writes until it is opened again, which decides.
 */
import { HoldfastError, throwIfAborted } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import { batchesInFlightMax, operationRecordsMax } from "../base/limits.ts";
import { Batch, BatchTransaction, Overlay, type Waiter } from "./batch.ts";
import { footerEntry } from "./encode-batch.ts";
import type { CommitOptions, ErasureProfile, SetOperation } from "./erasure-set.ts";
import { type Flight, markCommitted, startFlight } from "./flight.ts";
import { appliedKey, batchRecordsMax, encodeApplied, indexMutation, sequenceAbove } from "./index-entry.ts";
import { addToFooter, type LogTail, startNextPack } from "./log-tail.ts";
import { retract } from "./retract.ts";
import { sealPack } from "./seal-pack.ts";
import type { SetContext } from "./set-context.ts";
import type { SpaceGuard } from "./space-guard.ts";

/** Closed batches that wait for their turn; operations beyond them wait undecided. */
const readyBatchesMax = 4;
/** A second batch is written beside the first only when it is worth a sync of its own. */
const secondFlightOperationsMin = 64;
const secondFlightBytesMin = 1024 * 1024;

interface Request {
  readonly operation: SetOperation<unknown>;
  readonly answer: (value: unknown) => void;
  readonly refuse: (error: unknown) => void;
  readonly signal: AbortSignal | undefined;
  /** Its order must be above this one. */
  readonly orderAbove: number;
  readonly usesReserve: boolean;
}

export class Committer {
  readonly tail: LogTail;
  readonly #context: SetContext;
  readonly #space: SpaceGuard;
  readonly #overlay = new Overlay();
  readonly #waiting: Request[] = [];
  readonly #ready: Batch[] = [];
  readonly #flights: Flight[] = [];
  readonly #sealing = new Set<Promise<void>>();
  #filling: Batch | undefined;
  #scheduled = false;
  #retracting = false;
  #refusal: HoldfastError | undefined;
  #lastTimeMs = 0;
  #idle: { promise: Promise<void>; resolve: () => void } | undefined;
  /** Set while a quiescence is awaited or used: what arrives waits undecided. */
  #paused = false;
  #onUnplaced: () => void = () => undefined;
  #quiescing: Promise<unknown> = Promise.resolve();

  constructor(context: SetContext, tail: LogTail, parts: { space: SpaceGuard }) {
    this.#context = context;
    this.tail = tail;
    this.#space = parts.space;
  }

  /** Why no write is taken any more, once that is so. */
  get refusal(): HoldfastError | undefined {
    return this.#refusal;
  }

  /** From now on every write is refused with this error; those under way finish. */
  refuseWrites(error: HoldfastError): void {
    this.#refusal ??= error;
  }

  commit<T>(operation: SetOperation<T>, options: CommitOptions): Promise<T> {
    const { signal, orderAbove = 0, usesReserve = false } = options;
    return new Promise<T>((answer, refuse) => {
      throwIfAborted(signal);
      this.#receive({ operation, answer: answer as (value: unknown) => void, refuse, signal, orderAbove, usesReserve });
    });
  }

  #receive(request: Request): void {
    if (this.#waiting.length > 0 || this.#ready.length >= readyBatchesMax || this.#retracting || this.#paused) this.#waiting.push(request);
    else this.#arrive(request);
  }

  /** Runs `work` while no operation is placed and nothing is in flight; what arrives meanwhile waits. One at a time; `work` must not commit. */
  quiesce<T>(work: () => Promise<T>): Promise<T> {
    const quiet = this.#quiescing.then(async () => {
      this.#paused = true;
      try {
        await this.#unplaced();
        return await work();
      } finally {
        this.#paused = false;
        this.#schedule();
      }
    });
    this.#quiescing = quiet.catch(() => undefined);
    return quiet;
  }

  /** Resolves when every quiescence asked for is over. */
  async settled(): Promise<void> {
    await this.#quiescing;
  }

  /** Resolves when nothing is placed any more. */
  #unplaced(): Promise<void> {
    if (this.#isUnplaced()) return Promise.resolve();
    this.#schedule();
    return new Promise((resolve) => {
      this.#onUnplaced = resolve;
    });
  }

  #isUnplaced(): boolean {
    return this.#filling === undefined && this.#ready.length === 0 && this.#flights.length === 0 && !this.#retracting;
  }

  /** Ends the pack being filled, within `quiesce`; resolves when it is sealed. */
  async startNextPack(): Promise<void> {
    const { pack, position, footer } = this.tail;
    if (position === 0) return;
    startNextPack(this.tail);
    await this.#seal({ pack, position, entries: footer });
  }

  /** Resolves when everything placed so far is committed or refused. */
  drain(): Promise<void> {
    if (this.#isIdle()) return Promise.resolve();
    if (this.#idle === undefined) {
      let resolve = (): void => undefined;
      const promise = new Promise<void>((settle) => {
        resolve = settle;
      });
      this.#idle = { promise, resolve };
    }
    return this.#idle.promise;
  }

  /** Resolves when no pack is being sealed. */
  async sealed(): Promise<void> {
    await Promise.all(this.#sealing);
  }

  #isIdle(): boolean {
    return this.#isUnplaced() && this.#waiting.length === 0;
  }

  #arrive(request: Request): void {
    const { operation } = request;
    try {
      throwIfAborted(request.signal);
      if (this.#refusal !== undefined) throw this.#refusal;
      if (operation.payloads !== undefined && operation.payloads.length > 0 && !request.usesReserve) this.#space.check();
      this.#decide(request);
    } catch (error) {
      request.refuse(error);
    }
  }

  /** Decides an operation against everything placed so far, and places it. */
  #decide(request: Request): void {
    const { operation } = request;
    const batch = this.#batchFor(operation.profile ?? this.#context.profile, request.orderAbove);
    const transaction = new BatchTransaction(batch, this.#overlay, this.#context.index);
    let answer: () => void;
    try {
      const value = operation.decide(transaction);
      if (transaction.exposed.size > 0) {
        // It has seen a payload whose place is known only when this batch is written: decide again then.
        answer = () => this.#receive(request);
      } else {
        transaction.place(operation);
        answer = () => request.answer(value);
      }
    } catch (error) {
      // A refusal stands on what it has seen: it is given only once that is durable.
      answer = () => request.refuse(error);
    }
    this.#join(batch, { answer, refuse: request.refuse });
  }

  #join(batch: Batch, waiter: Waiter): void {
    batch.operations++;
    batch.waiters.push(waiter);
    const { batchOperationsMax, batchBytesMax } = this.#context.settings;
    const isFull = batch.operations >= batchOperationsMax || batch.payloadBytes + batch.recordsBytesBound >= batchBytesMax;
    if (isFull || batch.changes.length + operationRecordsMax > batchRecordsMax) this.#closeFilling();
    this.#schedule();
  }

  #batchFor(profile: ErasureProfile, orderAbove: number): Batch {
    const filling = this.#filling;
    const sequenceMin = sequenceAbove(orderAbove);
    const fits = filling !== undefined && filling.profile.data === profile.data && filling.profile.parity === profile.parity;
    if (fits && filling.sequence >= sequenceMin) return filling;
    this.#closeFilling();
    // Sequences may have gaps: only their order counts.
    this.tail.nextSequence = Math.max(this.tail.nextSequence, sequenceMin);
    this.#lastTimeMs = Math.max(this.#lastTimeMs, Math.floor(this.#context.clock.nowMs()));
    this.#filling = new Batch({ sequence: this.tail.nextSequence++, timeMs: this.#lastTimeMs, profile });
    return this.#filling;
  }

  #closeFilling(): void {
    if (this.#filling === undefined) return;
    this.#ready.push(this.#filling);
    this.#filling = undefined;
  }

  /** Looks for work once everything that has already arrived in this turn of the event loop is placed. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    while (!this.#retracting && this.#startNext());
    while (this.#waiting.length > 0 && this.#ready.length < readyBatchesMax && !this.#retracting && !this.#paused) {
      this.#arrive(this.#waiting.shift() as Request);
    }
    if (this.#isUnplaced()) this.#onUnplaced();
    if (this.#idle !== undefined && this.#isIdle()) {
      this.#idle.resolve();
      this.#idle = undefined;
    }
  }

  #startNext(): boolean {
    if (this.#flights.length >= batchesInFlightMax) return false;
    const pressure = this.#context.index.pressure();
    if (pressure !== undefined) {
      void pressure.then(() => this.#schedule());
      return false;
    }
    if (this.#ready.length === 0) {
      const filling = this.#filling;
      if (filling === undefined) return false;
      const worthwhile = filling.operations >= secondFlightOperationsMin || filling.payloadBytes >= secondFlightBytesMin;
      if (this.#flights.length > 0 && !worthwhile) return false;
      this.#closeFilling();
    }
    const batch = this.#ready[0] as Batch;
    const flight = startFlight(this.#context, this.tail, batch, this.#flights);
    if (flight === "new pack needed, wait") return false;
    this.#ready.shift();
    if (flight.sealed !== undefined) void this.#seal(flight.sealed);
    this.#flights.push(flight);
    this.#space.note(flight.encoded?.frameBytes ?? 0);
    void flight.outcome.then((acked) => {
      flight.acked = acked;
      this.#settleFlights();
    });
    return true;
  }

  #seal(full: Parameters<typeof sealPack>[1]): Promise<void> {
    const sealing = sealPack(this.#context, full).finally(() => this.#sealing.delete(sealing));
    this.#sealing.add(sealing);
    return sealing;
  }

  /** Commits what is acknowledged, in order; retracts when the oldest flight is lost. */
  #settleFlights(): void {
    while (!this.#retracting && this.#flights[0]?.acked === true) this.#commitOldest();
    if (this.#flights[0]?.acked === false && !this.#retracting) void this.#retractAll();
    this.#pump();
  }

  #commitOldest(): void {
    const flight = this.#flights[0] as Flight;
    const { batch, encoded } = flight;
    if (encoded !== undefined) {
      try {
        const mutations = batch.changes.map((change) => indexMutation(change.key, change.entry));
        mutations.push({ key: appliedKey, value: encodeApplied(batch.sequence) });
        this.#context.index.write(mutations);
      } catch (error) {
        this.#stop("the index could not take a committed batch; open the store again to replay it", error);
        return;
      }
      this.tail.committedSequence = batch.sequence;
      addToFooter(this.tail, footerEntry(encoded));
    }
    markCommitted(flight);
    this.#flights.shift();
    this.#overlay.forget(batch);
    for (const waiter of batch.waiters) waiter.answer();
    for (const listener of this.#context.hooks.onCommitted) listener(batch);
  }

  /** The oldest flight has lost its quorum: takes it and everything after it back. */
  async #retractAll(): Promise<void> {
    this.#retracting = true;
    const lost = this.#flights[0] as Flight;
    const failure = lost.failure ?? new HoldfastError("WRITE_QUORUM_LOST", "too few drives took the write; bring drives back");
    try {
      await retract(this.#context, this.tail, this.#flights);
      this.#refuseAll(failure);
      this.tail.nextSequence = lost.batch.sequence;
    } catch (error) {
      this.#stop("a write failed and could not be taken back on every drive; open the store again to decide on it", error);
    }
    this.#retracting = false;
    this.#schedule();
  }

  /** Only a reopen decides on the flights; everything else is refused for good. */
  #stop(message: string, cause: unknown): void {
    const refusal = (indeterminate: boolean) => new HoldfastError("WRITE_QUORUM_LOST", message, { cause, details: { indeterminate } });
    this.refuseWrites(refusal(false));
    this.#refuseAll(refusal(false), refusal(true));
  }

  /** Refuses everything that is placed; flights with an error of their own where one is given. */
  #refuseAll(error: unknown, errorOfFlights = error): void {
    this.#closeFilling();
    const flying = this.#flights.splice(0).map((flight) => flight.batch);
    const ready = this.#ready.splice(0);
    this.#overlay.clear();
    for (const batch of flying) for (const waiter of batch.waiters) waiter.refuse(errorOfFlights);
    for (const batch of ready) for (const waiter of batch.waiters) waiter.refuse(error);
    invariant(this.#filling === undefined, "nothing is left filling after a refusal");
  }
}
