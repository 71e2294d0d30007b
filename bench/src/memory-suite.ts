/** How much the process grows while one large object streams in and out: its resident set, sampled all along. */
import { openStore } from "@holdfast/engine";
import { sixDrives } from "./contestants.ts";
import { formatNumber } from "./report.ts";
import type { SuiteContext } from "./suites.ts";

const MiB = 1024 * 1024;
/** What a stream of a file or a socket gives at a time. */
const chunkBytes = 64 * 1024;

export async function memorySuite({ directory, smoke, report }: SuiteContext): Promise<void> {
  const bytes = smoke ? 4 * MiB : 2048 * MiB;
  await using store = await openStore(sixDrives(directory));
  const bucket = await store.createBucket("bench");
  const put = await watchGrowth(() => bucket.put("huge", chunks(bytes)));
  const get = await watchGrowth(async () => {
    let got = 0;
    for await (const piece of (await bucket.get("huge")).stream()) got += piece.byteLength;
    if (got !== bytes) throw new Error(`got ${got} of ${bytes} bytes`);
  });
  const size = `${bytes / MiB} MiB`;
  const cells = ({ growthMiB, lateMiB, seconds }: Growth): string[] => [
    formatNumber(growthMiB),
    formatNumber(lateMiB),
    formatNumber(bytes / MiB / seconds),
  ];
  report.table(
    `One object of ${size} as a stream of fresh 64 KiB arrays`,
    ["", "largest growth, MiB", "growth in the second half, MiB", "MiB/s"],
    [
      ["put", ...cells(put)],
      ["get", ...cells(get)],
    ],
  );
  const limit = "stripe buffers in use, arrays the collector has not yet freed, the libraries loaded with the first large object";
  report.goal({ name: `growth of the resident set while ${size} stream in`, value: put.growthMiB, atMost: 150, unit: " MiB", limit });
  report.goal({ name: `growth of the resident set while ${size} stream out`, value: get.growthMiB, atMost: 150, unit: " MiB", limit });
}

async function* chunks(bytes: number): AsyncGenerator<Uint8Array> {
  for (let sent = 0; sent < bytes; sent += chunkBytes) yield new Uint8Array(chunkBytes).fill(sent / chunkBytes);
}

interface Growth {
  /** The most above the resident set at the start. */
  readonly growthMiB: number;
  /** How much of that the second half of the time added: near zero when memory is flat. */
  readonly lateMiB: number;
  readonly seconds: number;
}

async function watchGrowth(work: () => Promise<unknown>): Promise<Growth> {
  globalThis.gc?.();
  const before = process.memoryUsage.rss();
  const samples: number[] = [];
  const timer = setInterval(() => samples.push(process.memoryUsage.rss()), 10);
  const start = performance.now();
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  samples.push(process.memoryUsage.rss());
  const seconds = (performance.now() - start) / 1000;
  const most = Math.max(...samples);
  const firstHalf = Math.max(...samples.slice(0, Math.ceil(samples.length / 2)));
  return { growthMiB: (most - before) / MiB, lateMiB: (most - firstHalf) / MiB, seconds };
}
