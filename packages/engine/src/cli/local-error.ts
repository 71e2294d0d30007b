import { type ErrorCode, HoldfastError, isHoldfastError } from "../base/errors.ts";

/** What was tried with which local file or folder. */
export interface LocalAction {
  readonly path: string;
  readonly action: "read" | "write";
}

interface Meaning {
  readonly code: ErrorCode;
  readonly problem: string;
}

const meanings: Readonly<Record<string, Meaning>> = {
  ENOENT: { code: "FILE_NOT_FOUND", problem: "is not there" },
  ENOTDIR: { code: "FILE_INVALID", problem: "leads through something that is no folder" },
  EISDIR: { code: "FILE_INVALID", problem: "is a folder" },
  ELOOP: { code: "FILE_INVALID", problem: "is a chain of links without end" },
  EINVAL: { code: "FILE_INVALID", problem: "is a name the file system does not take" },
  EILSEQ: { code: "FILE_INVALID", problem: "is a name the file system does not take" },
  ENAMETOOLONG: { code: "FILE_INVALID", problem: "is a name too long for the file system" },
  ENOTEMPTY: { code: "FILE_EXISTS", problem: "is a folder with something in it" },
  EEXIST: { code: "FILE_EXISTS", problem: "is there already" },
  EACCES: { code: "FILE_DENIED", problem: "is not open to you; check its rights" },
  EPERM: { code: "FILE_DENIED", problem: "is not open to you; check its rights" },
  EROFS: { code: "FILE_DENIED", problem: "lies on a read-only file system" },
  ENOSPC: { code: "FILE_NO_SPACE", problem: "lies on a full file system; free some space" },
  EDQUOT: { code: "FILE_NO_SPACE", problem: "is beyond your quota; free some space" },
  EMFILE: { code: "FILE_IO_ERROR", problem: "cannot be opened: too many files are open" },
};

/** A failure with a local file as an operating error; errors of Holdfast pass as they are, and so do defects. */
export function localError(error: unknown, { path, action }: LocalAction): unknown {
  if (isHoldfastError(error)) return error;
  const systemCode = error instanceof Error && "syscall" in error ? (error as NodeJS.ErrnoException).code : undefined;
  if (systemCode === undefined) return error;
  const meaning = meanings[systemCode] ?? { code: "FILE_IO_ERROR", problem: `gave ${systemCode}` };
  return new HoldfastError(meaning.code, `can't ${action} ${path}: it ${meaning.problem}`, { cause: error, details: { path, systemCode } });
}
