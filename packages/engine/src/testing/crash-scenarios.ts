/**
 * Short scripts on whole stores, for `exploreCrashes`. `prepare` runs with the power on; the power may be cut at every step of `run`.
 * Operations in one `Promise.all` are under way together, so that batches and drives overlap.
 */
import type { CrashLab, CrashShape } from "./crash-lab.ts";

export interface CrashScenario extends CrashShape {
  readonly name: string;
  /** Fills the store; it is closed afterwards, unless `unclean`. */
  prepare?(lab: CrashLab): Promise<void>;
  /** The preparation ends with a power cut instead of a closed store. */
  readonly unclean?: boolean;
  /** Opens the store, works on it, closes it. */
  run(lab: CrashLab): Promise<void>;
}

const small = 200;
const large = 900;
const twoStripes = 150_000;
const three = { erasure: { data: 2, parity: 1 } } as const;
const six = { erasure: { data: 4, parity: 2 } } as const;
const four = { erasure: { data: 2, parity: 2 }, settings: { survive: 2 } } as const;
const two = { erasure: { data: 1, parity: 1 } } as const;
/** Packed bodies that fill packs soon. */
const packing = { settings: { inlineLimit: "32KiB" } } as const;

async function withBucket(lab: CrashLab, options: { versioning?: "enabled" } = {}) {
  const client = await lab.open();
  await client.createBucket(options);
  return client;
}

/** A bucket with small objects `s1` … and large ones `l1` …. */
async function withObjects(lab: CrashLab) {
  const client = await withBucket(lab);
  for (let i = 1; i <= 3; i++) {
    await client.put(`s${i}`, lab.body(small + i), { tags: { n: String(i) } });
    await client.put(`l${i}`, lab.body(large + i));
  }
}

function newestVersion(lab: CrashLab, unit: string): string {
  const [newest = ""] = lab.oracle.get(unit) ?? [];
  return newest.slice(0, newest.indexOf(" "));
}

