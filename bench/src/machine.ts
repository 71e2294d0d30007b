import { open, readFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { median } from "./race.ts";
import { formatNumber } from "./report.ts";

/** One line on the machine, with what every durable write waits for: a small synced write in the directory that is used. */
export async function machineFacts(directory: string): Promise<string> {
  const cpus = os.cpus();
  const memory = `${Math.round(os.totalmem() / 2 ** 30)} GiB`;
  const system = `${os.type()} ${os.release()} ${os.arch()}`;
  const sync = formatNumber(await syncedWriteMs(directory));
  return [
    `${cpus[0]?.model.trim() ?? "unknown processor"}, ${cpus.length} cores, ${memory} · ${system} · Node ${process.versions.node}`,
    `directory ${path.dirname(directory)} on ${await fileSystemOf(directory)}; a 4 KiB write + fdatasync there takes ${sync} ms (median)`,
  ].join(" · ");
}

async function syncedWriteMs(directory: string): Promise<number> {
  const file = await open(path.join(directory, "probe"), "w");
  const bytes = new Uint8Array(4096);
  const times: number[] = [];
  for (let i = 0; i < 40; i++) {
    const start = performance.now();
    await file.write(bytes);
    await file.datasync();
    times.push(performance.now() - start);
  }
  await file.close();
  return median(times);
}

/** The file system a path lies on, from the longest mount point above it; Linux only. */
async function fileSystemOf(directory: string): Promise<string> {
  const mounts = await readFile("/proc/self/mounts", "utf8").catch(() => "");
  let best = { point: "", type: "an unknown file system" };
  for (const line of mounts.split("\n")) {
    const [device = "", point = "", type = ""] = line.split(" ");
    const above = directory === point || directory.startsWith(point.endsWith("/") ? point : `${point}/`);
    if (above && point.length >= best.point.length) best = { point, type: `${type} (${device})` };
  }
  return best.type;
}
