/** What a piece of work was limited by, seen from how busy the process was. */
import os from "node:os";

export interface Busy {
  /** Share of the time in which the main thread had something to do. */
  readonly mainThread: number;
  /** Processors used by all threads of the process. */
  readonly processors: number;
}

/** Starts watching; the answer gives the means since then. */
export function watchBusy(): () => Busy {
  const loop = performance.eventLoopUtilization();
  const cpu = process.cpuUsage();
  const start = performance.now();
  return () => {
    const used = process.cpuUsage(cpu);
    const processors = (used.user + used.system) / 1000 / (performance.now() - start);
    return { mainThread: performance.eventLoopUtilization(loop).utilization, processors };
  };
}

/** In words, for the line of a goal. */
export function describeBusy({ mainThread, processors }: Busy): string {
  const cores = os.cpus().length;
  const facts = `main thread busy ${Math.round(mainThread * 100)} %, ${processors.toFixed(1)} of ${cores} processors used`;
  if (mainThread > 0.9 && processors < 0.8) return `limited by processors that others use: ${facts}`;
  if (mainThread > 0.9) return `limited by the main thread: ${facts}`;
  if (processors > 0.9 * cores) return `limited by the processors: ${facts}`;
  return `limited by waiting for the drives: ${facts}`;
}
