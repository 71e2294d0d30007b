/** Drives that are not what the settings say: each is refused or done without, and nothing is left behind. */
import { cp, mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { HoldfastError } from "../src/base/errors.ts";
import { writeChecksum } from "../src/codec/xxh3.ts";
import type { Drive } from "../src/drive/drive.ts";
import type { Store } from "../src/engine.ts";
import { encodeState, parseState } from "../src/format/state.ts";
import { filesBelow, makeTemporaryStore, refusal, type TemporaryStore } from "../src/testing/temporary-store.ts";

const threeDrives = { data: 2, parity: 1 };
let place: TemporaryStore;
beforeEach(async () => {
  place = await makeTemporaryStore(3);
});
afterEach(() => place.remove());

/** Makes a store with one object and closes it. */
async function makeStore(at: TemporaryStore = place, text = "kept"): Promise<void> {
  const store = await at.open();
  await (await store.createBucket("things")).put("a", text);
  await store.close();
}

async function textOf(store: Store, key = "a"): Promise<string> {
  return (await store.bucket("things").get(key)).text();
}

/** How the store says its drives are, each named by its directory. */
async function statesOf(store: Store): Promise<string[]> {
  const { sets } = await store.status();
  return sets.flatMap((set) => set.drives.map((drive) => `${drive.location?.split("/").at(-1) ?? "?"} ${drive.state}`)).sort();
}

async function changeLabel(drive: string, change: (bytes: Uint8Array) => Uint8Array): Promise<void> {
  const bytes = new Uint8Array(await readFile(join(drive, "label")));
  await writeFile(join(drive, "label"), change(bytes));
}

/** The same file as a later release would write it. */
function ofVersion(version: number, checksumAt: (length: number) => number): (bytes: Uint8Array) => Uint8Array {
  return (bytes) => {
    bytes[4] = version;
    const at = checksumAt(bytes.byteLength);
    writeChecksum(bytes, at, bytes.subarray(0, at));
    return bytes;
  };
}

describe("a new store is refused, and nothing is made or changed,", () => {
  it("on a path that is a file", async () => {
    await writeFile(place.drive(2), "hello");
    await refusal(place.open(), "DRIVE_NOT_A_DIRECTORY", place.drive(2), "name a directory");
    expect(await filesBelow(place.folder)).toEqual(["d2"]);
    expect(await readFile(place.drive(2), "utf8")).toBe("hello");
  });

  it("below a file", async () => {
    await writeFile(join(place.folder, "file"), "");
    await refusal(
      place.open({ drives: [place.drive(1), join(place.folder, "file", "d2")] }),
      "DRIVE_NOT_A_DIRECTORY",
      join(place.folder, "file", "d2"),
    );
    await refusal(place.open({ drives: [place.drive(1)], create: false }), "STORE_NOT_FOUND");
  });

  it("on a directory with something in it", async () => {
    await mkdir(place.drive(2));
    await writeFile(join(place.drive(2), "thesis.txt"), "years of work");
    await refusal(place.open(), "DRIVE_NOT_EMPTY", place.drive(2), "thesis.txt", "empty");
    expect(await filesBelow(place.folder)).toEqual(["d2/thesis.txt"]);
  });

  it("on one directory named twice, plainly, with detours, through a link, or inside another", async () => {
    const [d1, d2] = [place.drive(1), place.drive(2)];
    await refusal(place.open({ drives: [d1, d2, d1] }), "DRIVE_DUPLICATED", d1, "once");
    await refusal(place.open({ drives: [d1, join(place.folder, "x", "..", "d1")] }), "DRIVE_DUPLICATED", d1);
    await refusal(place.open({ drives: [d1, d2, join(d1, "more")] }), "DRIVE_DUPLICATED", d1, join(d1, "more"), "inside");
    expect(await filesBelow(place.folder)).toEqual([]);
    await mkdir(d1);
    await symlink(d1, d2);
    await refusal(place.open({ drives: [d1, d2] }), "DRIVE_DUPLICATED", d1, d2, "same directory");
    expect(await filesBelow(place.folder)).toEqual([]);
  });

  it("when it is only to be opened", async () => {
    await mkdir(place.drive(1));
    await refusal(place.open({ create: false }), "STORE_NOT_FOUND", "create: true", place.drive(1), place.drive(2));
    await expect(readFile(place.drive(2))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("with settings that do not fit the drives", async () => {
    await refusal(place.open({ survive: 2 }), "SETTINGS_INVALID", "survive: 2", "2+1");
    await refusal(place.open({ erasure: { data: 3, parity: 1 } }), "SETTINGS_INVALID", "3+1", "4 drives");
    await refusal(place.open({ stripeSize: "16MiB" }), "SETTINGS_INVALID", "memoryBudget", "96 MiB");
    expect(await filesBelow(place.folder)).toEqual([]);
    await makeStore();
  });

  it("where a label can't be read as one", async () => {
    await mkdir(place.drive(1));
    await writeFile(join(place.drive(1), "label"), "no label");
    await refusal(place.open(), "LABEL_DAMAGED", place.drive(1), "Restore the label");
    expect(await filesBelow(place.folder)).toEqual(["d1/label"]);
  });
});

describe("a store that exists", () => {
  it("opens with its drives in any order and anywhere", async () => {
    await makeStore();
    const moved = join(place.folder, "moved");
    await rename(place.drive(1), moved);
    const store = await place.open({ drives: [place.drive(3), moved, place.drive(2)] });
    expect(await textOf(store)).toBe("kept");
    expect(await statesOf(store)).toEqual(["d2 online", "d3 online", "moved online"]);
  });

  it("opens without as many drives as it has parity, and says which are missing and why", async () => {
    await makeStore();
    await rename(place.drive(2), join(place.folder, "away"));
    const store = await place.open();
    expect(await textOf(store)).toBe("kept");
    const [set] = (await store.status()).sets;
    const missing = set?.drives.find((drive) => drive.state === "offline");
    expect(missing).toMatchObject({ location: undefined, reason: expect.stringContaining(place.drive(2)) });
    await store.bucket("things").put("b", "written without it");
    await store.close();
    await rename(join(place.folder, "away"), place.drive(2));
    await rm(place.drive(3), { recursive: true });
    const other = await place.open({ drives: [place.drive(1), place.drive(2)] });
    expect(await textOf(other)).toBe("kept");
    await refusal(textOf(other, "c"), "OBJECT_NOT_FOUND");
  });

  it("does not open without more, and leaves the others as they are", async () => {
    await makeStore();
    await rename(place.drive(2), join(place.folder, "away2"));
    await rename(place.drive(3), join(place.folder, "away3"));
    const before = await filesBelow(place.drive(1));
    const error = await refusal(place.open(), "DRIVES_MISSING", "only 1 of 3", "2 are needed", place.drive(2), place.drive(3));
    expect(error.message.split(place.drive(2))).toHaveLength(2);
    expect(await filesBelow(place.drive(1))).toEqual(before);
    await rename(join(place.folder, "away2"), place.drive(2));
    expect(await textOf(await place.open())).toBe("kept");
  });

  it("leaves an empty directory, and any other one, alone without upkeep; upkeep rebuilds the lost drive on the empty one", async () => {
    await makeStore();
    await rename(place.drive(2), join(place.folder, "away"));
    await mkdir(place.drive(2));
    const empty = await place.open({ upkeep: false });
    expect((await empty.status()).sets[0]?.drives.find((drive) => drive.state === "offline")?.reason).toContain(
      `${place.drive(2)} is empty`,
    );
    expect(await textOf(empty)).toBe("kept");
    await empty.close();
    expect(await filesBelow(place.drive(2))).toEqual([]);
    await writeFile(join(place.drive(2), "holiday.jpg"), "x");
    const full = await place.open();
    expect((await full.status()).sets[0]?.drives.find((drive) => drive.state === "offline")?.reason).toContain("holiday.jpg");
    await full.close();
    expect(await filesBelow(place.drive(2))).toEqual(["holiday.jpg"]);
    await rm(join(place.drive(2), "holiday.jpg"));
    const rebuilt = await place.open();
    await rebuilt.rebuild();
    expect(await statesOf(rebuilt)).toEqual(["d1 online", "d2 online", "d3 online"]);
    expect(await textOf(rebuilt)).toBe("kept");
  });

  it("refuses a drive of another store", async () => {
    await makeStore();
    const other = await makeTemporaryStore(3);
    await makeStore(other, "theirs");
    const drives = [place.drive(1), place.drive(2), other.drive(3)];
    const error = await refusal(place.open({ drives }), "DRIVE_FOREIGN", other.drive(3), place.drive(1), "mount the right drive");
    expect(error.details).toMatchObject({ path: other.drive(3) });
    expect(await textOf(await other.open())).toBe("theirs");
    expect(await textOf(await place.open())).toBe("kept");
    await other.remove();
  });

  it("refuses drives swapped with those of another store", async () => {
    await makeStore();
    const other = await makeTemporaryStore(3);
    await makeStore(other, "theirs");
    await rename(place.drive(1), join(place.folder, "mine"));
    await rename(other.drive(1), place.drive(1));
    await rename(join(place.folder, "mine"), other.drive(1));
    await refusal(place.open(), "DRIVE_FOREIGN", place.drive(1));
    await refusal(other.open(), "DRIVE_FOREIGN", other.drive(1));
    await other.remove();
  });

  it("refuses a copy of one of its drives beside the drive", async () => {
    await makeStore();
    const copy = join(place.folder, "copy");
    await cp(place.drive(1), copy, { recursive: true });
    await refusal(place.open({ drives: [...place.drives, copy] }), "DRIVE_DUPLICATED", copy, place.drive(1), "copy");
    const instead = await place.open({ drives: [copy, place.drive(2), place.drive(3)] });
    expect(await textOf(instead)).toBe("kept");
  });

  it("refuses more drives than it has, a path that is a file, and other shards than it was made with", async () => {
    await makeStore();
    await refusal(place.open({ drives: [...place.drives, join(place.folder, "d4")] }), "SETTINGS_INVALID", "drives", "has 3 drives");
    await expect(readFile(join(place.folder, "d4"))).rejects.toMatchObject({ code: "ENOENT" });
    await writeFile(join(place.folder, "file"), "");
    await refusal(place.open({ drives: [place.drive(1), place.drive(2), join(place.folder, "file")] }), "DRIVE_NOT_A_DIRECTORY", "file");
    await refusal(place.open({ erasure: { data: 1, parity: 2 } }), "SETTINGS_INVALID", "erasure", "2+1");
    await refusal(place.open({ survive: 2 }), "SETTINGS_INVALID", "survive", "2+1");
    const store = await place.open({ erasure: threeDrives, survive: 0 });
    expect(await textOf(store)).toBe("kept");
  });
});

describe("a drive that is dying", () => {
  it("costs one drive, not the store: its label can't be read", async () => {
    await makeStore();
    const dying = new HoldfastError("DRIVE_IO_ERROR", `drive ${place.drive(1)} failed to read label (EIO): check the drive`);
    const store = await place.open(
      {},
      { wrapDrive: (drive, path) => (path === place.drive(1) ? withCall(drive, "readFile", () => Promise.reject(dying)) : drive) },
    );
    expect(await textOf(store)).toBe("kept");
    expect((await store.status()).sets[0]?.drives.find((drive) => drive.state === "offline")?.reason).toContain("EIO");
    await store.close();
    const again = await place.open();
    await again.rebuild();
    expect(await statesOf(again)).toEqual(["d1 online", "d2 online", "d3 online"]);
  });

  it("leaves the index to the next one", async () => {
    await makeStore();
    await rm(join(place.drive(1), "index"), { recursive: true });
    await writeFile(join(place.drive(1), "index"), "in the way");
    const store = await place.open();
    expect(await textOf(store)).toBe("kept");
    await store.bucket("things").put("b", "more");
    await store.close();
    expect((await stat(join(place.drive(2), "index"))).isDirectory()).toBe(true);
    expect(await textOf(await place.open(), "b")).toBe("more");
  });
});

it.runIf(process.platform === "linux")("opening leaves no file open, whether it succeeds or not", async () => {
  await makeStore();
  const openFiles = async (): Promise<number> => (await readdir("/proc/self/fd")).length;
  const rounds = async (): Promise<void> => {
    for (let i = 0; i < 5; i++) {
      const store = await place.open();
      await store.bucket("things").put("large", new Uint8Array(300_000));
      await store.close();
      await refusal(place.open({ erasure: { data: 1, parity: 1 } }), "SETTINGS_INVALID");
      await refusal(place.open({ drives: [place.drive(1)] }), "DRIVES_MISSING");
      await refusal(place.open({ indexDirectory: join(place.drive(1), "label") }), "SETTINGS_INVALID");
    }
  };
  await rounds();
  const before = await openFiles();
  await rounds();
  expect(await openFiles()).toBeLessThanOrEqual(before + 2);
});

describe("labels and states", () => {
  it("that are damaged cost one drive, not the store", async () => {
    await makeStore();
    await changeLabel(place.drive(1), (bytes) => bytes.fill(0, 20, 24));
    const store = await place.open();
    expect(await textOf(store)).toBe("kept");
    const reason = (await store.status()).sets[0]?.drives.find((drive) => drive.state === "offline")?.reason;
    expect(reason).toContain(place.drive(1));
    expect(reason).toContain("label is damaged");
    await store.close();
    await changeLabel(place.drive(2), () => new Uint8Array(0));
    await refusal(place.open(), "DRIVES_MISSING", place.drive(1), place.drive(2));
    await changeLabel(place.drive(3), (bytes) => bytes.subarray(0, bytes.byteLength - 1));
    await refusal(place.open(), "LABEL_DAMAGED", place.drive(1));
  });

  it("of a newer release stop the store, and say what to do", async () => {
    await makeStore();
    await changeLabel(
      place.drive(3),
      ofVersion(3, (length) => length - 8),
    );
    await refusal(place.open(), "FORMAT_TOO_NEW", place.drive(3), "version 3", "upgrade");
    await changeLabel(
      place.drive(3),
      ofVersion(1, (length) => length - 8),
    );
    await (await place.open()).close();
    const state = join(place.drive(2), "state");
    await writeFile(state, ofVersion(9, () => 120)(new Uint8Array(await readFile(state))));
    await refusal(place.open(), "FORMAT_TOO_NEW", "version 9", "upgrade");
    await writeFile(state, ofVersion(1, () => 120)(new Uint8Array(await readFile(state))));
    expect(await textOf(await place.open())).toBe("kept");
  });

  it("of frames of a newer release stop the store as well", async () => {
    const store = await place.open();
    await (await store.createBucket("things")).put("a", "kept");
    await store.close();
    for (const drive of place.drives) {
      const pack = join(drive, "packs", (await filesBelow(join(drive, "packs")))[0] as string);
      const bytes = new Uint8Array(await readFile(pack));
      const header = ofVersion(2, () => 120)(bytes.slice(0, 128));
      bytes.set(header);
      await writeFile(pack, bytes);
      await rm(join(drive, "index"), { recursive: true, force: true });
    }
    await refusal(place.open(), "FORMAT_TOO_NEW", "version 2", "upgrade");
  });

  it("of a state that is damaged on one drive are made good from the others", async () => {
    await makeStore();
    await writeFile(join(place.drive(1), "state"), "x");
    await rm(join(place.drive(2), "state"));
    expect(await textOf(await place.open())).toBe("kept");
  });
});

describe("the making of a store that was interrupted", () => {
  /** Puts drives back to where they were right after they got their labels. */
  async function forgetOpening(numbers: readonly number[]): Promise<void> {
    for (const number of numbers) {
      const drive = place.drive(number);
      const state = parseState(new Uint8Array(await readFile(join(drive, "state"))));
      await rm(join(drive, "packs"), { recursive: true, force: true });
      if (state === undefined) throw new Error("there is a state");
      await writeFile(
        join(drive, "state"),
        encodeState({ ...state, epoch: 0, firstSequence: 1, clean: true, lastSequence: 0, activePack: 1, activePosition: 0 }),
      );
    }
  }

  async function emptyDrives(numbers: readonly number[]): Promise<void> {
    for (const number of numbers) {
      await rm(place.drive(number), { recursive: true, force: true });
      await mkdir(place.drive(number));
    }
  }

  it.each([
    [[1], [2, 3]],
    [[1, 2], [3]],
    [[2, 3], [1]],
  ])("is ended by the next opening: labels on %j, none on %j", async (labelled, empty) => {
    await (await place.open()).close();
    await forgetOpening(labelled);
    await emptyDrives(empty);
    await makeStore();
    const store = await place.open({ create: false });
    expect(await textOf(store)).toBe("kept");
    expect(await statesOf(store)).toEqual(["d1 online", "d2 online", "d3 online"]);
    expect((await store.verify()).faults).toBe(0);
  });

  it("is ended also when it came to the very first file, and not where that says more", async () => {
    await (await place.open()).close();
    const used = await readFile(join(place.drive(1), "state"));
    await forgetOpening([1]);
    const unused = await readFile(join(place.drive(1), "state"));
    await emptyDrives([1, 2, 3]);
    await writeFile(join(place.drive(1), "state"), used);
    await refusal(place.open(), "DRIVE_NOT_EMPTY", "state");
    await writeFile(join(place.drive(1), "state"), unused);
    await makeStore();
    expect(await textOf(await place.open())).toBe("kept");
  });

  it("is ended also when it was begun twice", async () => {
    await (await place.open()).close();
    await rename(place.drive(1), join(place.folder, "first"));
    await emptyDrives([2, 3]);
    await (await place.open()).close();
    await rm(place.drive(1), { recursive: true });
    await rename(join(place.folder, "first"), place.drive(1));
    await forgetOpening([1, 2, 3]);
    await makeStore();
    expect(await textOf(await place.open())).toBe("kept");
  });

  it("takes all its drives, and waits for them", async () => {
    await (await place.open()).close();
    await forgetOpening([1, 2]);
    await emptyDrives([3]);
    await rename(place.drive(2), join(place.folder, "away"));
    await refusal(place.open(), "DRIVES_MISSING", "interrupted", place.drive(2));
    expect(await filesBelow(place.drive(3))).toEqual([]);
    await rename(join(place.folder, "away"), place.drive(2));
    await makeStore();
    expect(await statesOf(await place.open())).toEqual(["d1 online", "d2 online", "d3 online"]);
  });

  it("is never assumed of a store that was open once", async () => {
    await makeStore();
    await emptyDrives([2, 3]);
    await refusal(place.open(), "DRIVES_MISSING", `${place.drive(2)} is empty`, `${place.drive(3)} is empty`);
    expect(await filesBelow(place.drive(2))).toEqual([]);
  });

  it("is taken back when a drive fails on the way", async () => {
    const full = new HoldfastError("DRIVE_FULL", "no space left");
    const failing = place.open(
      {},
      { wrapDrive: (drive, path) => (path === place.drive(3) ? withCall(drive, "replaceFile", () => Promise.reject(full)) : drive) },
    );
    await expect(failing).rejects.toBe(full);
    expect(await filesBelow(place.folder)).toEqual([]);
    await makeStore();
  });
});

/** The drive, with one of its calls replaced. */
function withCall(drive: Drive, call: keyof Drive, replacement: () => Promise<never>): Drive {
  return new Proxy(drive, {
    get(target, name) {
      if (name === call) return replacement;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
