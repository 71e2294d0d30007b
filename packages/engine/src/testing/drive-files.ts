import type { Drive } from "../drive/drive.ts";
import { createMemoryDrive, type MemoryDrive } from "../drive/memory-drive.ts";

/** Every file of a drive by name. */
export async function readDriveFiles(drive: Drive, folder = ""): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  const inside = (name: string): string => (folder === "" ? name : `${folder}/${name}`);
  for (const name of await drive.list(folder)) files.set(inside(name), await drive.readFile(inside(name)));
  for (const name of await drive.listFolders(folder)) {
    for (const [inner, bytes] of await readDriveFiles(drive, inside(name))) files.set(inner, bytes);
  }
  return files;
}

/** A drive in memory with these files. */
export async function createFilledDrive(name: string, files: ReadonlyMap<string, Uint8Array>): Promise<MemoryDrive> {
  const drive = createMemoryDrive({ name });
  for (const [file, bytes] of files) await drive.replaceFile(file, bytes);
  return drive;
}
