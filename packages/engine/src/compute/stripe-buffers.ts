/**
 * Buffers for stripes, under one budget. With worker threads they lie in shared memory, to be coded in place by any thread; without,
 * in plain memory, which a coding kernel reads and writes about three times faster.
 *
 * A request is rounded up to a class (a power of two times 4, 5, 6 or 7 quarters: at most a quarter is lost) so that buffers can be
 * used again. Idle buffers count against the budget but give way to requests of another class. Who finds no room waits in line; a
 * small request never overtakes a large one, so none starves. Contents of a buffer handed out are whatever was there before.
 */
import { HoldfastError } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import { KiB } from "../base/units.ts";
import { WaitingLine } from "./waiting-line.ts";

/** The smallest class. */
const classBytesMin = 64 * KiB;

/** Memory for one stripe, the holder's until it is released. */
export interface StripeBuffer {
  /** As many bytes as were asked for. */
  readonly bytes: Uint8Array;
  /** Gives the memory back; nobody may look at `bytes` from then on. Once only. */
  release(): void;
}

export interface StripeBuffersOptions {
  readonly budgetBytes: number;
  readonly waitersMax: number;
  /** Whether threads share the buffers. */
  readonly shared: boolean;
}

type Memory = ArrayBuffer | SharedArrayBuffer;

export class StripeBuffers {
  private readonly budgetBytes: number;
  private readonly line: WaitingLine<number, StripeBuffer>;
  private readonly shared: boolean;
  private readonly idle = new Map<number, Memory[]>();
  private heldBytes = 0;
  private idleBytes = 0;
  private closed = false;

  constructor(options: StripeBuffersOptions) {
    this.shared = options.shared;
    this.budgetBytes = options.budgetBytes;
    this.line = new WaitingLine({ lengthMax: options.waitersMax, what: "stripe buffers", onLeave: () => this.serve() });
  }

  /** Bytes handed out now, classes counted whole. */
  get usedBytes(): number {
    return this.heldBytes;
  }

  /** @throws MEMORY_EXHAUSTED for more than the whole budget, QUEUE_FULL, ABORTED, STORE_CLOSED */
  async acquire(bytes: number, signal: AbortSignal | undefined): Promise<StripeBuffer> {
    invariant(Number.isSafeInteger(bytes) && bytes > 0, "a buffer has a positive number of bytes");
    if (this.closed) throw closedError();
    if (classOf(bytes) > this.budgetBytes) throw tooLarge(bytes, this.budgetBytes);
    const granted = this.line.join(bytes, signal);
    this.serve();
    return granted;
  }

  /** Buffers under way stay valid; those in line are refused. */
  close(): void {
    this.closed = true;
    this.idle.clear();
    this.idleBytes = 0;
    this.line.disperse(closedError());
  }

  private serve(): void {
    for (let need = this.line.first; need !== undefined && this.heldBytes + classOf(need) <= this.budgetBytes; need = this.line.first) {
      this.line.serve(this.hold(need));
    }
  }

  private hold(bytes: number): StripeBuffer {
    const classBytes = classOf(bytes);
    const memory = this.take(classBytes);
    this.heldBytes += classBytes;
    let held = true;
    return {
      bytes: new Uint8Array(memory, 0, bytes),
      release: () => {
        invariant(held, "a stripe buffer is released once");
        held = false;
        this.giveBack(memory);
      },
    };
  }

  private take(classBytes: number): Memory {
    const idle = this.idle.get(classBytes)?.pop();
    if (idle !== undefined) {
      this.idleBytes -= classBytes;
      return idle;
    }
    this.dropIdleUntil(this.budgetBytes - this.heldBytes - classBytes);
    return this.shared ? new SharedArrayBuffer(classBytes) : new ArrayBuffer(classBytes);
  }

  private dropIdleUntil(idleBytesMax: number): void {
    for (const memories of this.idle.values()) {
      while (this.idleBytes > idleBytesMax) {
        const memory = memories.pop();
        if (memory === undefined) break;
        this.idleBytes -= memory.byteLength;
      }
    }
    invariant(this.idleBytes <= idleBytesMax, "idle and held buffers keep to the budget");
  }

  private giveBack(memory: Memory): void {
    this.heldBytes -= memory.byteLength;
    if (this.closed) return;
    const memories = this.idle.get(memory.byteLength) ?? [];
    memories.push(memory);
    this.idle.set(memory.byteLength, memories);
    this.idleBytes += memory.byteLength;
    this.serve();
  }
}

/** The size of the class that `bytes` falls into. */
export function classOf(bytes: number): number {
  if (bytes <= classBytesMin) return classBytesMin;
  const quarter = 2 ** (Math.floor(Math.log2(bytes - 1)) - 2);
  return Math.ceil(bytes / quarter) * quarter;
}

function closedError(): HoldfastError {
  return new HoldfastError("STORE_CLOSED", "the store is closing");
}

function tooLarge(bytes: number, budgetBytes: number): HoldfastError {
  return new HoldfastError(
    "MEMORY_EXHAUSTED",
    `a stripe needs ${bytes} bytes, the whole memory budget has ${budgetBytes}; raise the memory budget or use smaller stripes`,
    {
      details: { bytes, budgetBytes },
    },
  );
}
