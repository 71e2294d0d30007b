import { concatBytes, toHex } from "../../base/bytes.ts";
import { throwIfAborted } from "../../base/errors.ts";
import { type ObjectAttributes, parseAttributes } from "../attributes.ts";
import { commitOnKey } from "../commit-on-key.ts";
import { locate, type ObjectContext } from "../context.ts";
import { uploadIdBytes, uploadKey } from "../keys.ts";
import { validateOptions } from "../validate.ts";
import { packUploadRecord } from "./upload-record.ts";

/** Options of a new multipart upload: what the object will be besides its body. */
export interface CreateUploadOptions extends ObjectAttributes {
  readonly signal?: AbortSignal | undefined;
}

/** Begins a multipart upload and returns its id. */
export async function createUpload(
  context: ObjectContext,
  bucketName: string,
  key: string,
  options: CreateUploadOptions = {},
): Promise<string> {
  validateOptions(options);
  throwIfAborted(options.signal);
  const address = locate(context, bucketName, key);
  const attributes = parseAttributes(options);
  const salt = context.random.bytes(uploadIdBytes - 8);
  const { bucket, keyBytes } = address;
  const uploadId = await commitOnKey(
    context,
    address,
    {
      decide(tx) {
        const id = concatBytes([orderInBytes(tx.order), salt]);
        tx.put(uploadKey(bucket.record.id, keyBytes, id), packUploadRecord({ startedMs: tx.timeMs, ...attributes }));
        return id;
      },
    },
    options.signal,
  );
  return toHex(uploadId);
}

function orderInBytes(order: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(order));
  return bytes;
}
