import { describe, expect, it } from "vitest";
import { isHoldfastError } from "../base/errors.ts";
import { KiB, MiB } from "../base/units.ts";
import { checkAgainstProfile, resolveSettings, type StoreSettings } from "./settings.ts";

const six = ["a", "b", "c", "d", "e", "f"];

/** Settings that cannot be, the field the error names, and what its message says of value and fix. */
const wrong: [settings: unknown, field: string, ...mentions: string[]][] = [
  [undefined, "settings", "undefined", "pass an object"],
  [null, "settings", "null"],
  ["./data", "settings", '"./data"'],
  [[], "settings"],
  [{}, "drives", "undefined", "name at least one directory"],
  [{ drives: [] }, "drives", "[]"],
  [{ drives: "./d1" }, "drives", '"./d1"'],
  [{ drives: null }, "drives", "null"],
  [{ drives: ["a", ""] }, "drives[1]", '""'],
  [{ drives: ["a\0b"] }, "drives[0]"],
  [{ drives: ["a", 7] }, "drives[1]", "7"],
  [{ drives: [null] }, "drives[0]", "null"],
  [{ drives: [{}] }, "drives[0].path", "undefined"],
  [{ drives: [{ path: "a", zone: 3 }] }, "drives[0].zone", "3"],
  [{ drives: [{ path: "a", zone: "" }] }, "drives[0].zone", '""'],
  [{ drives: [{ path: "a", rack: "r1" }] }, "drives[0].rack", '"r1"', "path, region, zone, node"],
  [{ drives: six, memory: true }, "drives", "leave out drives or memory"],
  [{ memory: "yes" }, "memory", '"yes"', "true or false"],
  [{ memory: null }, "memory", "null"],
  [{ drives: six, drive: "a" }, "drive", '"a"', "no such setting", "drives"],
  [{ drives: six, erasure: null }, "erasure", "null"],
  [{ memory: true, erasure: null }, "erasure", "null"],
  [{ drives: six, erasure: "4+2" }, "erasure", '"4+2"', "data, parity"],
  [{ drives: six, erasure: [4, 2] }, "erasure"],
  [{ drives: six, erasure: { data: 4, parity: 2, spare: 1 } }, "erasure.spare", "1"],
  [{ drives: six, erasure: { data: 4 } }, "erasure.parity", "undefined"],
  [{ drives: six, erasure: { data: 4, parity: 5 } }, "erasure.parity", "5", "0 to 4"],
  [{ drives: six, erasure: { data: 0, parity: 2 } }, "erasure.data", "0"],
  [{ drives: six, erasure: { data: 2.5, parity: 2 } }, "erasure.data", "2.5"],
  [{ drives: six, erasure: { data: "4", parity: 2 } }, "erasure.data"],
  [{ drives: six, erasure: { data: 5, parity: 2 } }, "erasure", "5+2", "needs 7 drives", "6"],
  [{ memory: true, erasure: { data: 22, parity: 4 } }, "erasure.data", "22", "1 to 21"],
  [{ memory: true, erasure: { data: 100, parity: 100 } }, "erasure.parity", "100"],
  [{ drives: six, survive: -1 }, "survive", "-1"],
  [{ drives: six, survive: 5 }, "survive", "5", "0 to 4"],
  [{ drives: six, survive: "1" }, "survive", '"1"'],
  [{ drives: six, survive: null }, "survive", "null"],
  [{ drives: six, erasure: { data: 4, parity: 2 }, survive: 3 }, "survive", "3", "4+2"],
  [{ drives: six, durability: "fast" }, "durability", '"fast"', '"full"', '"relaxed"'],
  [{ drives: six, durability: true }, "durability", "true"],
  [{ drives: six, durability: null }, "durability", "null"],
  [{ drives: six, inlineLimit: -1 }, "inlineLimit", "-1"],
  [{ drives: six, inlineLimit: "8MiB" }, "inlineLimit", '"8MiB"', String(4 * MiB)],
  [{ drives: six, inlineLimit: "large" }, "inlineLimit", '"large"', "128MiB"],
  [{ drives: six, inlineLimit: 1.5 }, "inlineLimit", "1.5"],
  [{ drives: six, inlineLimit: Number.NaN }, "inlineLimit", "NaN"],
  [{ drives: six, inlineLimit: null }, "inlineLimit", "null"],
  [{ drives: six, inlineLimit: ["1"] }, "inlineLimit"],
  [{ drives: six, stripeSize: 1000 }, "stripeSize", "1000"],
  [{ drives: six, stripeSize: 64 * KiB + 1 }, "stripeSize", String(64 * KiB + 1), "multiple of 128"],
  [{ drives: six, stripeSize: "1GiB" }, "stripeSize", '"1GiB"'],
  [{ drives: six, memoryBudget: "1MiB" }, "memoryBudget", '"1MiB"'],
  [{ drives: six, memoryBudget: Symbol("much") }, "memoryBudget", "Symbol(much)"],
  [{ drives: six, erasure: { data: 4, parity: 2 }, stripeSize: "16MiB" }, "memoryBudget", "4+2", "96 MiB"],
  [{ drives: six, batch: 7 }, "batch", "7", "operations, size"],
  [{ drives: six, batch: { count: 7 } }, "batch.count", "7"],
  [{ drives: six, batch: { operations: 0 } }, "batch.operations", "0"],
  [{ drives: six, batch: { operations: 10_000 } }, "batch.operations", "8192"],
  [{ drives: six, batch: { operations: null } }, "batch.operations", "null"],
  [{ drives: six, batch: { size: 1 } }, "batch.size", "1"],
  [{ drives: six, batch: { size: "32MiB" } }, "batch.size", '"32MiB"'],
  [{ drives: six, packSize: 1 }, "packSize", "1"],
  [{ drives: six, packSize: "8GiB" }, "packSize", '"8GiB"'],
  [{ drives: six, reserve: -1 }, "reserve", "-1"],
  [{ drives: six, reserve: "a lot" }, "reserve", '"a lot"'],
  [{ drives: six, etag: "sha256" }, "etag", '"sha256"', '"md5"', '"fast"'],
  [{ drives: six, threads: -1 }, "threads", "-1"],
  [{ drives: six, threads: 65 }, "threads", "65"],
  [{ drives: six, threads: "2" }, "threads", '"2"'],
  [{ drives: six, threads: null }, "threads", "null"],
  [{ drives: six, indexDirectory: "" }, "indexDirectory", '""'],
  [{ drives: six, indexDirectory: 7 }, "indexDirectory", "7"],
  [{ drives: six, create: "no" }, "create", '"no"'],
];

