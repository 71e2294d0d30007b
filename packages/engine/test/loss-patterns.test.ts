/**
 * Every pattern of lost drives, for every code of up to twelve drives with up to four of them parity: with at most m lost everything is read
 * whole, with m + 1 lost the answer is an error or the right bytes, never other bytes. First the code alone, then a real set: drives that fail
 * while the set is open, and drives that are not there when it is opened.
 */
import { deepStrictEqual, ok, strictEqual } from "node:assert";
import { expect, it } from "vitest";
import { type ErrorCode, HoldfastError, isHoldfastError } from "../src/base/errors.ts";
import { createSeededRandom } from "../src/base/random.ts";
import { KiB } from "../src/base/units.ts";
import { codeKernel } from "../src/codec/code-kernel.ts";
import type { CodeKernel, CodeShape } from "../src/codec/kernel.ts";
import { referenceKernel } from "../src/codec/reference-kernel.ts";
import type { Drive } from "../src/drive/drive.ts";
import type { BlobLocation, PackedPayload } from "../src/set/erasure-set.ts";
import type { OpenSet } from "../src/set/open-set.ts";
import { interceptDrive } from "../src/testing/intercept-drive.ts";
import { tally } from "../src/testing/tally.ts";
import { patterned } from "../src/testing/temporary-store.ts";
import { createSetDrives, openTestSet } from "../src/testing/test-set.ts";

const drivesMax = 12;
const parityMost = 4;

const codes: readonly CodeShape[] = Array.from({ length: drivesMax }, (_, i) => i + 1).flatMap((width) =>
  Array.from({ length: Math.min(parityMost, width - 1) + 1 }, (_, parity) => ({ data: width - parity, parity })),
);

/** Every choice of `count` of the numbers below `width`. */
function* choices(width: number, count: number, from = 0): Generator<number[], void> {
  if (count === 0) yield [];
  else
    for (let first = from; first <= width - count; first++) for (const rest of choices(width, count - 1, first + 1)) yield [first, ...rest];
}

function* recoverable({ data, parity }: CodeShape): Generator<number[], void> {
  for (let lost = 0; lost <= parity; lost++) yield* choices(data + parity, lost);
}

function nameOf({ data, parity }: CodeShape, lost: readonly number[]): string {
  return `${data}+${parity} without ${lost.length === 0 ? "losses" : lost.join()}`;
}

it.each<[string, CodeKernel]>([
  ["the machine's", codeKernel()],
  ["the reference", referenceKernel],
])("%s kernel computes the lost shards of every pattern", (_, kernel) => {
  let patterns = 0;
  for (const shape of codes) {
    const width = shape.data + shape.parity;
    const stripe = Array.from({ length: width }, (_each, slot) => (slot < shape.data ? patterned(384, slot + 1) : new Uint8Array(384)));
    kernel.encode(shape, stripe.slice(0, shape.data), stripe.slice(shape.data));
    for (const lost of recoverable(shape)) {
      const wanted = new Map(lost.map((slot) => [slot, new Uint8Array(384)]));
      const there = stripe.map((shard, slot) => (wanted.has(slot) ? undefined : shard));
      kernel.reconstruct(shape, there, wanted);
      for (const [slot, shard] of wanted)
        strictEqual(Buffer.compare(shard, stripe[slot] as Uint8Array), 0, `slot ${slot} of ${nameOf(shape, lost)}`);
      patterns++;
    }
  }
  expect(patterns).toBe(3895);
});

/** A set with three bodies, whose drives can be taken away. */
interface LossSet {
  readonly shape: CodeShape;
  readonly plain: readonly Drive[];
  readonly drives: readonly Drive[];
  readonly lost: Set<number>;
  /** What a lost drive answers. */
  code: ErrorCode;
  bodies: Bodies;
}

/** Where each body lies, and its bytes. */
interface Bodies {
  /** Lies on one drive. */
  readonly small: { readonly place: PackedPayload; readonly bytes: Uint8Array };
  /** Lies on every drive with data. */
  readonly crossing: { readonly place: PackedPayload; readonly bytes: Uint8Array };
  readonly blob: { readonly place: BlobLocation; readonly bytes: Uint8Array };
}

/** Every data shard has bytes of a whole stripe, with any number of them up to twelve. */
const settings = { stripeBytes: 24 * KiB };

async function makeLossSet(shape: CodeShape): Promise<LossSet> {
  const plain = await createSetDrives(shape.data + shape.parity);
  const lost = new Set<number>();
  const made = { shape, plain, lost, code: "DRIVE_IO_ERROR" as ErrorCode };
  const drives = plain.map((drive, ordinal) =>
    interceptDrive(drive, {
      async around(call, proceed) {
        if (!lost.has(ordinal) || call.operation === "abort") return proceed();
        throw new HoldfastError(made.code, `drive ${ordinal} is lost`);
      },
    }),
  );
  const set = await openTestSet(plain, { profile: shape, settings });
  const bodies = await writeBodies(set, shape);
  await set.close();
  return Object.assign(made, { drives, bodies });
}

