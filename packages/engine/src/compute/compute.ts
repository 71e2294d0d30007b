/**
 * Where stripes are coded: memory for them, and a decision for each job between the caller's thread and a worker.
 *
 * A hop to a worker and back costs 60–95 µs. Encoding and checksums run at several GiB/s, a cryptographic digest at about half of
 * one: so up to `inlineCodeBytesMax` bytes are coded where they are, unless more than `inlineDigestBytesMax` are to be digested.
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { HoldfastError, throwIfAborted } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import { KiB, MiB } from "../base/units.ts";
import { codeKernel } from "../codec/code-kernel.ts";
import { loadDigests } from "../codec/digest.ts";
import type { CodeKernel } from "../codec/kernel.ts";
import type { CodedStripe, CodeStripeJob, Job, JobValue, ReconstructJob } from "../codec/stripe-job.ts";
import { runJob } from "../codec/stripe-job.ts";
import type { StripeBuffer } from "./stripe-buffers.ts";
import { StripeBuffers } from "./stripe-buffers.ts";
import { WorkerPool } from "./worker-pool.ts";

/** Bytes of all pieces together that are coded on the caller's thread. */
const inlineCodeBytesMax = 1 * MiB;
/** Bytes to be digested on the caller's thread, counted once for each digest. */
const inlineDigestBytesMax = 64 * KiB;
/** Callers in line for a buffer, and for a thread. */
const waitersMaxDefault = 4096;

export interface ComputeOptions {
  /** Worker threads for large jobs; 0 codes everything on the caller's thread. */
  readonly threads: number;
  /** Bytes of stripe buffers handed out at any moment, at most. */
  readonly memoryBudgetBytes: number;
  /** The kernel of the caller's thread; workers always use the machine's best. */
  readonly kernel?: CodeKernel | undefined;
  /** The built thread entry; `worker.js` beside the bundle by default. */
  readonly worker?: URL | undefined;
  /** Callers in line for a buffer, and for a thread; one more gets QUEUE_FULL. */
  readonly waitersMax?: number | undefined;
}

/**
 * Any number of calls may be under way. A buffer named in a job is the job's until its promise settles, also after an abort: only
 * then may it be read, written or released.
 */
export interface Compute {
  /** Worker threads in use for large jobs; 0 when there are none, as when the thread entry has not been built. */
  readonly threads: number;
  readonly kernel: CodeKernel;
  /** Waits until the budget has room. @throws MEMORY_EXHAUSTED, QUEUE_FULL, ABORTED, STORE_CLOSED */
  acquire(bytes: number, signal?: AbortSignal): Promise<StripeBuffer>;
  /** Computes parity in place, block checksums and digests. @throws QUEUE_FULL, ABORTED, WORKER_FAILED, STORE_CLOSED */
  codeStripe(stripe: Omit<CodeStripeJob, "kind">, signal?: AbortSignal): Promise<CodedStripe>;
  /** Computes lost pieces in place. @throws QUEUE_FULL, ABORTED, WORKER_FAILED, STORE_CLOSED */
  reconstruct(stripe: Omit<ReconstructJob, "kind">, signal?: AbortSignal): Promise<void>;
  /** Buffers handed out and jobs on or in line for threads. */
  usage(): { readonly bufferBytes: number; readonly jobs: number };
  /** Refuses what is new, finishes what is under way, ends the threads. */
  close(): Promise<void>;
}

/** Makes the memory and, with the first large job, the threads. */
export function openCompute(options: ComputeOptions): Compute {
  invariant(Number.isSafeInteger(options.threads) && options.threads >= 0, "the number of threads is a whole number");
  const worker = options.worker ?? new URL("./worker.js", import.meta.url);
  const waitersMax = options.waitersMax ?? waitersMaxDefault;
  const threads = existsSync(fileURLToPath(worker)) ? options.threads : 0;
  return new ThreadedCompute({
    kernel: options.kernel ?? codeKernel(),
    buffers: new StripeBuffers({ budgetBytes: options.memoryBudgetBytes, waitersMax, shared: threads > 0 }),
    pool: threads === 0 ? undefined : new WorkerPool({ threads, worker, waitersMax }),
    threads,
  });
}

interface Parts {
  readonly kernel: CodeKernel;
  readonly buffers: StripeBuffers;
  readonly pool: WorkerPool | undefined;
  readonly threads: number;
}

class ThreadedCompute implements Compute {
  readonly threads: number;
  readonly kernel: CodeKernel;
  private readonly parts: Parts;
  private closing: Promise<void> | undefined;

  constructor(parts: Parts) {
    this.parts = parts;
    this.threads = parts.threads;
    this.kernel = parts.kernel;
  }

  acquire(bytes: number, signal?: AbortSignal): Promise<StripeBuffer> {
    return this.parts.buffers.acquire(bytes, signal);
  }

  async codeStripe(stripe: Omit<CodeStripeJob, "kind">, signal?: AbortSignal): Promise<CodedStripe> {
    return this.run({ kind: "codeStripe", ...stripe }, signal);
  }

  async reconstruct(stripe: Omit<ReconstructJob, "kind">, signal?: AbortSignal): Promise<void> {
    return this.run({ kind: "reconstruct", ...stripe }, signal);
  }

  usage(): { readonly bufferBytes: number; readonly jobs: number } {
    return { bufferBytes: this.parts.buffers.usedBytes, jobs: this.parts.pool?.jobs ?? 0 };
  }

  close(): Promise<void> {
    this.parts.buffers.close();
    this.closing ??= this.parts.pool?.close() ?? Promise.resolve();
    return this.closing;
  }

  private async run<J extends Job>(job: J, signal: AbortSignal | undefined): Promise<JobValue<J>> {
    throwIfAborted(signal);
    if (this.closing !== undefined) throw new HoldfastError("STORE_CLOSED", "the store is closing");
    const pool = this.parts.pool;
    if (pool !== undefined && !isSmall(job) && job.buffer.buffer instanceof SharedArrayBuffer) return pool.run(job, signal);
    if (job.kind === "codeStripe" && job.digests.length > 0) await loadDigests();
    return runJob(job, this.kernel);
  }
}

function isSmall(job: Job): boolean {
  if ((job.shape.data + job.shape.parity) * job.pieceBytes > inlineCodeBytesMax) return false;
  return job.kind === "reconstruct" || job.dataBytes * job.digests.length <= inlineDigestBytesMax;
}
