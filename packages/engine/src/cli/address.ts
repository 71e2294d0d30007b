/**
 * Names of buckets and objects on the command line: `BUCKET/KEY`, the first slash parting the two, and everything after it the key as it
 * is. Where a local path could stand as well, `hf://BUCKET/KEY` says which is meant; a path that starts so is written `./hf://…`.
 */
import { HoldfastError } from "../base/errors.ts";

const scheme = "hf://";

/** A bucket, and a key or the start of keys in it; an empty key stands for the whole bucket. */
export interface Address {
  readonly bucket: string;
  readonly key: string;
}

/** True for what names something in the store, not a local path. */
export function isRemote(text: string): boolean {
  return text.startsWith(scheme);
}

/** `BUCKET[/KEY]`, with or without `hf://`. @throws ARGUMENT_INVALID */
export function parseAddress(text: string): Address {
  const name = isRemote(text) ? text.slice(scheme.length) : text;
  const slash = name.indexOf("/");
  const address = slash < 0 ? { bucket: name, key: "" } : { bucket: name.slice(0, slash), key: name.slice(slash + 1) };
  if (address.bucket === "") throw usageError(`${JSON.stringify(text)} names no bucket; write BUCKET/KEY`);
  return address;
}

/** `BUCKET/KEY`. @throws ARGUMENT_INVALID */
export function parseObjectAddress(text: string): Address {
  const address = parseAddress(text);
  if (address.key === "") throw usageError(`${JSON.stringify(text)} names a bucket but no object; write BUCKET/KEY`);
  return address;
}

/** A key's start as a folder: it ends in `/`, unless it is the whole bucket. */
export function folderPrefix(key: string): string {
  return key === "" || key.endsWith("/") ? key : `${key}/`;
}

/** An address as people write it. */
export function formatAddress({ bucket, key }: Address): string {
  return key === "" ? bucket : `${bucket}/${key}`;
}

/** A command line that cannot be carried out. */
export function usageError(message: string): HoldfastError {
  return new HoldfastError("ARGUMENT_INVALID", message);
}
