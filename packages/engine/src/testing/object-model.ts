/**
 * The reference model of buckets and versions: S3's rules over plain arrays, written without a look at the object room, to compare it
 * with. One bucket.
 */
import { createHash } from "node:crypto";
import { compareBytes, utf8 } from "../base/bytes.ts";

/** A version as the model knows it. */
export interface ModelVersion {
  /** As the store answered it; "null" for null versions. */
  readonly id: string;
  /** Undefined for a delete marker. */
  readonly body: Uint8Array | undefined;
  readonly etag: string;
  tags: Readonly<Record<string, string>>;
}

/** What a listing of the model is made of. */
export type ModelName = { readonly key: string } | { readonly prefix: string };

/** The state of one bucket. */
export class ObjectModel {
  versioning: "off" | "enabled" | "suspended" = "off";
  readonly #keys = new Map<string, ModelVersion[]>();

  /** Versions of a key, newest first. */
  versions(key: string): readonly ModelVersion[] {
    return this.#keys.get(key) ?? [];
  }

  /** The live object under a key. */
  current(key: string): ModelVersion | undefined {
    const newest = this.versions(key)[0];
    return newest?.body === undefined ? undefined : newest;
  }

  /** Puts a version, or a delete marker, in front. */
  add(key: string, version: ModelVersion): void {
    const older = this.versions(key).filter(
      (other) => this.versioning === "enabled" || (this.versioning === "suspended" && other.id !== "null"),
    );
    this.#keys.set(key, [version, ...older]);
  }

  /** Deletes the object itself; with versioning the caller adds a marker instead. */
  clear(key: string): void {
    this.#keys.delete(key);
  }

  /** Removes one version for good. */
  remove(key: string, id: string): void {
    const left = this.versions(key).filter((version) => version.id !== id);
    if (left.length === 0) this.#keys.delete(key);
    else this.#keys.set(key, left);
  }

  /** Keys with any version, in the order of UTF-8 bytes. */
  allKeys(): string[] {
    return [...this.#keys.keys()].sort((a, b) => compareBytes(utf8(a), utf8(b)));
  }

  /** The names a listing of live objects shows. */
  list(options: { readonly prefix: string; readonly delimiter: string; readonly startAfter: string }): ModelName[] {
    const names = new Map<string, ModelName>();
    for (const key of this.allKeys()) {
      if (this.current(key) === undefined || !key.startsWith(options.prefix)) continue;
      const at = options.delimiter === "" ? -1 : key.indexOf(options.delimiter, options.prefix.length);
      const name = at < 0 ? key : key.slice(0, at + options.delimiter.length);
      if (options.startAfter !== "" && compareBytes(utf8(name), utf8(options.startAfter)) <= 0) continue;
      names.set(name, at < 0 ? { key } : { prefix: name });
    }
    return [...names.values()];
  }
}

/** MD5 in hexadecimal digits. */
export function md5Of(bytes: Uint8Array): string {
  return createHash("md5").update(bytes).digest("hex");
}

/** The entity tag of an object made of these parts. */
export function multipartMd5Of(parts: readonly Uint8Array[]): string {
  const digests = parts.map((part) => createHash("md5").update(part).digest());
  return `${md5Of(Buffer.concat(digests))}-${parts.length}`;
}
