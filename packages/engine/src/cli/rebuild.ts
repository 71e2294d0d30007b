import type { Command } from "commander";
import { formatBytes } from "../base/units.ts";
import type { CommandContext, RunWork } from "./command-context.ts";
import { exitCodes } from "./exit-codes.ts";
import { withStore } from "./find-store.ts";
import { createWorkProgress } from "./work-progress.ts";

/** `holdfast rebuild`: makes everything drives lack, now. */
export function addRebuild(program: Command, run: RunWork): void {
  program
    .command("rebuild")
    .summary("make what drives lack")
    .description(
      "Makes everything that drives of the store lack, as fast as it goes, and waits for it: for drives that were replaced, were away or missed writes. Exit code 1 when some of it could not be made.",
    )
    .action(() => run(rebuild));
}

async function rebuild(context: CommandContext): Promise<number> {
  const report = await withStore(context, async (store) => {
    const progress = createWorkProgress(context, "rebuilding");
    try {
      const done = await store.rebuild({ signal: context.io.signal, onProgress: (step) => progress.show(step) });
      await store.maintain({ signal: context.io.signal });
      return done;
    } finally {
      progress.stop();
    }
  });
  const { healed, left, problems, writtenBytes } = report;
  const lines = [
    ...healed.map((id) => `drive ${id} is whole`),
    ...left.map((id) => `drive ${id} still lacks something`),
    `made ${formatBytes(writtenBytes)}${problems === 0 ? "" : `, ${problems} things could not be made`}`,
  ];
  await context.out.document(lines, report);
  return left.length === 0 && problems === 0 ? exitCodes.ok : exitCodes.failure;
}
