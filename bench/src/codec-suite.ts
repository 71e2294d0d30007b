/** The coding kernels and checksums, in GiB of data a second, next to plain copying of the same bytes and the reference kernel. */
import { randomFillSync } from "node:crypto";
import { codeKernel } from "../../packages/engine/src/codec/code-kernel.ts";
import { computeDigest, loadDigests } from "../../packages/engine/src/codec/digest.ts";
import type { CodeKernel, CodeShape } from "../../packages/engine/src/codec/kernel.ts";
import { referenceKernel } from "../../packages/engine/src/codec/reference-kernel.ts";
import { writeBlockChecksums } from "../../packages/engine/src/codec/xxh3.ts";
import { medianMs, type RaceOptions, type RaceTimes, type Runner, race, speedup } from "./race.ts";
import { formatNumber, formatRatio } from "./report.ts";
import type { SuiteContext } from "./suites.ts";

const KiB = 1024;
const GiB = 1024 ** 3;

const shapes: readonly CodeShape[] = [
  { data: 2, parity: 1 },
  { data: 4, parity: 2 },
  { data: 8, parity: 3 },
  { data: 8, parity: 4 },
  { data: 12, parity: 4 },
];

export async function codecSuite(context: SuiteContext): Promise<void> {
  await loadDigests();
  const options = context.smoke ? { rounds: 1, timeMs: 1 } : { rounds: 5, timeMs: 60 };
  for (const shardKiB of context.smoke ? [4] : [4, 64, 256]) await kernels(context, shardKiB * KiB, options);
  await checksums(context, options);
}

async function kernels({ report }: SuiteContext, shardBytes: number, options: RaceOptions): Promise<void> {
  const rows: string[][] = [];
  for (const shape of shapes) {
    const times = await race(kernelRunners(shape, shardBytes), options);
    const speed = (name: string): string => gibPerSecond(times, name, shape.data * shardBytes);
    rows.push([
      `${shape.data}+${shape.parity}`,
      ...["encode", "encode, shared memory", "verify", "rebuild 1", "rebuild m", "copy", "reference"].map(speed),
      formatRatio(speedup(times, "encode", "copy")),
      formatRatio(speedup(times, "encode", "reference")),
    ]);
  }
  const columns = [
    "code",
    "encode",
    "encode, shared memory",
    "verify",
    "rebuild 1",
    "rebuild m",
    "copy",
    "reference encode",
    "encode / copy",
    "encode / reference",
  ];
  report.table(`Kernel \`${codeKernel().name}\`, shards of ${shardBytes / KiB} KiB, GiB/s of data`, columns, rows);
}

function kernelRunners(shape: CodeShape, shardBytes: number): Runner[] {
  const { data, parity } = shape;
  const kernel = codeKernel();
  const shards = shardsIn(new ArrayBuffer((data + parity) * shardBytes), shardBytes);
  const shared = shardsIn(new SharedArrayBuffer((data + parity) * shardBytes), shardBytes);
  const copies = shards.map((shard) => shard.slice());
  const encode = (by: CodeKernel, where: readonly Uint8Array[]): void => by.encode(shape, where.slice(0, data), where.slice(data));
  const rebuild = (count: number): void => {
    const lost = (place: number): boolean => place < count;
    kernel.reconstruct(
      shape,
      shards.map((shard, place) => (lost(place) ? undefined : shard)),
      new Map(copies.slice(0, count).entries()),
    );
  };
  encode(kernel, shards);
  return [
    { name: "encode", run: () => encode(kernel, shards) },
    { name: "encode, shared memory", run: () => encode(kernel, shared) },
    { name: "verify", run: () => kernel.verify(shape, shards) },
    { name: "rebuild 1", run: () => rebuild(1) },
    { name: "rebuild m", run: () => rebuild(parity) },
    { name: "copy", run: () => copyAll(shards.slice(0, data), copies) },
    { name: "reference", run: () => encode(referenceKernel, shards) },
  ].map((runner) => ({ ...runner, async: false }));
}

function copyAll(sources: readonly Uint8Array[], targets: readonly Uint8Array[]): void {
  for (const [place, source] of sources.entries()) targets[place]?.set(source);
}

function shardsIn(memory: ArrayBuffer | SharedArrayBuffer, shardBytes: number): Uint8Array[] {
  const bytes = new Uint8Array(memory);
  // Random bytes cannot be made in shared memory.
  bytes.set(randomFillSync(new Uint8Array(bytes.byteLength)));
  return Array.from({ length: bytes.byteLength / shardBytes }, (_, place) => bytes.subarray(place * shardBytes, (place + 1) * shardBytes));
}

async function checksums({ report, smoke }: SuiteContext, options: RaceOptions): Promise<void> {
  const rows: string[][] = [];
  const target = new Uint8Array(1024);
  for (const bytes of smoke ? [KiB] : [KiB, 64 * KiB, 1024 * KiB]) {
    const [plain] = shardsIn(new ArrayBuffer(bytes), bytes) as [Uint8Array];
    const [shared] = shardsIn(new SharedArrayBuffer(bytes), bytes) as [Uint8Array];
    const copy = plain.slice();
    const runners = [
      { name: "checksums", run: () => writeBlockChecksums(target, 0, plain, 64 * KiB) },
      { name: "checksums, shared memory", run: () => writeBlockChecksums(target, 0, shared, 64 * KiB) },
      { name: "md5", run: () => computeDigest("md5", plain) },
      { name: "sha256", run: () => computeDigest("sha256", plain) },
      { name: "copy", run: () => copy.set(plain) },
    ].map((runner) => ({ ...runner, async: false }));
    const times = await race(runners, options);
    rows.push([`${bytes / KiB} KiB`, ...runners.map(({ name }) => gibPerSecond(times, name, bytes))]);
  }
  report.table(
    "Checksums of blocks of 64 KiB (XXH3), and digests, GiB/s",
    ["input", "checksums", "checksums, shared memory", "md5", "sha256", "copy"],
    rows,
  );
}

function gibPerSecond(times: RaceTimes, name: string, bytes: number): string {
  return formatNumber(bytes / GiB / (medianMs(times, name) / 1000));
}
