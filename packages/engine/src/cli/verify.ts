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
    .summary("read everything, compare it with its checksums, repair it")
    .description(
      "Reads everything on every drive, compares it with its checksums and parity, and repairs what the other drives can make good. Exit code 1 when faults were found, 6 when some are beyond repair.",
    )
    .option("--no-repair", "only read; change nothing")
    .action(({ repair }: { repair: boolean }) => run((context) => verify(context, repair)));
}

async function verify(context: CommandContext, repair: boolean): Promise<number> {
  const report = await withStore(context, async (store) => {
    const progress = createProgress(context, { unit: "checks", verb: "verifying" });
    try {
      return await store.verify({
        repair,
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
  const verdict = report.faults === 0 ? "all is well" : `${report.faults} faults, ${fateOf(report)}`;
  return [
    ...findings,
    ...(left > 0 ? [`and ${left} more`] : []),
    `verified ${formatBytes(report.readBytes)} in ${report.checked} steps: ${verdict}`,
  ];
}

function fateOf({ faults, repaired, unrepairable }: VerifyReport): string {
  const open = faults - repaired - unrepairable;
  const parts = [
    ...(repaired === 0 ? [] : [`${repaired} repaired`]),
    ...(open === 0 ? [] : [`${open} repairable`]),
    ...(unrepairable === 0 ? [] : [`${unrepairable} beyond repair`]),
  ];
  return parts.join(", ");
}
