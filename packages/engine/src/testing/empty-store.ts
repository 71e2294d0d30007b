import type { CrashWorld } from "./crash-drive.ts";
import type { ObservableStore } from "./observe-store.ts";

/** Deletes all versions of all objects and all uploads; those with one part are completed first, so that the part is used once more. */
export async function emptyStore(store: ObservableStore): Promise<void> {
  for (const { name } of await store.buckets()) {
    const bucket = store.bucket(name);
    for (const entry of (await bucket.listUploads()).entries) {
      const upload = bucket.upload(entry.key as string, (entry as { uploadId: string }).uploadId);
      const { parts } = await upload.listParts();
      if (parts.length !== 1) await upload.abort();
      else await upload.complete(parts);
    }
    for await (const entry of bucket.listVersions()) {
      if (entry.key !== undefined) await bucket.delete(entry.key, { versionId: entry.versionId });
    }
  }
}

/** Shard files on the drives. */
export function looseFilesOn(world: CrashWorld): string[] {
  return world.drives.flatMap((drive) =>
    drive.fileNames.filter((name) => name.startsWith("blobs/")).map((name) => `${drive.location} ${name}`),
  );
}
