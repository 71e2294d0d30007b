/**
 * Jobs on worker threads, through piscina.
 *
 * Piscina gets at most one job a thread: waiting happens here, where it is bounded and can be left by a signal. A job under way is
 * never interrupted (that would end its thread while it writes to memory the caller is about to reuse): an abort takes effect when
 * the job has settled, a matter of milliseconds. Errors cross the threads as data, since piscina keeps nothing but their message.
 */
import type { Piscina } from "piscina";
import { HoldfastError, throwIfAborted } from "../base/errors.ts";
import type { Job, JobOutcome, JobValue } from "../codec/stripe-job.ts";
import { unwrapOutcome } from "../codec/stripe-job.ts";
import { WaitingLine } from "./waiting-line.ts";

export interface WorkerPoolOptions {
  readonly threads: number;
  /** The module whose export `run` does a job. */
  readonly worker: URL;
  readonly waitersMax: number;
}

/** Starts its threads with the first job. */
export class WorkerPool {
  private readonly options: WorkerPoolOptions;
  private readonly line: WaitingLine<true, void>;
  private starting: Promise<Piscina> | undefined;
  private running = 0;
  private closed = false;
  private onIdle: (() => void) | undefined;

  constructor(options: WorkerPoolOptions) {
    this.options = options;
    this.line = new WaitingLine({ lengthMax: options.waitersMax, what: "worker threads", onLeave: () => this.next() });
  }

  /** Jobs under way and in line. */
  get jobs(): number {
    return this.running + this.line.length;
  }

  /** @throws QUEUE_FULL, ABORTED, WORKER_FAILED, STORE_CLOSED, what the job throws */
  async run<J extends Job>(job: J, signal: AbortSignal | undefined): Promise<JobValue<J>> {
    if (this.closed) throw new HoldfastError("STORE_CLOSED", "the store is closing");
    throwIfAborted(signal);
    if (this.running < this.options.threads) this.running++;
    else await this.line.join(true, signal);
    try {
      const value = await this.dispatch(job);
      throwIfAborted(signal);
      return value;
    } finally {
      this.running--;
      this.next();
    }
  }

  /** Refuses new jobs, waits for all others, ends the threads. */
  async close(): Promise<void> {
    this.closed = true;
    if (this.jobs > 0) {
      await new Promise<void>((resolve) => {
        this.onIdle = resolve;
      });
    }
    await (await this.starting?.catch(() => undefined))?.destroy();
    this.starting = undefined;
  }

  private async dispatch<J extends Job>(job: J): Promise<JobValue<J>> {
    let outcome: JobOutcome<JobValue<J>>;
    try {
      this.starting ??= start(this.options);
      outcome = await (await this.starting).run(job);
    } catch (error) {
      throw new HoldfastError(
        "WORKER_FAILED",
        `a worker thread failed during a job: ${error instanceof Error ? error.message : String(error)}`,
        { cause: error },
      );
    }
    return unwrapOutcome(outcome);
  }

  private next(): void {
    if (this.line.length > 0 && this.running < this.options.threads) {
      this.running++;
      this.line.serve();
    }
    if (this.jobs === 0) this.onIdle?.();
  }
}

/** Piscina is loaded here, so that a process without large jobs never pays for it. Idle threads do not keep the process alive. */
async function start(options: WorkerPoolOptions): Promise<Piscina> {
  const { Piscina } = await import("piscina");
  const pool = new Piscina({
    filename: options.worker.href,
    name: "run",
    minThreads: options.threads,
    maxThreads: options.threads,
    execArgv: [],
    recordTiming: false,
  });
  // A thread that dies between jobs is replaced; one that dies in a job rejects that job.
  pool.on("error", () => undefined);
  return pool;
}
