import { checksumBlockBytes, unitBytes } from "../base/limits.ts";
import type { Drive } from "../drive/drive.ts";
import { packsFolder } from "../format/pack-name.ts";

const probeBytes = 32 * unitBytes;

/**
 * Reads a little of a drive and says how long that took, in milliseconds: somewhere in one of its packs, another one each turn, so that it
 * comes from the medium rather than from a cache; a small file while there is none. @throws what the drive throws
 */
export async function probeRead(
  drive: Drive,
  smallFile: string,
  options: { readonly turn: number; readonly nowMs: () => number },
): Promise<number> {
  const { turn, nowMs } = options;
  const names = await drive.list(packsFolder);
  const name = names[turn % names.length];
  const startMs = nowMs();
  if (name === undefined) await drive.readFile(smallFile);
  else {
    const file = await drive.open(`${packsFolder}/${name}`, { create: false });
    try {
      const places = Math.floor((await file.size()) / checksumBlockBytes) + 1;
      await file.read(((turn * 7919) % places) * checksumBlockBytes, new Uint8Array(probeBytes));
    } finally {
      await file.close();
    }
  }
  return nowMs() - startMs;
}
