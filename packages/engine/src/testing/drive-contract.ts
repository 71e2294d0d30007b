/**
 * The behaviour of every `Drive`, sentence by sentence of the interface: run it for each implementation and each decorator.
 *
 * What only a broken drive can show (a sync that fails) is in the fault drive's own tests, power cuts are the simulator's.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ErrorCode } from "../base/errors.ts";
import { isHoldfastError } from "../base/errors.ts";
import { createSeededRandom } from "../base/random.ts";
import type { Drive } from "../drive/drive.ts";

/** A drive under test, empty at first. */
export interface DriveUnderTest {
  readonly drive: Drive;
  /** Closes the drive and opens the same one again. */
  reopen(): Promise<Drive>;
  /** Removes what the test left. */
  cleanUp(): Promise<void>;
}

const bytesOf = (...values: number[]): Uint8Array => Uint8Array.from(values);
const randomBytes = (length: number): Uint8Array => createSeededRandom(length).bytes(length);

/** Expects a call to reject with one of the codes. */
export async function expectCode(call: Promise<unknown>, ...codes: readonly ErrorCode[]): Promise<void> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isHoldfastError(error, ...codes)) expect(error, `to be a HoldfastError of ${codes.join(" or ")}`).toBe(codes[0]);
}

async function readAll(drive: Drive, name: string): Promise<Uint8Array> {
  return drive.readFile(name);
}

async function makeFile(drive: Drive, name: string, content: Uint8Array): Promise<void> {
  const file = await drive.create(name);
  await file.write([content]);
  await file.finish();
}

/** Declares the tests of the contract for one kind of drive. */
export function describeDriveContract(name: string, makeDrive: () => Promise<DriveUnderTest>): void {
  describe(`${name} keeps the drive contract`, () => {
    let under: DriveUnderTest;
    let drive: Drive;
    beforeEach(async () => {
      under = await makeDrive();
      drive = under.drive;
    });
    afterEach(() => under.cleanUp());

    describe("small files", () => smallFiles(() => drive));
    describe("names and folders", () => namesAndFolders(() => drive));
    describe("files in place", () => filesInPlace(() => drive));
    describe("overlap", () => overlap(() => drive));
    describe("new files", () => newFiles(() => drive));
    describe("life", () => life(() => under));
  });
}

function smallFiles(drive: () => Drive): void {
  test("replaceFile puts and replaces content", async () => {
    await drive().replaceFile("label", bytesOf(1, 2, 3));
    await drive().replaceFile("label", bytesOf(4));
    expect(await drive().readFile("label")).toEqual(bytesOf(4));
    expect(await drive().list("")).toEqual(["label"]);
  });

  test("an empty file is a file", async () => {
    await drive().replaceFile("a/empty", new Uint8Array(0));
    expect(await drive().readFile("a/empty")).toEqual(new Uint8Array(0));
  });

  test("a file that is not there is FILE_NOT_FOUND", async () => {
    await expectCode(drive().readFile("label"), "FILE_NOT_FOUND");
    await expectCode(drive().readFile("no/such/file"), "FILE_NOT_FOUND");
    await expectCode(drive().open("packs/0001", { create: false }), "FILE_NOT_FOUND");
  });

  test("what was read does not change with the file", async () => {
    await drive().replaceFile("label", bytesOf(1, 2, 3));
    const before = await drive().readFile("label");
    await drive().replaceFile("label", bytesOf(9, 9, 9));
    expect(before).toEqual(bytesOf(1, 2, 3));
  });

  test("a buffer is the caller's again when the call has settled", async () => {
    const buffer = bytesOf(1, 2, 3);
    await drive().replaceFile("label", buffer);
    const file = await drive().open("log", { create: true });
    await file.writeDurable(0, [buffer]);
    expect(buffer).toEqual(bytesOf(1, 2, 3));
    buffer.fill(0);
    expect(await drive().readFile("label")).toEqual(bytesOf(1, 2, 3));
    expect(await drive().readFile("log")).toEqual(bytesOf(1, 2, 3));
    await file.close();
  });
}