describe("settings that can't be", () => {
  it.each(wrong)("%j: names %s, its value and the fix", (settings, field, ...mentions) => {
    let error: unknown;
    try {
      resolveSettings(settings as StoreSettings);
    } catch (thrown) {
      error = thrown;
    }
    if (!isHoldfastError(error, "SETTINGS_INVALID")) throw error ?? new Error("they were taken");
    expect(error.kind).toBe("invalid");
    expect(error.details.field).toBe(field);
    for (const mention of [`${field}: `, ...mentions]) expect(error.message).toContain(mention);
  });

  it("are told from those of a store that is already made", () => {
    const settings = resolveSettings({ drives: six, survive: 3 });
    expect(() => checkAgainstProfile(settings, { data: 2, parity: 4 })).not.toThrow();
    expect(() => checkAgainstProfile(settings, { data: 4, parity: 2 })).toThrowError(
      expect.objectContaining({ code: "SETTINGS_INVALID", details: { field: "survive", value: 3 } }),
    );
  });

  it("never show more of a value than fits a message", () => {
    expect(() => resolveSettings({ drives: six, etag: "x".repeat(10_000) as "md5" })).toThrowError(/^etag: "x{199}… can't/);
    expect(() => resolveSettings({ drives: six, batch: Object.create(null, { count: { value: 1, enumerable: true } }) })).toThrowError(
      /batch.count/,
    );
  });
});

describe("settings", () => {
  it("have every default filled in", () => {
    expect(resolveSettings({ drives: ["a", { path: "b", zone: "z" }] })).toEqual({
      memory: false,
      drives: [
        { path: "a", region: "", zone: "", node: "" },
        { path: "b", region: "", zone: "z", node: "" },
      ],
      erasure: undefined,
      survive: undefined,
      durability: "full",
      inlineBytes: 256 * KiB,
      stripeBytes: 1 * MiB,
      memoryBudgetBytes: 64 * MiB,
      batchOperationsMax: 512,
      batchBytesMax: 4 * MiB,
      packBytesMax: 128 * MiB,
      packRecordsBytesMax: 8 * MiB,
      reserveBytes: undefined,
      etag: "md5",
      threads: 2,
      upkeep: {
        enabled: true,
        watchEveryMs: 2000,
        stallLimitMs: 30_000,
        rateBytes: 64 * MiB,
        scrubEveryMs: 14 * 86_400_000,
        spaceAmplification: 1.5,
        abandonedUploadsMs: 7 * 86_400_000,
      },
      indexDirectory: undefined,
      create: true,
      acceptLoss: false,
    });
  });

  it("take times as numbers and as texts", () => {
    const { upkeep } = resolveSettings({
      drives: six,
      upkeep: { watchEvery: 500, scrubEvery: 0, stallLimit: "1.5m", abandonedUploads: "36h" },
    });
    expect(upkeep).toMatchObject({
      enabled: true,
      watchEveryMs: 500,
      scrubEveryMs: 0,
      stallLimitMs: 90_000,
      abandonedUploadsMs: 129_600_000,
    });
    expect(resolveSettings({ drives: six, upkeep: false }).upkeep.enabled).toBe(false);
    for (const upkeep of [{ watchEvery: "soon" }, { watchEvery: 0 }, { rate: 1 }, { spaceAmplification: 1 }, { often: true }, 7]) {
      expect(() => resolveSettings({ drives: six, upkeep: upkeep as never })).toThrow(/^upkeep/);
    }
  });

  it("take sizes as numbers and as texts", () => {
    const settings = resolveSettings({
      drives: six,
      inlineLimit: 0,
      stripeSize: "256KiB",
      memoryBudget: "1 GiB",
      batch: { operations: 1, size: "8k" },
      packSize: 65_536,
      reserve: 0,
    });
    expect(settings).toMatchObject({
      inlineBytes: 0,
      stripeBytes: 256 * KiB,
      memoryBudgetBytes: 1024 * MiB,
      batchOperationsMax: 1,
      batchBytesMax: 8 * KiB,
      packBytesMax: 65_536,
      reserveBytes: 0,
    });
  });

  it("give a store in memory as many drives as its shards need", () => {
    expect(resolveSettings({ memory: true }).drives).toHaveLength(1);
    expect(resolveSettings({ memory: true, erasure: { data: 4, parity: 2 } }).drives.map((drive) => drive.path)).toEqual(
      [0, 1, 2, 3, 4, 5].map((i) => `memory:${i}`),
    );
  });
});
