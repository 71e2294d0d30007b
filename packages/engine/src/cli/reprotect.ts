import type { Command } from "commander";
import { formatBytes } from "../base/units.ts";
import type { CommandContext, RunWork } from "./command-context.ts";
import { exitCodes } from "./exit-codes.ts";
import { withStore } from "./find-store.ts";
import { parseErasure } from "./init.ts";
import { bucketName } from "./mb.ts";
import { printable } from "./printable.ts";
import { createProgress } from "./progress.ts";

/** `holdfast reprotect`: codes what is in a bucket differently. */
export function addReprotect(program: Command, run: RunWork): void {
  program
    .command("reprotect")
    .summary("code the objects of a bucket differently")
    .description(
      "Writes the objects of a bucket again with other data and parity shards, and those to come as well. Interrupted, run it again.",
    )
    .argument("<bucket>", "the bucket")
    .argument("<data+parity>", "e.g. 4+2", parseErasure)
    .action((bucket: string, erasure: { data: number; parity: number }) =>
      run((context) => reprotect(context, bucketName(bucket), erasure)),
    );
}

async function reprotect(context: CommandContext, bucket: string, erasure: { data: number; parity: number }): Promise<number> {
  const report = await withStore(context, async (store) => {
    const progress = createProgress(context, { verb: "coding again", unit: "bodies" });
    try {
      return await store.reprotect(bucket, erasure, {
        signal: context.io.signal,
        onProgress: ({ packedRewritten, blobsRewritten, bytesRewritten }) =>
          progress.reach(packedRewritten + blobsRewritten, bytesRewritten),
      });
    } finally {
      progress.stop();
    }
  });
  const { packedRewritten, blobsRewritten, bytesRewritten, unreadable } = report;
  const lines = [
    `${printable(bucket)} is coded ${erasure.data}+${erasure.parity}: ${packedRewritten + blobsRewritten} bodies written again, ${formatBytes(bytesRewritten)}`,
    ...(unreadable === 0 ? [] : [`${unreadable} could not be read and stay as they are; bring drives back and run this again`]),
  ];
  await context.out.document(lines, report);
  return unreadable === 0 ? exitCodes.ok : exitCodes.failure;
}
