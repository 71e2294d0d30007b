import {
  type CrashScenario,
  four,
  large,
  newestVersion,
  packing,
  six,
  small,
  three,
  two,
  twoStripes,
  withBucket,
  withObjects,
} from "./crash-scenario.ts";

/** Operations on objects. */
export const objectScenarios: readonly CrashScenario[] = [
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
];
