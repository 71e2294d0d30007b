/**
 * The stores that are compared, behind one small interface. All are asked for durable writes:
 *
 *   holdfast       coded over six directories; an answered put is on stable storage
 *   lmdb           as it opens by default: commits are synced behind the answer, so `settle` waits for the last sync
 *   lmdb, synced   `overlappingSync: false`: a put is answered once it is on stable storage, as Holdfast's are
 *   classic-level  LevelDB with `sync: true`
 *   files          one file an object: write, fsync, close. The folder is not synced, which a crash-safe put would also have to do
 */
import { mkdir, open as openFile, readFile } from "node:fs/promises";
import path from "node:path";
import { openStore } from "@holdfast/engine";
import { ClassicLevel } from "classic-level";
import { open as openLmdb } from "lmdb";

type StoreSettings = Parameters<typeof openStore>[0];

export interface Contestant {
  readonly name: string;
  put(key: string, value: Uint8Array): Promise<unknown>;
  /** The bench checks the number of bytes. */
  get(key: string): Promise<Uint8Array> | Uint8Array | undefined;
  /** Resolves when every answered put is on stable storage. */
  settle(): Promise<unknown>;
  close(): Promise<void>;
}

/** Makes a contestant in an empty directory. */
export type ContestantMaker = (directory: string) => Promise<Contestant>;

const nothingToSettle = async (): Promise<void> => undefined;

/** Six drives, 4+2. */
export function sixDrives(directory: string): Pick<StoreSettings, "drives" | "erasure"> {
  return { drives: [1, 2, 3, 4, 5, 6].map((number) => path.join(directory, `d${number}`)), erasure: { data: 4, parity: 2 } };
}

export function holdfast(name: string, settings: StoreSettings = {}): ContestantMaker {
  return async (directory) => {
    const store = await openStore({ ...sixDrives(directory), ...settings });
    const bucket = await store.createBucket("bench");
    return {
      name,
      put: (key, value) => bucket.put(key, value),
      get: async (key) => (await bucket.get(key)).bytes(),
      settle: nothingToSettle,
      close: () => store.close(),
    };
  };
}

export function lmdb(name: string, options: { overlappingSync?: boolean } = {}): ContestantMaker {
  return async (directory) => {
    const database = openLmdb<Uint8Array, string>({ path: path.join(directory, "data.mdb"), encoding: "binary", ...options });
    return {
      name,
      put: (key, value) => database.put(key, value),
      get: (key) => database.getBinary(key),
      settle: async () => database.flushed,
      close: () => database.close(),
    };
  };
}

export function classicLevel(name: string): ContestantMaker {
  return async (directory) => {
    const level = new ClassicLevel<string, Uint8Array>(directory, { keyEncoding: "utf8", valueEncoding: "view" });
    await level.open();
    return {
      name,
      put: (key, value) => level.put(key, value, { sync: true }),
      get: async (key) => (await level.get(key)) as Uint8Array,
      settle: nothingToSettle,
      close: () => level.close(),
    };
  };
}

export function plainFiles(name: string): ContestantMaker {
  return async (directory) => {
    const fileOf = (key: string): string => path.join(directory, key.replaceAll("/", "-"));
    return {
      name,
      async put(key, value) {
        const file = await openFile(fileOf(key), "w");
        try {
          await file.writeFile(value);
          await file.sync();
        } finally {
          await file.close();
        }
      },
      get: (key) => readFile(fileOf(key)),
      settle: nothingToSettle,
      close: nothingToSettle,
    };
  };
}

/** Opens contestants, each in a folder of its own, runs `work` and closes them all. */
export async function withContestants<T>(
  directory: string,
  makers: readonly ContestantMaker[],
  work: (all: Contestant[]) => Promise<T>,
): Promise<T> {
  const contestants: Contestant[] = [];
  try {
    for (const [number, make] of makers.entries()) {
      const own = path.join(directory, String(number));
      await mkdir(own, { recursive: true });
      contestants.push(await make(own));
    }
    return await work(contestants);
  } finally {
    for (const contestant of contestants) await contestant.close();
  }
}
