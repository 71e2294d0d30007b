/**
 * Every operating error of Holdfast is a {@link HoldfastError}: its kind says what the caller should do, its code is a
 * stable string from {@link errorCodes}, its message is for people. Programmer errors are `invariant` failures instead.
 */

/** What the caller should do about an error. */
export type ErrorKind =
  /** Fix the request; repeating it as it is cannot succeed. */
  | "invalid"
  /** Change credentials or rights. */
  | "denied"
  /** What was asked for does not exist. */
  | "notFound"
  /** Read again, then decide and retry. */
  | "conflict"
  /** Retry later: something needed is away for now. */
  | "unavailable"
  /** Free something (space, memory, a slot), then retry. */
  | "exhausted"
  /** Stored bytes are damaged beyond repair; an operator must act. Never retry. */
  | "data"
  /** The store or handle is closed; open it again. */
  | "closed"
  /** A defect of Holdfast; report it. */
  | "internal";

/** The closed table of error codes: code to kind. A code is never renamed and never changes its kind. */
export const errorCodes = {
  // settings and arguments
  SETTINGS_INVALID: "invalid",
  ARGUMENT_INVALID: "invalid",
  KEY_INVALID: "invalid",
  BUCKET_NAME_INVALID: "invalid",
  METADATA_INVALID: "invalid",
  TAGS_INVALID: "invalid",
  RANGE_INVALID: "invalid",
  RANGE_NOT_SATISFIABLE: "invalid",
  VERSION_ID_INVALID: "invalid",
  TOKEN_INVALID: "invalid",
  BODY_INVALID: "invalid",
  BODY_LENGTH_MISMATCH: "invalid",
  BODY_TOO_LARGE: "invalid",
  CHECKSUM_MISMATCH: "invalid",
  CHECKSUM_INVALID: "invalid",
  UNSUPPORTED: "invalid",
  // multipart
  PART_INVALID: "invalid",
  PART_ORDER_INVALID: "invalid",
  PART_TOO_SMALL: "invalid",
  // things that are not there
  BUCKET_NOT_FOUND: "notFound",
  OBJECT_NOT_FOUND: "notFound",
  VERSION_NOT_FOUND: "notFound",
  UPLOAD_NOT_FOUND: "notFound",
  DRIVE_NOT_FOUND: "notFound",
  /** The version asked for is a delete marker. */
  DELETE_MARKER: "notFound",
  /** A tag set, profile or other part of a thing is not there. */
  FILE_NOT_FOUND: "notFound",
  // races and conditions
  BUCKET_EXISTS: "conflict",
  BUCKET_NOT_EMPTY: "conflict",
  PRECONDITION_FAILED: "conflict",
  /** A conditional read found what the caller already has (HTTP 304). */
  NOT_MODIFIED: "conflict",
  FILE_EXISTS: "conflict",
  // files and folders outside a store: what the command reads and writes
  FILE_INVALID: "invalid",
  FILE_DENIED: "denied",
  FILE_NO_SPACE: "exhausted",
  FILE_IO_ERROR: "unavailable",
  // drives and sets
  STORE_LOCKED: "unavailable",
  STORE_EXISTS: "conflict",
  STORE_NOT_FOUND: "notFound",
  STORE_READ_ONLY: "unavailable",
  DRIVE_UNREADABLE: "unavailable",
  DRIVE_UNWRITABLE: "unavailable",
  DRIVE_IO_ERROR: "unavailable",
  DRIVE_FAILED: "unavailable",
  DRIVE_NOT_A_DIRECTORY: "invalid",
  DRIVE_NOT_EMPTY: "invalid",
  DRIVE_FOREIGN: "invalid",
  DRIVE_DUPLICATED: "invalid",
  DRIVE_FULL: "exhausted",
  DRIVES_MISSING: "unavailable",
  WRITE_QUORUM_LOST: "unavailable",
  TAIL_UNDECIDED: "unavailable",
  FORMAT_TOO_NEW: "invalid",
  // stored bytes
  FORMAT_DAMAGED: "data",
  LABEL_DAMAGED: "data",
  LOG_DAMAGED: "data",
  OBJECT_DAMAGED: "data",
  INDEX_DAMAGED: "data",
  // limits and life cycle
  MEMORY_EXHAUSTED: "exhausted",
  QUEUE_FULL: "exhausted",
  WORKER_FAILED: "internal",
  ABORTED: "closed",
  STORE_CLOSED: "closed",
  INTERNAL: "internal",
} as const satisfies Record<string, ErrorKind>;

/** A stable error code. */
export type ErrorCode = keyof typeof errorCodes;

/** Facts about an error as plain data: never secrets, never object bytes. */
export type ErrorDetails = Readonly<Record<string, unknown>>;

const brand = Symbol.for("holdfast.error");

/** The one class of operating errors. Recognise it with {@link isHoldfastError}, which also works across copies of the package. */
export class HoldfastError extends Error {
  readonly kind: ErrorKind;
  readonly code: ErrorCode;
  readonly details: ErrorDetails;
  readonly [brand] = true;

  constructor(code: ErrorCode, message: string, options: { details?: ErrorDetails; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "HoldfastError";
    this.code = code;
    this.kind = errorCodes[code];
    this.details = options.details ?? {};
  }

  /** Plain data for logs and `--json` output. */
  toJSON(): { kind: ErrorKind; code: ErrorCode; message: string; details: ErrorDetails } {
    return { kind: this.kind, code: this.code, message: this.message, details: this.details };
  }
}

/** True for errors made by any copy of Holdfast; with `codes`, only for those. */
export function isHoldfastError(value: unknown, ...codes: readonly ErrorCode[]): value is HoldfastError {
  if (typeof value !== "object" || value === null || !(brand in value)) return false;
  return codes.length === 0 || codes.includes((value as HoldfastError).code);
}

/** The error an operation ends with when its signal is aborted; the signal's reason is its cause. @throws ABORTED */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw abortedError(signal);
}

/** The `ABORTED` error for a signal that has fired. */
export function abortedError(signal: AbortSignal): HoldfastError {
  return new HoldfastError("ABORTED", "the operation was aborted by its signal", { cause: signal.reason });
}
