import { describe, expect, it } from "vitest";
import { isHoldfastError } from "../base/errors.ts";
import type { Drive } from "../drive/drive.ts";
import { decodeBlobLocation } from "../format/blob-location.ts";
import { createFaultDrive } from "../testing/fault-drive.ts";
import { heal } from "../testing/heal.ts";
import { bodyOf, errorOf, inPieces, keyOf, putBlob, readBlob, removeBlob } from "../testing/set-operations.ts";
import { createSetDrives, openTestSet } from "../testing/test-set.ts";
import type { BlobLocation } from "./erasure-set.ts";

const profile = { data: 4, parity: 2 };
const body = bodyOf("body", 500_000);

/** Shard files on all drives. */
async function shardFiles(drives: readonly Drive[]): Promise<string[]> {
  const names: string[] = [];
  for (const drive of drives) {
    for (const folder of await drive.listFolders("blobs"))
      for (const name of await drive.list(`blobs/${folder}`)) names.push(`${folder}/${name}`);
  }
  return names;
}

/** The first bytes, then `end`. */
async function* startThen(end: () => Promise<void>): AsyncGenerator<Uint8Array> {
  yield body.subarray(0, 200_000);
  await end();
  yield body.subarray(200_000);
}

describe("a blob that is not finished", () => {
  it("leaves nothing when its signal fires in the middle, also when the source never answers", async () => {
    for (const waitForever of [false, true]) {
      const drives = await createSetDrives(6);
      const set = await openTestSet(drives, { profile });
      const abort = new AbortController();
      const source = startThen(async () => {
        setImmediate(() => abort.abort());
        await new Promise((resolve) => (waitForever ? undefined : setTimeout(resolve, 5)));
      });
      expect(await errorOf(set.writeBlob(source, { digests: [], signal: abort.signal }))).toMatchObject({ code: "ABORTED" });
      expect(await shardFiles(drives)).toEqual([]);
      await set.close();
    }
  });

  it("leaves nothing when its source throws, and passes the error on", async () => {
    const drives = await createSetDrives(6);
    const set = await openTestSet(drives, { profile });
    const source = startThen(() => Promise.reject(new Error("source")));
    expect(await errorOf(set.writeBlob(source, { digests: ["md5"] }))).toMatchObject({ message: "source" });
    expect(await shardFiles(drives)).toEqual([]);
    await set.close();
  });

  it("leaves nothing when too many drives fail at any of its calls, and everything works without one drive", async () => {
    for (const operation of ["create", "append", "finish"]) {
      for (const failing of [1, 2]) {
        const inner = await createSetDrives(6);
        const drives = inner.map((drive, i) =>
          createFaultDrive(drive, { faults: i < failing ? [`${operation} blobs/* #1: error DRIVE_IO_ERROR`] : [] }),
        );
        const set = await openTestSet(drives, { profile });
        const written = await set.writeBlob(inPieces(body), { digests: [] }).catch((error: unknown) => {
          if (!isHoldfastError(error, "WRITE_QUORUM_LOST")) throw error;
          return undefined;
        });
        expect(written === undefined).toBe(failing > 1);
        if (written === undefined) expect(await shardFiles(inner)).toEqual([]);
        else {
          await set.commit({ decide: (transaction) => transaction.addBlob(written.blob) });
          expect(Buffer.compare(await readBlob(set, written.blob), body)).toBe(0);
        }
        await set.close();
      }
    }
  });

  it("is ended by closing the set, also when its source never answers", async () => {
    const drives = await createSetDrives(6);
    const set = await openTestSet(drives, { profile });
    let reached: () => void = () => undefined;
    const middle = new Promise<void>((resolve) => {
      reached = resolve;
    });
    const writing = errorOf(
      set.writeBlob(
        startThen(() => {
          reached();
          return new Promise(() => undefined);
        }),
        { digests: [] },
      ),
    );
    await middle;
    await set.close();
    expect(await writing).toMatchObject({ code: "STORE_CLOSED" });
    expect(await shardFiles(drives)).toEqual([]);
  });

  it("is removed when nobody has named it: discarded, at closing, after a crash", async () => {
    const drives = await createSetDrives(6);
    const set = await openTestSet(drives, { profile });
    const discarded = await set.writeBlob(inPieces(body), { digests: [] });
    await set.discardBlob(discarded.blob);
    expect(await shardFiles(drives)).toEqual([]);
    const unnamed = await set.writeBlob(inPieces(body), { digests: [] });
    await set.close();
    expect(await shardFiles(drives)).toEqual([]);
    await set.discardBlob(unnamed.blob);
    const crashing = await openTestSet(drives, { profile });
    const named = await putBlob(crashing, "named", body);
    await crashing.writeBlob(inPieces(body), { digests: [] });
    expect(await shardFiles(drives)).toHaveLength(12);
    const again = await openTestSet(drives, { profile });
    expect(Buffer.compare(await readBlob(again, named), body)).toBe(0);
    await again.close();
    expect(await shardFiles(drives)).toHaveLength(6);
  });

  it("is removed from a drive that was away when the others were tidied", async () => {
    const drives = await createSetDrives(6);
    const crashing = await openTestSet(drives, { profile });
    await crashing.writeBlob(inPieces(body), { digests: [] });
    const away = await openTestSet([undefined, ...drives.slice(1)], { profile });
    await away.close();
    expect(await shardFiles(drives)).toHaveLength(1);
    const back = await openTestSet(drives, { profile });
    await heal(back);
    await back.close();
    expect(await shardFiles(drives)).toEqual([]);
  });
});

