import type { Command } from "commander";
import { formatBytes } from "../base/units.ts";
import type { RunWork } from "./command-context.ts";
import { withStore } from "./find-store.ts";

/** `holdfast compact`: gives space back. */
export function addCompact(program: Command, run: RunWork): void {
  program
    .command("compact")
    .summary("give space back that deleted objects take")
    .description("Writes what is live in packs with much garbage again and removes them. An open store does this by itself, more slowly.")
    .action(() =>
      run((context) =>
        withStore(context, async (store) => {
          const report = await store.compact({ signal: context.io.signal });
          const lines = [
            `gave back ${formatBytes(report.bytesFreed)} on each drive: ${report.packs} packs removed, ${formatBytes(report.bytesMoved)} moved`,
          ];
          await context.out.document(lines, report);
        }),
      ),
    );
}
