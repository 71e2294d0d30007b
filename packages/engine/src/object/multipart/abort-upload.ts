import { throwIfAborted } from "../../base/errors.ts";
import type { SetTransaction } from "../../set/erasure-set.ts";
import { commitOnKey } from "../commit-on-key.ts";
import type { ObjectContext } from "../context.ts";
import { validateOptions } from "../validate.ts";
import { locateUpload, readParts, requireUpload, type StoredPart, type UploadAddress, type UploadReference } from "./find-upload.ts";

/** Ends an upload and frees its parts; parts still on their way are refused when they arrive. */
export async function abortUpload(
  context: ObjectContext,
  bucketName: string,
  upload: UploadReference,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  validateOptions(options);
  throwIfAborted(options.signal);
  const address = locateUpload(context, bucketName, upload);
  await commitOnKey(
    context,
    address,
    {
      decide(tx) {
        requireUpload(tx, address);
        clearUpload(tx, address, readParts(tx, address));
      },
    },
    options.signal,
  );
}

/** Deletes an upload and its parts. */
export function clearUpload(tx: SetTransaction, address: UploadAddress, parts: readonly StoredPart[]): void {
  tx.delete(address.uploadKey);
  for (const { indexKey, record } of parts) {
    if (record.blob !== undefined) tx.removeBlob(record.blob);
    tx.delete(indexKey);
  }
}