function namesAndFolders(drive: () => Drive): void {
  test("listings are sorted, tell files from folders and do not descend", async () => {
    for (const file of ["p/b", "p/a", "p/c/d", "p/c/e/f", "q/x", "p/10", "p/9"]) await drive().replaceFile(file, bytesOf(1));
    expect(await drive().list("p")).toEqual(["10", "9", "a", "b"]);
    expect(await drive().listFolders("p")).toEqual(["c"]);
    expect(await drive().listFolders("p/c")).toEqual(["e"]);
    expect(await drive().list("p/c/e")).toEqual(["f"]);
    expect(await drive().listFolders("")).toEqual(["p", "q"]);
    expect(await drive().list("")).toEqual([]);
  });

  test("a folder that is not there lists as empty", async () => {
    expect(await drive().list("packs")).toEqual([]);
    expect(await drive().listFolders("packs/0001")).toEqual([]);
  });

  test("unfinished files are in no listing", async () => {
    const file = await drive().create("blobs/a");
    await file.write([bytesOf(1)]);
    expect(await drive().list("blobs")).toEqual([]);
    expect(await drive().list("")).toEqual([]);
    expect(await drive().listFolders("")).not.toContain("incoming");
    await file.abort();
  });

  test.each(["", "/a", "a/", "a//b", "A", "a b", "..", "a/../b", ".hidden", "a.", "ä", "1/2/3/4/5", "incoming/a", "lock.00000001"])(
    "%j is no name",
    async (name) => {
      await expect(drive().readFile(name)).rejects.toThrow("invariant");
      await expect(drive().replaceFile(name, bytesOf(1))).rejects.toThrow("invariant");
    },
  );

  test("remove takes a file away, and is content when there is none", async () => {
    await drive().replaceFile("p/a", bytesOf(1));
    await drive().remove("p/a");
    await drive().remove("p/a");
    await drive().remove("no/such/file");
    await expectCode(drive().readFile("p/a"), "FILE_NOT_FOUND");
    expect(await drive().list("p")).toEqual([]);
  });

  test("removeFolder takes a folder without files and leaves one with files alone", async () => {
    await drive().replaceFile("p/q/a", bytesOf(1));
    await drive().removeFolder("p");
    expect(await drive().readFile("p/q/a")).toEqual(bytesOf(1));
    await drive().remove("p/q/a");
    expect(await drive().listFolders("p")).toEqual(["q"]);
    await drive().removeFolder("p");
    await drive().removeFolder("p");
    expect(await drive().listFolders("")).toEqual([]);
  });

  test("a folder comes back when it is needed again", async () => {
    await drive().replaceFile("p/q/a", bytesOf(1));
    await drive().remove("p/q/a");
    await drive().removeFolder("p/q");
    await makeFile(drive(), "p/q/b", bytesOf(2));
    expect(await drive().list("p/q")).toEqual(["b"]);
  });
}