async function writeBodies(set: OpenSet, { data }: CodeShape): Promise<Bodies> {
  const small = patterned(100, 1);
  const crossing = patterned(data * 384 - 7, 2);
  const large = patterned(25 * KiB + 3, 3);
  const beside = patterned(data * 300, 4);
  const put = async (name: string, payloads: Uint8Array[], own: number): Promise<PackedPayload> => {
    const key = Buffer.from(name);
    await set.commit({ payloads, decide: (transaction) => transaction.put(key, new Uint8Array(0), own) });
    return set.get(key)?.payload as PackedPayload;
  };
  const pieces = (async function* () {
    yield large;
  })();
  const { blob } = await set.writeBlob(pieces, { digests: [] });
  await set.commit({ decide: (transaction) => transaction.addBlob(blob) });
  return {
    small: { place: await put("Ksmall", [beside, small], 1), bytes: small },
    crossing: { place: await put("Kcrossing", [crossing], 0), bytes: crossing },
    blob: { place: blob, bytes: large },
  };
}

async function readBlob(set: OpenSet, place: BlobLocation): Promise<Uint8Array> {
  const reader = set.openBlob(place);
  const pieces: Uint8Array[] = [];
  try {
    for await (const piece of reader.read({ start: 0, end: reader.sizeBytes })) pieces.push(piece);
  } finally {
    reader.close();
  }
  return Buffer.concat(pieces);
}

function readers(set: OpenSet, bodies: Bodies): readonly (readonly [keyof Bodies, () => Promise<Uint8Array>])[] {
  return [
    ["small", () => set.readPacked(bodies.small.place)],
    ["crossing", () => set.readPacked(bodies.crossing.place)],
    ["blob", () => readBlob(set, bodies.blob.place)],
  ];
}

async function expectWhole(set: OpenSet, bodies: Bodies, pattern: string): Promise<void> {
  for (const [name, read] of readers(set, bodies)) {
    const bytes = await read().catch((error: unknown) => {
      throw new Error(`${name} of ${pattern}: ${String(error)}`, { cause: error });
    });
    strictEqual(Buffer.compare(bytes, bodies[name].bytes), 0, `the bytes of ${name} of ${pattern}`);
  }
}

/** Reads what can no longer be read: only what lies on one drive that is left may still be. */
async function expectRefused(set: OpenSet, bodies: Bodies, pattern: string): Promise<void> {
  for (const [name, read] of readers(set, bodies)) {
    const outcome = await read().catch((error: unknown) => error);
    if (outcome instanceof Uint8Array) {
      strictEqual(name, "small", `${name} of ${pattern} was read`);
      strictEqual(Buffer.compare(outcome, bodies.small.bytes), 0, `the bytes of ${name} of ${pattern}`);
    } else ok(isHoldfastError(outcome) && ["unavailable", "data"].includes(outcome.kind), `${name} of ${pattern}: ${String(outcome)}`);
  }
}

it("drives that fail under an open set: all patterns of m are read whole, all of m + 1 refused", { timeout: 600_000 }, async () => {
  const tried = { codes: 0, whole: 0, refused: 0 };
  for (const shape of codes) {
    const world = await makeLossSet(shape);
    const set = await openTestSet(world.drives, { profile: shape, settings });
    const lose = (drives: readonly number[], code: ErrorCode): string => {
      world.lost.clear();
      for (const drive of drives) world.lost.add(drive);
      world.code = code;
      return `${nameOf(shape, drives)}, ${code}`;
    };
    const codeOf = (count: number): ErrorCode => (count % 2 === 0 ? "DRIVE_IO_ERROR" : "FILE_NOT_FOUND");
    for (const lost of recoverable(shape)) await expectWhole(set, world.bodies, lose(lost, codeOf(tried.whole++)));
    for (const lost of choices(shape.data + shape.parity, shape.parity + 1))
      await expectRefused(set, world.bodies, lose(lost, codeOf(tried.refused++)));
    await expectWhole(set, world.bodies, lose([], "DRIVE_IO_ERROR"));
    await set.close();
    tried.codes++;
  }
  deepStrictEqual(tried, { codes: 50, whole: 3895, refused: 4082 });
  tally("loss patterns", tried.whole + tried.refused);
});

it("drives that are away at the opening: all patterns of m are read whole, all of m + 1 refused", { timeout: 600_000 }, async () => {
  const random = createSeededRandom(1);
  const tried = { codes: 0, whole: 0, refused: 0 };
  for (const shape of codes) {
    const { plain, bodies } = await makeLossSet(shape);
    const openWithout = (lost: readonly number[]): Promise<OpenSet> => {
      const drives = plain.map((drive, ordinal) => (lost.includes(ordinal) ? undefined : drive));
      return openTestSet(drives, { profile: shape, settings });
    };
    // In any order, as each opening leaves the drives that were away with an older state than the others.
    const patterns = [...recoverable(shape)].sort(() => random.below(2) - 0.5);
    for (const lost of patterns) {
      const set = await openWithout(lost);
      await expectWhole(set, bodies, `${nameOf(shape, lost)}, away`);
      await set.close();
      tried.whole++;
    }
    for (const lost of choices(shape.data + shape.parity, shape.parity + 1)) {
      const outcome: unknown = await openWithout(lost).catch((error: unknown) => error);
      ok(isHoldfastError(outcome, "DRIVES_MISSING"), `${nameOf(shape, lost)}, away: ${String(outcome)}`);
      tried.refused++;
    }
    tried.codes++;
  }
  deepStrictEqual(tried, { codes: 50, whole: 3895, refused: 4082 });
  tally("loss patterns", tried.whole + tried.refused);
});
