import { describe, expect, test } from "vitest";
import { HoldfastError } from "../base/errors.ts";
import { type FailedCall, mapDriveError } from "./map-error.ts";

const write: FailedCall = { location: "/d1", operation: "write", name: "packs/0001", mutates: true };
const read: FailedCall = { location: "/d1", operation: "read", name: "packs/0001", mutates: false, needsFile: true };

function systemError(code: string): Error {
  return Object.assign(new Error(code), { code, syscall: "pwritev" });
}

describe("errors of the system", () => {
  test.each([
    [write, "ENOSPC", "DRIVE_FULL"],
    [write, "EDQUOT", "DRIVE_FULL"],
    [write, "EROFS", "DRIVE_UNWRITABLE"],
    [write, "EACCES", "DRIVE_UNWRITABLE"],
    [write, "EPERM", "DRIVE_UNWRITABLE"],
    [read, "EACCES", "DRIVE_UNREADABLE"],
    [read, "ENOENT", "FILE_NOT_FOUND"],
    [read, "ENOTDIR", "FILE_NOT_FOUND"],
    [read, "EISDIR", "FILE_NOT_FOUND"],
    [write, "ENOENT", "DRIVE_IO_ERROR"],
    [{ ...read, rootGone: true }, "ENOENT", "DRIVE_UNREADABLE"],
    [read, "ENODEV", "DRIVE_UNREADABLE"],
    [read, "ESTALE", "DRIVE_UNREADABLE"],
    [read, "EIO", "DRIVE_IO_ERROR"],
    [write, "EIO", "DRIVE_IO_ERROR"],
    [write, "EMFILE", "DRIVE_IO_ERROR"],
    [read, "ENFILE", "DRIVE_IO_ERROR"],
    [read, "ESOMETHINGNEW", "DRIVE_IO_ERROR"],
  ] as const)("%o, %s is %s", (call, system, code) => {
    const error = mapDriveError(systemError(system), call);
    expect(error).toMatchObject({ code, details: { drive: "/d1", path: "/d1/packs/0001", syscall: "pwritev", errno: system } });
    expect(error.message).toContain("/d1");
  });

  test("too many open files says which limit to raise", () => {
    expect(mapDriveError(systemError("EMFILE"), read).message).toContain("ulimit -n");
  });

  test("what is no system error is an input/output error with its cause", () => {
    const cause = new Error("odd");
    expect(mapDriveError(cause, write)).toMatchObject({ code: "DRIVE_IO_ERROR", cause });
    expect(mapDriveError(undefined, write)).toMatchObject({ code: "DRIVE_IO_ERROR" });
  });

  test("what is mapped already stays as it is", () => {
    const error = new HoldfastError("FILE_EXISTS", "there");
    expect(mapDriveError(error, write)).toBe(error);
  });
});