describe("a blob that is given up", () => {
  it("stays readable for those who have it open, and goes when the last of them has closed it", async () => {
    const drives = await createSetDrives(6);
    const set = await openTestSet(drives, { profile });
    const blob = await putBlob(set, "a", body);
    const readers = [set.openBlob(blob), set.openBlob(blob)];
    await removeBlob(set, "a");
    for (const reader of readers) {
      const pieces: Uint8Array[] = [];
      for await (const piece of reader.read({ start: 0, end: reader.sizeBytes })) pieces.push(piece);
      expect(Buffer.compare(Buffer.concat(pieces), body)).toBe(0);
      expect(await shardFiles(drives)).toHaveLength(6);
      reader.close();
      reader.close();
    }
    await set.close();
    expect(await shardFiles(drives)).toEqual([]);
  });

  it("closed in the middle of a read, is read to the end of that read", async () => {
    const drives = await createSetDrives(6);
    const set = await openTestSet(drives, { profile });
    const blob = await putBlob(set, "a", body);
    const reader = set.openBlob(blob);
    const pieces: Uint8Array[] = [];
    for await (const piece of reader.read({ start: 0, end: reader.sizeBytes })) {
      if (pieces.push(piece) === 1) {
        reader.close();
        await removeBlob(set, "a");
      }
    }
    expect(Buffer.compare(Buffer.concat(pieces), body)).toBe(0);
    await set.close();
    expect(await shardFiles(drives)).toEqual([]);
    expect(set.status().drives.every((drive) => drive.readFaults === 0)).toBe(true);
  });

  it("goes at the next opening when it was still open at closing, or a drive of it was away", async () => {
    const drives = await createSetDrives(6);
    const set = await openTestSet(drives, { profile });
    const open = set.openBlob(await putBlob(set, "a", body));
    await removeBlob(set, "a");
    await putBlob(set, "b", body);
    await set.close();
    open.close();
    const away = await openTestSet([...drives.slice(0, 5), undefined], { profile });
    await removeBlob(away, "b");
    await away.close();
    expect(await shardFiles(drives)).toHaveLength(2);
    const back = await openTestSet(drives, { profile });
    await heal(back);
    await back.close();
    expect(await shardFiles(drives)).toEqual([]);
  });

  it("does not come back with a lost batch", async () => {
    const inner = await createSetDrives(6);
    const drives = inner.map((drive) => createFaultDrive(drive));
    const set = await openTestSet(drives, { profile });
    const blob = await putBlob(set, "a", body);
    for (const drive of drives) drive.setFaults("writeDurable packs/* #1: error DRIVE_FULL");
    expect(await errorOf(removeBlob(set, "a"))).toMatchObject({ code: "DRIVE_FULL" });
    expect(Buffer.compare(await readBlob(set, blob), body)).toBe(0);
    await removeBlob(set, "a");
    await set.close();
    expect(await shardFiles(inner)).toEqual([]);
  });
});

describe("blobs of a set", () => {
  it("have names that no other session uses", async () => {
    const drives = await createSetDrives(6);
    const names = new Set<string>();
    for (let session = 0; session < 4; session++) {
      const set = await openTestSet(drives, { profile });
      for (const i of [0, 1]) {
        const { blob } = decodeBlobLocation(await putBlob(set, `${session}-${i}`, bodyOf("small", 10)));
        names.add(`${blob.epoch}-${blob.counter}`);
      }
      if (session % 2 === 0) await set.close();
    }
    expect(names.size).toBe(8);
    const set = await openTestSet(drives, { profile });
    for (let session = 0; session < 4; session++) {
      const blob = set.get(keyOf(`${session}-0`))?.value as BlobLocation;
      expect(Buffer.compare(await readBlob(set, blob), bodyOf("small", 10))).toBe(0);
    }
    await set.close();
  });
});