export const crashScenarios: readonly CrashScenario[] = [
  {
    name: "a new store",
    ...three,
    async run(lab) {
      const client = await withBucket(lab);
      await client.put("first", lab.body(small));
      await lab.close();
    },
  },
  {
    name: "put small",
    ...six,
    prepare: async (lab) => void (await withBucket(lab)),
    async run(lab) {
      const client = await lab.open();
      await client.put("alone", lab.body(small));
      await Promise.all(["a", "b", "c", "d"].map((key) => client.put(key, lab.body(small))));
      await Promise.all([client.put("a", lab.body(small)), client.put("new", lab.body(small), { ifNoneMatch: "*" })]);
      await lab.close();
    },
  },
  {
    name: "put large",
    ...six,
    prepare: async (lab) => void (await withBucket(lab)),
    async run(lab) {
      const client = await lab.open();
      await client.put("two stripes", lab.body(twoStripes));
      await Promise.all([client.put("a", lab.body(large)), client.put("b", lab.body(large)), client.put("c", lab.body(small))]);
      await client.put("a", lab.body(large));
      await lab.close();
    },
  },
  {
    name: "put many",
    ...three,
    prepare: withObjects,
    async run(lab) {
      const client = await lab.open();
      await client.putMany([1, 2, 3, 4].map((i) => ({ key: `s${i}`, body: lab.body(small) })));
      await client.putMany([1, 2, 3].map((i) => ({ key: `m${i}`, body: lab.body(i === 2 ? large : small) })));
      await lab.close();
    },
  },
  {
    name: "overwrite",
    ...three,
    prepare: withObjects,
    async run(lab) {
      const client = await lab.open();
      await client.put("s1", lab.body(small));
      await client.put("s2", lab.body(large));
      await client.put("l1", lab.body(small));
      await client.put("l2", lab.body(large));
      await Promise.all([client.put("s1", lab.body(large)), client.put("l1", lab.body(large))]);
      await Promise.all([client.put("s1", lab.body(0)), client.setTags("s3", { changed: "yes" })]);
      await lab.close();
    },
  },
  {
    name: "delete",
    ...six,
    prepare: withObjects,
    async run(lab) {
      const client = await lab.open();
      await client.delete("s1");
      await client.delete("l1");
      await client.put("s1", lab.body(small));
      await Promise.all([client.delete("s1"), client.deleteMany(["s2", "l2", "never there"])]);
      await lab.close();
    },
  },
  {
    name: "multipart",
    ...three,
    prepare: withObjects,
    async run(lab) {
      const client = await lab.open();
      const [first, second] = await Promise.all([client.createUpload("l1"), client.createUpload("given up")]);
      await Promise.all([client.uploadPart(first, 4, lab.body(large)), client.uploadPart(second, 1, lab.body(large))]);
      await Promise.all([client.uploadPart(first, 4, lab.body(large)), client.uploadPart(second, 2, lab.body(small))]);
      await client.complete(first);
      await client.abort(second);
      const third = await client.createUpload("small");
      await client.uploadPart(third, 1, lab.body(small));
      await client.complete(third);
      await lab.close();
    },
  },
  {
    name: "copy",
    ...three,
    prepare: withObjects,
    async run(lab) {
      const client = await lab.open();
      await client.copy("s1", "copy of s1");
      await client.copy("l1", "copy of l1");
      await Promise.all([client.copy("s2", "l2"), client.copy("l3", "s3")]);
      await client.delete("l1");
      await lab.close();
    },
  },
  {
    name: "versions",
    ...four,
    prepare: async (lab) => {
      const client = await withBucket(lab, { versioning: "enabled" });
      await client.put("v", lab.body(small));
      await client.put("v", lab.body(large));
    },
    async run(lab) {
      const client = await lab.open();
      await client.put("v", lab.body(small));
      await client.delete("v");
      const [marker, newest, large] = (lab.oracle.get("crash-bucket/v") as string[]).map((line) => line.split(" ")[0] as string);
      await client.deleteVersion("v", marker as string);
      await Promise.all([client.deleteVersion("v", large as string), client.put("w", lab.body(small))]);
      await client.deleteVersion("v", newest as string);
      await client.setVersioning("suspended");
      await client.put("v", lab.body(small));
      await client.delete("v");
      await lab.close();
    },
  },
  {
    name: "buckets",
    ...two,
    prepare: async (lab) => void (await withBucket(lab)),
    async run(lab) {
      const client = await lab.open();
      const other = client.in("other-bucket");
      await other.createBucket({ versioning: "enabled" });
      await other.put("a", lab.body(small));
      await other.deleteVersion("a", newestVersion(lab, "other-bucket/a"));
      await other.deleteBucket();
      await other.createBucket();
      await other.put("a", lab.body(small));
      await lab.close();
    },
  },
  {
    name: "seal",
    ...two,
    ...packing,
    prepare: async (lab) => void (await withBucket(lab)),
    async run(lab) {
      const client = await lab.open();
      for (let i = 0; i < 5; i++) await Promise.all([0, 1].map((j) => client.put(`${i}${j}`, lab.body(16_000))));
      await client.delete("00");
      await lab.close();
    },
  },
  {
    name: "seal on six drives",
    ...six,
    ...packing,
    prepare: async (lab) => {
      const client = await withBucket(lab);
      for (let i = 0; i < 7; i++) await client.put(`p${i}`, lab.body(32_000));
    },
    async run(lab) {
      const client = await lab.open();
      await Promise.all([0, 1, 2].map((j) => client.put(`a${j}`, lab.body(30_000))));
      await client.put("b", lab.body(small));
      await lab.close();
    },
  },
  {
    name: "recovery",
    ...three,
    unclean: true,
    prepare: async (lab) => {
      await withObjects(lab);
      const client = await lab.open();
      await client.put("l1", lab.body(large));
      await client.put("s1", lab.body(small));
      void client.put("s2", lab.body(small)).catch(() => undefined);
      void client.put("l3", lab.body(large)).catch(() => undefined);
    },
    async run(lab) {
      const client = await lab.open();
      await client.put("s1", lab.body(small));
      await client.delete("l1");
      await lab.close();
    },
  },
  {
    name: "a drive away at opening, and back",
    ...three,
    settings: { survive: 0 },
    prepare: withObjects,
    async run(lab) {
      let client = await lab.open({ absent: [1] });
      await client.put("s1", lab.body(small));
      await client.delete("s2");
      await client.put("l1", lab.body(large));
      await lab.close();
      client = await lab.open();
      await client.put("s3", lab.body(small));
      await client.delete("l2");
      await lab.close();
    },
  },
  {
    name: "two of six drives away at opening, and back",
    ...six,
    prepare: withObjects,
    async run(lab) {
      let client = await lab.open({ absent: [0, 4] });
      await Promise.all([client.put("s1", lab.body(small)), client.put("l1", lab.body(large)), client.delete("l2")]);
      await lab.close();
      client = await lab.open({ absent: [2] });
      await Promise.all([client.put("s2", lab.body(small)), client.put("l1", lab.body(large)), client.delete("s1")]);
      await lab.close();
    },
  },
  {
    name: "a drive lost while writing",
    ...six,
    prepare: withObjects,
    async run(lab) {
      const client = await lab.open();
      await client.put("s1", lab.body(small));
      lab.drive(3).goOffline();
      await Promise.all([client.put("s2", lab.body(small)), client.put("l1", lab.body(large))]);
      await client.delete("l2");
      await client.put("l3", lab.body(large));
      await lab.close();
    },
  },
  {
    name: "writes taken back",
    ...three,
    prepare: withObjects,
    async run(lab) {
      const client = await lab.open();
      const refused = (write: Promise<void>): Promise<unknown> => write.catch(() => undefined);
      lab.drive(0).setFaults("writeDurable packs/* #2: error DRIVE_FULL", "writeDurable packs/* #5: error DRIVE_FULL");
      lab.drive(1).setFaults("writeDurable packs/* #5: error DRIVE_FULL");
      await client.put("s1", lab.body(small));
      await Promise.all([refused(client.put("s2", lab.body(small))), refused(client.put("s3", lab.body(small)))]);
      await refused(client.put("s2", lab.body(small)));
      await client.put("s3", lab.body(small));
      await lab.close();
    },
  },
  {
    name: "a drive that fails to sync",
    ...six,
    prepare: withObjects,
    async run(lab) {
      const client = await lab.open();
      lab.drive(2).setFaults("writeDurable packs/* #2: error DRIVE_IO_ERROR");
      for (let i = 0; i < 3; i++) await Promise.all([client.put("s1", lab.body(small)), client.put("s2", lab.body(small))]);
      await client.put("l1", lab.body(large));
      await lab.close();
    },
  },
];
