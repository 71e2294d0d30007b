import { HoldfastError } from "../base/errors.ts";
import { closeFd } from "./system-calls.ts";

/**
 * A file descriptor that is closed only once nobody uses it any more. The system gives a closed number to the next file opened, so a
 * call still queued on a closed descriptor would read, or overwrite, someone else's file.
 */
export class OpenFd {
  readonly #fd: number;
  readonly #what: string;
  #users = 0;
  #closing: Promise<void> | undefined;
  #whenIdle: (() => void) | undefined;

  constructor(fd: number, what: string) {
    this.#fd = fd;
    this.#what = what;
  }

  /** Runs `work` with the descriptor. @throws STORE_CLOSED when `close` was called before */
  async use<T>(work: (fd: number) => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw new HoldfastError("STORE_CLOSED", `${this.#what} is closed`);
    this.#users++;
    try {
      return await work(this.#fd);
    } finally {
      this.#users--;
      if (this.#users === 0) this.#whenIdle?.();
    }
  }

  /** Lets what is under way end, then closes. Never throws: what had to be durable was synced before. */
  close(): Promise<void> {
    this.#closing ??= this.#drainAndClose();
    return this.#closing;
  }

  async #drainAndClose(): Promise<void> {
    if (this.#users > 0) {
      await new Promise<void>((resolve) => {
        this.#whenIdle = resolve;
      });
    }
    await closeFd(this.#fd).catch(() => {});
  }
}