function filesInPlace(drive: () => Drive): void {
  test("open with create makes the file, and finds it the next time", async () => {
    const first = await drive().open("packs/0001", { create: true });
    await first.writeDurable(0, [bytesOf(1, 2)]);
    await first.close();
    const second = await drive().open("packs/0001", { create: true });
    expect(await second.size()).toBe(2);
    await second.close();
    expect(await drive().list("packs")).toEqual(["0001"]);
  });

  test("buffers lie end to end from the position, empty ones take nothing", async () => {
    const file = await drive().open("log", { create: true });
    await file.write(0, [bytesOf(1, 2), new Uint8Array(0), bytesOf(3)]);
    await file.write(2, [bytesOf(9, 9)]);
    await file.write(1, []);
    await file.sync();
    expect(await readAll(drive(), "log")).toEqual(bytesOf(1, 2, 9, 9));
    await file.close();
  });

  test("holes read as zeros", async () => {
    const file = await drive().open("log", { create: true });
    await file.write(300_000, [bytesOf(7)]);
    expect(await file.size()).toBe(300_001);
    const into = new Uint8Array(300_001).fill(0xff);
    expect(await file.read(0, into)).toBe(300_001);
    expect(into.subarray(0, 300_000).every((byte) => byte === 0)).toBe(true);
    expect(into[300_000]).toBe(7);
    await file.close();
  });

  test("a read is short only at the end of the file", async () => {
    const file = await drive().open("log", { create: true });
    await file.write(0, [randomBytes(100_000)]);
    const into = new Uint8Array(1000).fill(0xee);
    expect(await file.read(99_500, into)).toBe(500);
    expect(into.subarray(0, 500)).toEqual(randomBytes(100_000).subarray(99_500));
    expect(into.subarray(500).every((byte) => byte === 0xee)).toBe(true);
    expect(await file.read(100_000, into)).toBe(0);
    expect(await file.read(5_000_000, into)).toBe(0);
    expect(await file.read(0, new Uint8Array(0))).toBe(0);
    await file.close();
  });

  test("more buffers than one system call takes", async () => {
    const content = randomBytes(3500 * 7);
    const buffers = Array.from({ length: 3500 }, (_, i) => content.subarray(i * 7, i * 7 + 7));
    const file = await drive().open("log", { create: true });
    await file.writeDurable(5, buffers);
    await file.write(5 + content.byteLength, buffers);
    const whole = await readAll(drive(), "log");
    expect(Buffer.compare(whole.subarray(5, 5 + content.byteLength), content)).toBe(0);
    expect(Buffer.compare(whole.subarray(5 + content.byteLength), content)).toBe(0);
    await file.close();
  });

  test("writeDurable and write take turns on one file", async () => {
    const file = await drive().open("log", { create: true });
    const content = randomBytes(10_000);
    for (let at = 0; at < 10_000; at += 1000) {
      const piece = [content.subarray(at, at + 400), content.subarray(at + 400, at + 1000)];
      if ((at / 1000) % 3 === 0) await file.write(at, piece);
      else await file.writeDurable(at, piece);
    }
    await file.sync();
    expect(Buffer.compare(await readAll(drive(), "log"), content)).toBe(0);
    await file.close();
  });

  test("buffers of shared memory are written and filled", async () => {
    const shared = new Uint8Array(new SharedArrayBuffer(4096));
    shared.set(randomBytes(4096));
    const file = await drive().open("log", { create: true });
    await file.writeDurable(0, [shared.subarray(0, 1000), shared.subarray(1000)]);
    const into = new Uint8Array(new SharedArrayBuffer(4096));
    expect(await file.read(0, into)).toBe(4096);
    expect(Buffer.compare(into, randomBytes(4096))).toBe(0);
    await file.close();
  });

  test("truncate cuts, and what is written behind the cut later leaves zeros between", async () => {
    const file = await drive().open("log", { create: true });
    await file.write(0, [new Uint8Array(200_000).fill(5)]);
    await file.truncate(100);
    expect(await file.size()).toBe(100);
    await file.write(150_000, [bytesOf(6)]);
    const whole = await readAll(drive(), "log");
    expect(whole.byteLength).toBe(150_001);
    expect(whole.subarray(0, 100).every((byte) => byte === 5)).toBe(true);
    expect(whole.subarray(100, 150_000).every((byte) => byte === 0)).toBe(true);
    await file.truncate(0);
    expect(await readAll(drive(), "log")).toEqual(new Uint8Array(0));
    await file.close();
  });

  test("a removed file stays readable and writable through its open handle", async () => {
    const file = await drive().open("packs/0001", { create: true });
    await file.writeDurable(0, [bytesOf(1, 2, 3)]);
    await drive().remove("packs/0001");
    await drive().replaceFile("packs/0001", bytesOf(9));
    const into = new Uint8Array(3);
    expect(await file.read(0, into)).toBe(3);
    expect(into).toEqual(bytesOf(1, 2, 3));
    await file.writeDurable(0, [bytesOf(4)]);
    expect(await drive().readFile("packs/0001")).toEqual(bytesOf(9));
    await file.close();
  });

  test("two handles of one file see the same bytes", async () => {
    const one = await drive().open("log", { create: true });
    const other = await drive().open("log", { create: false });
    await one.write(0, [bytesOf(1, 2, 3)]);
    const into = new Uint8Array(3);
    expect(await other.read(0, into)).toBe(3);
    expect(into).toEqual(bytesOf(1, 2, 3));
    await Promise.all([one.close(), other.close()]);
  });

  test("a closed handle refuses everything, and closes twice", async () => {
    const file = await drive().open("log", { create: true });
    await file.close();
    await file.close();
    await expectCode(file.read(0, new Uint8Array(1)), "STORE_CLOSED");
    await expectCode(file.write(0, [bytesOf(1)]), "STORE_CLOSED");
    await expectCode(file.sync(), "STORE_CLOSED");
  });
}

