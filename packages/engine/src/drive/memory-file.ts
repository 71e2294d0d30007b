import { HoldfastError } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import type { DriveFile, NewFile } from "./drive.ts";
import { MemoryBytes } from "./memory-bytes.ts";

/** The memory of one drive: what its files take of it, over all openings of the drive. */
export class MemoryBudget {
  readonly location: string;
  readonly capacityBytes: number;
  usedBytes = 0;

  constructor(location: string, capacityBytes: number) {
    this.location = location;
    this.capacityBytes = capacityBytes;
  }

  /** Writes all buffers or none. @throws DRIVE_FULL */
  write(bytes: MemoryBytes, position: number, buffers: readonly Uint8Array[]): void {
    const length = buffers.reduce((sum, buffer) => sum + buffer.byteLength, 0);
    if (this.usedBytes + bytes.growthBytes(position, length) > this.capacityBytes) {
      throw new HoldfastError("DRIVE_FULL", `drive ${this.location} has no space left: delete objects, or give it more capacity`, {
        details: { drive: this.location, capacityBytes: this.capacityBytes },
      });
    }
    const before = bytes.allocatedBytes;
    let at = position;
    for (const buffer of buffers) {
      bytes.write(at, buffer);
      at += buffer.byteLength;
    }
    this.usedBytes += bytes.allocatedBytes - before;
  }

  truncate(bytes: MemoryBytes, length: number): void {
    const before = bytes.allocatedBytes;
    bytes.truncate(length);
    this.usedBytes += bytes.allocatedBytes - before;
  }
}

/** A file's bytes and how many hold on to them: its name and each open handle. The memory is free when nobody does. */
export class MemoryNode {
  readonly bytes = new MemoryBytes();
  readonly #budget: MemoryBudget;
  #holders = 0;

  constructor(budget: MemoryBudget) {
    this.#budget = budget;
  }

  hold(): this {
    this.#holders++;
    return this;
  }

  release(): void {
    invariant(this.#holders > 0, "a file in memory is released once per holder");
    this.#holders--;
    if (this.#holders === 0) this.#budget.truncate(this.bytes, 0);
  }
}

/** One opening of a memory drive. */
export class MemorySession {
  readonly budget: MemoryBudget;
  /** Open and unfinished files; each adds and removes itself. */
  readonly open: Set<{ close(): Promise<void> }> = new Set();
  closed = false;

  constructor(budget: MemoryBudget) {
    this.budget = budget;
  }

  /** @throws STORE_CLOSED */
  check(): void {
    if (this.closed) throw new HoldfastError("STORE_CLOSED", `drive ${this.budget.location} is closed`);
  }

  async close(): Promise<void> {
    this.closed = true;
    await Promise.all([...this.open].map((file) => file.close()));
  }
}

/** A file of a memory drive, open in place. */
export class MemoryFile implements DriveFile {
  readonly name: string;
  readonly #session: MemorySession;
  readonly #node: MemoryNode;
  #open = true;

  constructor(session: MemorySession, name: string, node: MemoryNode) {
    this.name = name;
    this.#session = session;
    this.#node = node.hold();
    session.open.add(this);
  }

  async size(): Promise<number> {
    return this.#bytes().sizeBytes;
  }

  async write(position: number, buffers: readonly Uint8Array[]): Promise<void> {
    this.#session.budget.write(this.#bytes(), position, buffers);
  }

  async sync(): Promise<void> {
    this.#bytes();
  }

  async writeDurable(position: number, buffers: readonly Uint8Array[]): Promise<void> {
    this.#session.budget.write(this.#bytes(), position, buffers);
  }

  async read(position: number, into: Uint8Array): Promise<number> {
    return this.#bytes().read(position, into);
  }

  async truncate(length: number): Promise<void> {
    this.#session.budget.truncate(this.#bytes(), length);
  }

  async close(): Promise<void> {
    if (this.#open) this.#node.release();
    this.#open = false;
    this.#session.open.delete(this);
  }

  #bytes(): MemoryBytes {
    this.#session.check();
    if (!this.#open) throw new HoldfastError("STORE_CLOSED", `${this.#session.budget.location}/${this.name} is closed`);
    return this.#node.bytes;
  }
}

/** A file of a memory drive on its way in. */
export class MemoryNewFile implements NewFile {
  readonly name: string;
  readonly #session: MemorySession;
  readonly #node: MemoryNode;
  readonly #publish: (node: MemoryNode) => void;
  #state: "open" | "broken" | "ended" = "open";

  constructor(session: MemorySession, name: string, publish: (node: MemoryNode) => void) {
    this.name = name;
    this.#session = session;
    this.#node = new MemoryNode(session.budget).hold();
    this.#publish = publish;
    session.open.add(this);
  }

  async write(buffers: readonly Uint8Array[]): Promise<void> {
    this.#session.check();
    invariant(this.#state === "open", "a new file is written before it is finished, and not after a failed write");
    this.#state = "broken";
    this.#session.budget.write(this.#node.bytes, this.#node.bytes.sizeBytes, buffers);
    this.#state = "open";
  }

  async finish(): Promise<void> {
    this.#session.check();
    invariant(this.#state === "open", "a new file is finished once, after all its writes have succeeded");
    try {
      this.#publish(this.#node);
    } finally {
      await this.abort();
    }
  }

  async abort(): Promise<void> {
    if (this.#state !== "ended") this.#node.release();
    this.#state = "ended";
    this.#session.open.delete(this);
  }

  /** The drive is closing: the same as `abort`. */
  async close(): Promise<void> {
    await this.abort();
  }
}
