/**
 * Everything an object store shows, as plain text to compare: for each bucket, key and upload ("unit") some lines.
 *
 *   bucket NAME            → its versioning
 *   NAME/key               → a line for each version, newest first: id, entity tag, MD5 of the bytes, tags; or id and `marker`
 *   NAME?uploadId key      → a line for each part: number, entity tag, size
 *
 * All ways to ask are asked and must agree: listings, paged listings, whole reads, ranges, heads.
 */
import { deepStrictEqual, ok, strictEqual } from "node:assert";
import type { Store } from "../engine.ts";
import type { Bucket } from "../object/bucket.ts";
import { md5Of } from "./object-model.ts";

/** Units by name. */
export type Observed = ReadonlyMap<string, readonly string[]>;

/** What a store may be asked of. */
export type ObservableStore = Pick<Store, "bucket" | "buckets">;

/** Looks at all there is. @throws when listings, reads and heads disagree, and what reading throws */
export async function observeStore(store: ObservableStore): Promise<Observed> {
  const units = new Map<string, readonly string[]>();
  for (const { name, versioning } of await store.buckets()) {
    units.set(bucketUnit(name), [versioning]);
    for (const [unit, lines] of await observeBucket(store.bucket(name))) units.set(unit, lines);
  }
  return units;
}

/** Name of a bucket's unit. */
export function bucketUnit(bucket: string): string {
  return `bucket ${bucket}`;
}

/** Name of a key's unit. */
export function keyUnit(bucket: string, key: string): string {
  return `${bucket}/${key}`;
}

/** Name of an upload's unit; `?` stands for an id that nobody was told. */
export function uploadUnit(bucket: string, key: string, uploadId: string): string {
  return `${bucket}?${uploadId} ${key}`;
}

/** The line of a version with these bytes. */
export function versionLine(versionId: string, etag: string, body: Uint8Array, tags: Readonly<Record<string, string>>): string {
  return `${versionId} ${etag} ${md5Of(body)} ${JSON.stringify(tags)}`;
}

/** The line of a part. */
export function partLine(partNumber: number, etag: string, size: number): string {
  return `${partNumber} ${etag} ${size}`;
}

async function observeBucket(bucket: Bucket): Promise<Map<string, readonly string[]>> {
  const units = new Map<string, string[]>();
  const live: string[] = [];
  for await (const entry of bucket.listVersions()) {
    ok(entry.key !== undefined);
    const unit = keyUnit(bucket.name, entry.key);
    const lines = units.get(unit) ?? [];
    strictEqual(entry.isLatest, lines.length === 0);
    if (entry.isLatest && !entry.deleteMarker) live.push(entry.key);
    lines.push(entry.deleteMarker ? `${entry.versionId} marker` : await readVersion(bucket, entry.key, entry.versionId));
    units.set(unit, lines);
  }
  await checkListings(bucket, live);
  for (const [unit, lines] of await observeUploads(bucket)) units.set(unit, lines);
  return units;
}

async function readVersion(bucket: Bucket, key: string, versionId: string): Promise<string> {
  const got = await bucket.get(key, { versionId });
  const body = await got.bytes();
  strictEqual(got.size, body.byteLength);
  if (body.byteLength > 2) {
    const range = { start: body.byteLength >> 1, end: body.byteLength - 2 };
    const part = await (await bucket.get(key, { versionId, range })).bytes();
    strictEqual(Buffer.compare(part, body.subarray(range.start, range.end + 1)), 0);
  }
  const head = await bucket.head(key, { versionId });
  strictEqual(head.etag, got.etag);
  return versionLine(versionId, got.etag, body, await bucket.getTags(key, { versionId }));
}

async function checkListings(bucket: Bucket, live: readonly string[]): Promise<void> {
  const listed: string[] = [];
  for await (const entry of bucket.list()) listed.push(entry.key as string);
  deepStrictEqual(listed, live);
  const paged: string[] = [];
  let continuationToken: string | undefined;
  do {
    const page = await bucket.listPage({ maxKeys: 2, continuationToken });
    paged.push(...page.entries.map((entry) => entry.key as string));
    continuationToken = page.continuationToken;
  } while (continuationToken !== undefined);
  deepStrictEqual(paged, live);
}

async function observeUploads(bucket: Bucket): Promise<Map<string, string[]>> {
  const units = new Map<string, string[]>();
  const { entries } = await bucket.listUploads();
  for (const entry of entries) {
    ok(entry.key !== undefined);
    const { parts } = await bucket.upload(entry.key, entry.uploadId).listParts();
    const lines = parts.map(({ partNumber, etag, size }) => partLine(partNumber, etag, size));
    units.set(uploadUnit(bucket.name, entry.key, entry.uploadId), lines);
  }
  return units;
}