function overlap(drive: () => Drive): void {
  test("reads overlap writes, syncs and each other, and see whole earlier writes", async () => {
    const file = await drive().open("log", { create: true });
    const content = randomBytes(64 * 1024);
    await file.writeDurable(0, [content]);
    const reads: Promise<void>[] = [];
    for (let round = 1; round <= 20; round++) {
      for (let i = 0; i < 8; i++) {
        const into = new Uint8Array(1024);
        reads.push(
          file.read(i * 8192, into).then((count) => {
            expect(count).toBe(1024);
            expect(Buffer.compare(into, content.subarray(i * 8192, i * 8192 + 1024))).toBe(0);
          }),
        );
      }
      await file.writeDurable(round * 64 * 1024, [content]);
    }
    await Promise.all(reads);
    await file.close();
  });

  test("many files at once, far more than are let through together", async () => {
    const names = Array.from({ length: 200 }, (_, i) => `many/${i % 7}/f${i}`);
    await Promise.all(names.map((name, i) => (i % 2 === 0 ? drive().replaceFile(name, bytesOf(i)) : makeFile(drive(), name, bytesOf(i)))));
    const contents = await Promise.all(names.map((name) => drive().readFile(name)));
    expect(contents.map((content) => content[0])).toEqual(names.map((_, i) => i));
    const listed = await Promise.all([0, 1, 2, 3, 4, 5, 6].map((folder) => drive().list(`many/${folder}`)));
    expect(listed.flat().length).toBe(200);
  });

  test("close waits for the reads under way", async () => {
    const file = await drive().open("log", { create: true });
    await file.write(0, [randomBytes(1 << 20)]);
    const into = new Uint8Array(1 << 20);
    const reading = file.read(0, into);
    await Promise.resolve();
    await file.close();
    // The read was either let in before the close, and is whole, or refused.
    const outcome = await reading.catch((error: unknown) => error);
    if (isHoldfastError(outcome, "STORE_CLOSED")) return;
    expect(outcome).toBe(1 << 20);
    expect(Buffer.compare(into, randomBytes(1 << 20))).toBe(0);
  });
}

function newFiles(drive: () => Drive): void {
  test("a new file is there, whole, once it is finished, and not before", async () => {
    const file = await drive().create("blobs/aa/1");
    expect(file.name).toBe("blobs/aa/1");
    await file.write([bytesOf(1), bytesOf(2, 3)]);
    await expectCode(drive().readFile("blobs/aa/1"), "FILE_NOT_FOUND");
    await file.write([bytesOf(4)]);
    await file.finish();
    expect(await drive().readFile("blobs/aa/1")).toEqual(bytesOf(1, 2, 3, 4));
    expect(await drive().list("blobs/aa")).toEqual(["1"]);
  });

  test("a new file may be empty, large, or of many buffers", async () => {
    await (await drive().create("b/empty")).finish();
    expect(await drive().readFile("b/empty")).toEqual(new Uint8Array(0));
    const content = randomBytes(3 << 20);
    const file = await drive().create("b/large");
    await file.write([content.subarray(0, 1 << 20)]);
    await file.write(Array.from({ length: 2048 }, (_, i) => content.subarray((1 << 20) + i * 1024, (1 << 20) + (i + 1) * 1024)));
    await file.finish();
    expect(Buffer.compare(await drive().readFile("b/large"), content)).toBe(0);
  });

  test("abort leaves nothing, also twice and after finish", async () => {
    const file = await drive().create("b/1");
    await file.write([bytesOf(1)]);
    await file.abort();
    await file.abort();
    await expectCode(drive().readFile("b/1"), "FILE_NOT_FOUND");
    const finished = await drive().create("b/2");
    await finished.finish();
    await finished.abort();
    expect(await drive().list("b")).toEqual(["2"]);
  });

  test("finish never replaces: FILE_EXISTS, the old file stays, the drive stays usable", async () => {
    await drive().replaceFile("b/1", bytesOf(1));
    const file = await drive().create("b/1");
    await file.write([bytesOf(2)]);
    await expectCode(file.finish(), "FILE_EXISTS");
    await file.abort();
    expect(await drive().readFile("b/1")).toEqual(bytesOf(1));
    expect(drive().failure).toBeUndefined();
    await drive().replaceFile("b/2", bytesOf(2));
  });

  test("of two finishing under one name exactly one wins", async () => {
    const files = await Promise.all([drive().create("b/1"), drive().create("b/1")]);
    await Promise.all(files.map((file, i) => file.write([bytesOf(i)])));
    const outcomes = await Promise.allSettled(files.map((file) => file.finish()));
    expect(outcomes.filter((outcome) => outcome.status === "fulfilled").length).toBe(1);
    const winner = outcomes.findIndex((outcome) => outcome.status === "fulfilled");
    expect(await drive().readFile("b/1")).toEqual(bytesOf(winner));
  });
}

