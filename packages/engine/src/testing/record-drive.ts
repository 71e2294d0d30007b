import { isHoldfastError } from "../base/errors.ts";
import type { Drive } from "../drive/drive.ts";
import { type DriveOperation, formatCall, interceptDrive } from "./intercept-drive.ts";

/** Which calls a transcript shows. */
export interface RecordOptions {
  /** Calls that only look; left out by default, for transcripts are about what reaches the drive and in which order. */
  readonly reads?: boolean;
  /** Put before each line, to tell drives apart in a common transcript. */
  readonly prefix?: string;
}

const reads: ReadonlySet<DriveOperation> = new Set(["readFile", "list", "listFolders", "space", "size", "read"]);

/**
 * A drive that writes each call as a line, such as `write packs/0001 @128 +4096`, into `lines` when it begins; a call that fails gets
 * ` ! CODE` behind it. For golden tests of what is done in which order.
 */
export function recordDrive(inner: Drive, lines: string[], options: RecordOptions = {}): Drive {
  return interceptDrive(inner, {
    async around(call, proceed) {
      if (options.reads !== true && (reads.has(call.operation) || (call.operation === "open" && call.create !== true))) return proceed();
      const at = lines.push(`${options.prefix ?? ""}${formatCall(call)}`) - 1;
      try {
        return await proceed();
      } catch (error) {
        lines[at] += ` ! ${isHoldfastError(error) ? error.code : String(error)}`;
        throw error;
      }
    },
  });
}
