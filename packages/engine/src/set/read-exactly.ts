import type { DriveFile } from "../drive/drive.ts";

/** Exactly `length` bytes from `position`; undefined when the file ends before. @throws what the drive throws */
export async function readExactly(file: Pick<DriveFile, "read">, position: number, length: number): Promise<Uint8Array | undefined> {
  const bytes = new Uint8Array(length);
  return (await file.read(position, bytes)) === length ? bytes : undefined;
}
