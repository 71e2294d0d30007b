import { type HoldfastError, isHoldfastError } from "../base/errors.ts";
import type { CommandContext } from "./command-context.ts";
import { exitCodes } from "./exit-codes.ts";
import { amounts, createProgress, type Progress } from "./progress.ts";
import { type ErrorReport, errorLine, errorReport } from "./report-error.ts";

/** Failures told one by one in the JSON document; beyond them only the count grows. */
const failuresKeptMax = 1000;

/** A copy of many files: what was done, skipped and failed, and how far it is. */
export class Transfer {
  readonly progress: Progress;
  readonly #context: CommandContext;
  readonly #failures: { readonly name: string; readonly error: ErrorReport }[] = [];
  #files = 0;
  #bytes = 0;
  readonly #skipped = new Map<string, number>();
  #failed = 0;

  constructor(context: CommandContext, verb: string) {
    this.#context = context;
    this.progress = createProgress(context, { verb, unit: "files" });
  }

  /** One more is copied. */
  done(bytes: number): void {
    this.#files++;
    this.#bytes += bytes;
    this.progress.add(1, bytes);
  }

  /** One is left out on purpose; nothing failed. */
  skip(reason: string): void {
    this.#skipped.set(reason, (this.#skipped.get(reason) ?? 0) + 1);
  }

  /** One failed, and the others go on; what would fail all of them is thrown instead. */
  fail(name: string, error: unknown): void {
    if (!isHoldfastError(error) || concernsAll(error)) throw error;
    this.#failed++;
    if (this.#failures.length < failuresKeptMax) this.#failures.push({ name, error: errorReport(error) });
    this.progress.note(errorLine(error, { json: this.#context.json, name }));
  }

  /** Prints the result and answers the exit code. */
  async finish(): Promise<number> {
    const seconds = this.progress.seconds();
    this.progress.stop();
    const { files, bytes, failed } = { files: this.#files, bytes: this.#bytes, failed: this.#failed };
    const skipped = Object.fromEntries(this.#skipped);
    const others = [
      ...[...this.#skipped].map(([reason, count]) => `skipped ${count} ${reason}`),
      ...(failed > 0 ? [`${failed} FAILED`] : []),
    ];
    const text = [`copied ${files} file${files === 1 ? "" : "s"}, ${amounts(bytes, seconds)}, ${seconds.toFixed(1)} s`, ...others].join(
      "; ",
    );
    await this.#context.out.document([text], {
      files,
      bytes,
      seconds: Number(seconds.toFixed(3)),
      skipped,
      failed,
      failures: this.#failures,
    });
    return failed === 0 ? exitCodes.ok : exitCodes.failure;
  }
}

/** True for errors that the next file would meet as well. */
function concernsAll(error: HoldfastError): boolean {
  if (["ABORTED", "STORE_CLOSED", "BUCKET_NOT_FOUND", "WRITE_QUORUM_LOST", "STORE_READ_ONLY"].includes(error.code)) return true;
  return error.kind === "exhausted" || error.kind === "internal";
}
