import type { CrashLab } from "./crash-lab.ts";
import { type CrashScenario, large, packing, six, small, three, withBucket, withObjects } from "./crash-scenario.ts";

/** Drives that fail, go and come, and the upkeep that follows. */
export const driveScenarios: readonly CrashScenario[] = [
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
  {
    name: "compaction",
    ...three,
    ...packing,
    prepare: async (lab) => {
      const client = await withBucket(lab);
      for (let i = 0; i < 24; i++) await client.put(`k${i}`, lab.body(30_000));
      await client.put("large", lab.body(40_000));
      for (let i = 0; i < 24; i++) if (i % 6 !== 0) await client.delete(`k${i}`);
    },
    async run(lab) {
      const client = await lab.open();
      await Promise.all([compactSome(lab), client.put("k6", lab.body(small)), client.delete("k12")]);
      await client.put("k1", lab.body(small));
      await lab.store.compact();
      await lab.close();
    },
  },
  {
    name: "compaction while a drive is away, which returns",
    ...three,
    ...packing,
    prepare: async (lab) => {
      const client = await withBucket(lab);
      for (let i = 0; i < 24; i++) await client.put(`k${i}`, lab.body(30_000));
    },
    async run(lab) {
      let client = await lab.open({ absent: [2] });
      await Promise.all(Array.from({ length: 22 }, (_, i) => client.delete(`k${i}`)));
      await client.put("k22", lab.body(30_000));
      await compactSome(lab);
      await lab.close();
      client = await lab.open();
      await client.put("k0", lab.body(small));
      await lab.store.rebuild();
      await lab.close();
    },
  },
  {
    name: "a drive that was away is healed",
    ...three,
    prepare: async (lab) => {
      await withObjects(lab);
      await lab.close();
      const client = await lab.open({ absent: [1] });
      await Promise.all([client.put("s1", lab.body(small)), client.put("l1", lab.body(large)), client.delete("l2")]);
    },
    async run(lab) {
      const client = await lab.open();
      await Promise.all([lab.store.rebuild(), client.put("s2", lab.body(small)), client.put("l3", lab.body(large))]);
      await client.delete("l1");
      await lab.store.rebuild();
      await lab.close();
    },
  },
  {
    name: "a lost drive is replaced and rebuilt",
    ...three,
    prepare: withObjects,
    async run(lab) {
      const client = await lab.open();
      await client.put("s1", lab.body(small));
      lab.drive(1).goOffline();
      await lab.store.maintain();
      await client.put("s2", lab.body(small));
      lab.world.drives[1]?.swap();
      lab.drive(1).comeBack();
      await lab.store.maintain();
      await Promise.all([lab.store.maintain(), client.put("l1", lab.body(large)), client.delete("l2")]);
      await lab.store.rebuild();
      await lab.close();
    },
  },
  {
    name: "an empty drive at opening is rebuilt",
    ...six,
    prepare: async (lab) => {
      await withObjects(lab);
      await lab.close();
      lab.world.drives[3]?.swap();
      await lab.open();
    },
    async run(lab) {
      const client = await lab.open();
      await Promise.all([lab.store.maintain(), client.put("s1", lab.body(small)), client.put("l1", lab.body(large))]);
      await lab.store.rebuild();
      await client.delete("l2");
      await lab.close();
    },
  },
];

/** A scenario of compaction without any is none. */
async function compactSome(lab: CrashLab): Promise<void> {
  const { packs } = await lab.store.compact();
  if (packs === 0) throw new Error("nothing was compacted");
}
