import { type ErrorCode, HoldfastError, isHoldfastError } from "../base/errors.ts";

/**
 * The one place where an error of the operating system becomes a `HoldfastError`. What counts is what the caller can do: free space,
 * change rights, bring the drive back, or treat the drive as broken.
 */

/** What was being done when the error came. */
export interface FailedCall {
  /** The drive's path. */
  readonly location: string;
  readonly operation: string;
  /** The file or folder on the drive; "" for the drive itself. */
  readonly name: string;
  /** True when the call was to change something. */
  readonly mutates: boolean;
  /** True when the call names a file that has to exist. */
  readonly needsFile?: boolean | undefined;
  /** True when the drive's own directory was found missing. */
  readonly rootGone?: boolean | undefined;
}

interface Verdict {
  readonly code: ErrorCode;
  readonly message: string;
}

const noSpace: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT"]);
const noRight: ReadonlySet<string> = new Set(["EROFS", "EACCES", "EPERM"]);
const noHandles: ReadonlySet<string> = new Set(["EMFILE", "ENFILE"]);
const deviceGone: ReadonlySet<string> = new Set(["ENODEV", "ENXIO", "ESTALE", "ENOTCONN", "ESHUTDOWN"]);
const noSuchFile: ReadonlySet<string> = new Set(["ENOENT", "ENOTDIR", "EISDIR"]);

/** The error code of the operating system (`ENOSPC` …); "" when there is none. */
export function systemCode(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : "";
}

/** True when nothing was lost by the failure: space, handles or memory ran out before anything was promised. */
export function isExhaustion(error: unknown): boolean {
  const code = systemCode(error);
  return noSpace.has(code) || noHandles.has(code) || code === "ENOMEM";
}

/** Turns what a system call threw into a `HoldfastError`; one that already is stays as it is. */
export function mapDriveError(error: unknown, call: FailedCall): HoldfastError {
  if (isHoldfastError(error)) return error;
  const system = systemCode(error);
  const { code, message } = judge(system, call);
  const details = {
    drive: call.location,
    operation: call.operation,
    path: call.name === "" ? call.location : `${call.location}/${call.name}`,
    syscall: (error as { syscall?: unknown } | null)?.syscall,
    errno: system === "" ? undefined : system,
  };
  return new HoldfastError(code, message, { details, cause: error });
}

function judge(system: string, call: FailedCall): Verdict {
  const drive = `drive ${call.location}`;
  const doing = call.name === "" ? call.operation : `${call.operation} ${call.name}`;
  if (call.rootGone === true || deviceGone.has(system)) {
    return { code: "DRIVE_UNREADABLE", message: `${drive} is gone (${doing}: ${system}): plug it in or mount it again` };
  }
  if (noSpace.has(system)) {
    return { code: "DRIVE_FULL", message: `${drive} has no space left (${doing}: ${system}): delete objects, or free or add space` };
  }
  if (noHandles.has(system)) {
    const who = system === "EMFILE" ? "this process" : "this machine";
    return {
      code: "DRIVE_IO_ERROR",
      message: `${who} has too many files open (${drive}, ${doing}: ${system}): raise its limit (ulimit -n)`,
    };
  }
  if (noRight.has(system)) return judgeRights(system, drive, doing, call.mutates);
  if (call.needsFile === true && noSuchFile.has(system)) {
    return { code: "FILE_NOT_FOUND", message: `${drive} has no file ${call.name}` };
  }
  return {
    code: "DRIVE_IO_ERROR",
    message: `${drive} failed to ${doing} (${system || "unknown error"}): check the drive and the system's log`,
  };
}

function judgeRights(system: string, drive: string, doing: string, mutates: boolean): Verdict {
  if (!mutates)
    return { code: "DRIVE_UNREADABLE", message: `${drive} cannot be read (${doing}: ${system}): give this user the right to read it` };
  const fix = system === "EROFS" ? "mount it for writing" : "give this user the right to write to it";
  return { code: "DRIVE_UNWRITABLE", message: `${drive} cannot be written to (${doing}: ${system}): ${fix}` };
}
