import type { ErrorCode } from "../base/errors.ts";
import { HoldfastError, isHoldfastError } from "../base/errors.ts";

/** LMDB's own codes and the platform's, as the package puts them into `error.code`. */
const codes: Readonly<Record<string, ErrorCode>> = {
  "-30792": "DRIVE_FULL", // MDB_MAP_FULL
  "28": "DRIVE_FULL", // ENOSPC
  "122": "DRIVE_FULL", // EDQUOT
  ENOSPC: "DRIVE_FULL",
  "13": "DRIVE_UNREADABLE", // EACCES
  "2": "DRIVE_UNREADABLE", // ENOENT
  "20": "DRIVE_UNREADABLE", // ENOTDIR
  "21": "DRIVE_UNREADABLE", // EISDIR
  "30": "DRIVE_UNWRITABLE", // EROFS
  EACCES: "DRIVE_UNREADABLE",
  ENOTDIR: "DRIVE_UNREADABLE",
  EISDIR: "DRIVE_UNREADABLE",
  EROFS: "DRIVE_UNWRITABLE",
  "-30797": "INDEX_DAMAGED", // MDB_PAGE_NOTFOUND
  "-30796": "INDEX_DAMAGED", // MDB_CORRUPTED
  "-30795": "INDEX_DAMAGED", // MDB_PANIC
  "-30794": "INDEX_DAMAGED", // MDB_VERSION_MISMATCH
  "-30793": "INDEX_DAMAGED", // MDB_INVALID
  "-30788": "INDEX_DAMAGED", // MDB_TXN_FULL
  "-30787": "INDEX_DAMAGED", // MDB_CURSOR_FULL
  "-30786": "INDEX_DAMAGED", // MDB_PAGE_FULL
  "-30784": "INDEX_DAMAGED", // MDB_INCOMPATIBLE
  "-30782": "INDEX_DAMAGED", // MDB_BAD_TXN
  "-30781": "INDEX_DAMAGED", // MDB_BAD_VALSIZE
  "-30779": "INDEX_DAMAGED", // MDB_PROBLEM
};

/** What went wrong in LMDB, as an error of ours; what is unknown counts as a failing drive. */
export function toIndexError(error: unknown, path: string): HoldfastError {
  if (isHoldfastError(error)) return error;
  const reason = error as { readonly code?: unknown; readonly message?: unknown };
  // What has no code the package's own JavaScript has tripped over: sizes and offsets that cannot be.
  const code = codes[String(reason.code)] ?? (reason.code === undefined ? "INDEX_DAMAGED" : "DRIVE_IO_ERROR");
  const message = `the index ${path} failed: ${String(reason.message)}${code === "INDEX_DAMAGED" ? remedy : ""}`;
  return new HoldfastError(code, message, { details: { path }, cause: error });
}

/** What was found to be wrong with an index. */
export function damagedIndex(path: string, what: string): HoldfastError {
  return new HoldfastError("INDEX_DAMAGED", `the index ${path} is damaged: ${what}${remedy}`, { details: { path } });
}

const remedy = "; it is made again from the packs, at the latest when the store is next opened";
