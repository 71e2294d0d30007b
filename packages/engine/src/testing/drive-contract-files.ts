/** The part of the drive contract about files written in place and files on their way in. */
import { expect, test } from "vitest";
import { isHoldfastError } from "../base/errors.ts";
import type { Drive } from "../drive/drive.ts";
import { arbitraryBytes, bytesOf, expectCode, makeFile } from "./contract-tools.ts";

/** `DriveFile`. */
export function filesInPlace(drive: () => Drive): void {
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
    expect(await drive().readFile("log")).toEqual(bytesOf(1, 2, 9, 9));
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
    await file.write(0, [arbitraryBytes(100_000)]);
    const into = new Uint8Array(1000).fill(0xee);
    expect(await file.read(99_500, into)).toBe(500);
    expect(into.subarray(0, 500)).toEqual(arbitraryBytes(100_000).subarray(99_500));
    expect(into.subarray(500).every((byte) => byte === 0xee)).toBe(true);
    expect(await file.read(100_000, into)).toBe(0);
    expect(await file.read(5_000_000, into)).toBe(0);
    expect(await file.read(0, new Uint8Array(0))).toBe(0);
    await file.close();
  });

  test("more buffers than one system call takes", async () => {
    const content = arbitraryBytes(3500 * 7);
    const buffers = Array.from({ length: 3500 }, (_, i) => content.subarray(i * 7, i * 7 + 7));
    const file = await drive().open("log", { create: true });
    await file.writeDurable(5, buffers);
    await file.write(5 + content.byteLength, buffers);
    const whole = await drive().readFile("log");
    expect(Buffer.compare(whole.subarray(5, 5 + content.byteLength), content)).toBe(0);
    expect(Buffer.compare(whole.subarray(5 + content.byteLength), content)).toBe(0);
    await file.close();
  });

  test("writeDurable and write take turns on one file", async () => {
    const file = await drive().open("log", { create: true });
    const content = arbitraryBytes(10_000);
    for (let at = 0; at < 10_000; at += 1000) {
      const piece = [content.subarray(at, at + 400), content.subarray(at + 400, at + 1000)];
      if ((at / 1000) % 3 === 0) await file.write(at, piece);
      else await file.writeDurable(at, piece);
    }
    await file.sync();
    expect(Buffer.compare(await drive().readFile("log"), content)).toBe(0);
    await file.close();
  });

  test("buffers of shared memory are written and filled", async () => {
    const shared = new Uint8Array(new SharedArrayBuffer(4096));
    shared.set(arbitraryBytes(4096));
    const file = await drive().open("log", { create: true });
    await file.writeDurable(0, [shared.subarray(0, 1000), shared.subarray(1000)]);
    const into = new Uint8Array(new SharedArrayBuffer(4096));
    expect(await file.read(0, into)).toBe(4096);
    expect(Buffer.compare(into, arbitraryBytes(4096))).toBe(0);
    await file.close();
  });

  test("truncate cuts, and what is written behind the cut later leaves zeros between", async () => {
    const file = await drive().open("log", { create: true });
    await file.write(0, [new Uint8Array(200_000).fill(5)]);
    await file.truncate(100);
    expect(await file.size()).toBe(100);
    await file.write(150_000, [bytesOf(6)]);
    const whole = await drive().readFile("log");
    expect(whole.byteLength).toBe(150_001);
    expect(whole.subarray(0, 100).every((byte) => byte === 5)).toBe(true);
    expect(whole.subarray(100, 150_000).every((byte) => byte === 0)).toBe(true);
    await file.truncate(0);
    expect(await drive().readFile("log")).toEqual(new Uint8Array(0));
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

/** Calls that overlap. */
export function overlap(drive: () => Drive): void {
  test("reads overlap writes, syncs and each other, and see whole earlier writes", async () => {
    const file = await drive().open("log", { create: true });
    const content = arbitraryBytes(64 * 1024);
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
    await file.write(0, [arbitraryBytes(1 << 20)]);
    const into = new Uint8Array(1 << 20);
    const reading = file.read(0, into);
    await Promise.resolve();
    await file.close();
    // The read was either let in before the close, and is whole, or refused.
    const outcome = await reading.catch((error: unknown) => error);
    if (isHoldfastError(outcome, "STORE_CLOSED")) return;
    expect(outcome).toBe(1 << 20);
    expect(Buffer.compare(into, arbitraryBytes(1 << 20))).toBe(0);
  });
}

/** `NewFile`. */
export function newFiles(drive: () => Drive): void {
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
    const content = arbitraryBytes(3 << 20);
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
