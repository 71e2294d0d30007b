import type { Command } from "commander";
import { formatBytes } from "../base/units.ts";
import type { VerifyReport } from "../upkeep/verify-store.ts";
import type { CommandContext, RunWork } from "./command-context.ts";
import { exitCodes } from "./exit-codes.ts";
import { withStore } from "./find-store.ts";
import { createProgress } from "./progress.ts";

/** `holdfast verify`: reads everything and compares. */
export function addVerify(program: Command, run: RunWork): void {
  program
    .command("verify")
    .summary("read everything and compare it with its checksums")
    .description(
      "Reads everything on every drive and compares it with its checksums and parity. Changes nothing. Exit code 1 when the other drives can make good what was found, 6 when not.",
    )
    .action(() => run(verify));
}

async function verify(context: CommandContext): Promise<number> {
  const report = await withStore(context, async (store) => {
    const progress = createProgress(context, { unit: "checks", verb: "verifying" });
    try {
      return await store.verify({
        signal: context.io.signal,
        onProgress: ({ checked, readBytes }) => progress.reach(checked, readBytes),
      });
    } finally {
      progress.stop();
    }
  });
  await context.out.document(describe(report), report);
  if (report.faults === 0) return exitCodes.ok;
  return report.unrepairable === 0 ? exitCodes.failure : exitCodes.damaged;
}

function describe(report: VerifyReport): string[] {
  const findings = report.findings.map(
    ({ place, drive, problem, repairable }) => `${place}, drive ${drive}: ${problem}${repairable ? "" : ", beyond repair"}`,
  );
  const left = report.faults - findings.length;
  const verdict =
    report.faults === 0
      ? "all is well"
      : `${report.faults} faults, ${report.unrepairable === 0 ? "all repairable" : `${report.unrepairable} beyond repair`}`;
  return [
    ...findings,
    ...(left > 0 ? [`and ${left} more`] : []),
    `verified ${formatBytes(report.readBytes)} in ${report.checked} steps: ${verdict}`,
  ];
}