function life(under: () => DriveUnderTest): void {
  test("what was durable is there after reopening, what was unfinished is not", async () => {
    const { drive } = under();
    await drive.replaceFile("label", bytesOf(1));
    await makeFile(drive, "b/1", bytesOf(2));
    const log = await drive.open("packs/0001", { create: true });
    await log.writeDurable(10, [bytesOf(3)]);
    const unfinished = await drive.create("b/2");
    await unfinished.write([bytesOf(4)]);
    const again = await under().reopen();
    expect(await again.readFile("label")).toEqual(bytesOf(1));
    expect(await again.readFile("b/1")).toEqual(bytesOf(2));
    expect(await again.readFile("packs/0001")).toEqual(bytesOf(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3));
    expect(await again.list("b")).toEqual(["1"]);
    await again.close();
  });

  test("a closed drive refuses everything, its files too", async () => {
    const { drive } = under();
    const file = await drive.open("log", { create: true });
    await drive.close();
    await expectCode(drive.readFile("log"), "STORE_CLOSED");
    await expectCode(drive.replaceFile("log", bytesOf(1)), "STORE_CLOSED");
    await expectCode(file.write(0, [bytesOf(1)]), "STORE_CLOSED");
  });

  test("space is told in bytes", async () => {
    const space = await under().drive.space();
    expect(space.totalBytes).toBeGreaterThan(0);
    expect(space.freeBytes).toBeGreaterThanOrEqual(0);
    expect(space.freeBytes).toBeLessThanOrEqual(space.totalBytes);
  });

  test("a drive says where it is and has not failed", () => {
    expect(under().drive.location).not.toBe("");
    expect(under().drive.failure).toBeUndefined();
  });
}

/** Declares the tests of running out of space, for drives that can be made small (about 1 MiB). */
export function describeFullDrive(name: string, makeSmallDrive: () => Promise<DriveUnderTest>): void {
  describe(`${name} refuses cleanly when it is full`, () => {
    let under: DriveUnderTest;
    let drive: Drive;
    beforeEach(async () => {
      under = await makeSmallDrive();
      drive = under.drive;
    });
    afterEach(() => under.cleanUp());
    const large = (): Uint8Array[] => Array.from({ length: 40 }, () => new Uint8Array(128 * 1024).fill(1));

    test.each(["write", "writeDurable"] as const)("%s is DRIVE_FULL, leaves the file readable and takes the space back with a cut", async (method) => {
      const file = await drive.open("log", { create: true });
      await file.writeDurable(0, [bytesOf(1, 2, 3)]);
      await expectCode(file[method](3, large()), "DRIVE_FULL");
      expect(drive.failure).toBeUndefined();
      await file.truncate(3);
      expect(await drive.readFile("log")).toEqual(bytesOf(1, 2, 3));
      await file[method](3, [bytesOf(4)]);
      await file.sync();
      expect(await drive.readFile("log")).toEqual(bytesOf(1, 2, 3, 4));
      await file.close();
    });

    test("a new file is DRIVE_FULL, and aborting it gives the space back", async () => {
      const file = await drive.create("b/1");
      await expectCode(file.write(large()), "DRIVE_FULL");
      await file.abort();
      expect(drive.failure).toBeUndefined();
      await makeFile(drive, "b/2", new Uint8Array(300 * 1024));
      expect(await drive.list("b")).toEqual(["2"]);
    });

    test("replaceFile is DRIVE_FULL, keeps the old content and does not fail the drive", async () => {
      await drive.replaceFile("label", bytesOf(1));
      await expectCode(drive.replaceFile("label", new Uint8Array(4 << 20)), "DRIVE_FULL");
      expect(await drive.readFile("label")).toEqual(bytesOf(1));
      expect(drive.failure).toBeUndefined();
      await drive.replaceFile("label", bytesOf(2));
    });

    test("a full drive can be read and emptied", async () => {
      const file = await drive.open("log", { create: true });
      await file.write(0, [new Uint8Array(200_000).fill(3)]);
      await expectCode(file.write(200_000, large()), "DRIVE_FULL");
      const into = new Uint8Array(200_000);
      expect(await file.read(0, into)).toBe(200_000);
      await file.close();
      await drive.remove("log");
      await makeFile(drive, "b/1", new Uint8Array(300 * 1024));
    });
  });
}
