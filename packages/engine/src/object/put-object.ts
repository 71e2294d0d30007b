/**
 * The life of a put: everything about the body is known before the commit (its digests, its length, its blob); the commit then only
 * decides, in the set's order, on conditions and versions. A body up to the inline limit travels in the commit; a larger one is
 * written as a blob first, which is discarded unless the commit names it.
 */
import type { BlobLocation, SetOperation, SetTransaction } from "../set/erasure-set.ts";
import { type ObjectAttributes, parseAttributes } from "./attributes.ts";
import { discardBody, type ObjectBody, takeBody } from "./body.ts";
import type { BodyOptions } from "./body-puller.ts";
import {
  checkDigests,
  type DeclaredChecksums,
  type ExpectedChecksum,
  type ObjectChecksums,
  parseChecksums,
  publicChecksums,
} from "./checksums.ts";
import { commitBlobOnKey, commitOnKey, keyOf, type PlacedBlob } from "./commit-on-key.ts";
import { type Conditions, checkWriteConditions, type ParsedConditions, parseConditions } from "./conditions.ts";
import { type KeyAddress, locate, type ObjectContext } from "./context.ts";
import type { DigestName } from "./digests.ts";
import { etagDigest, etagOf } from "./etag.ts";
import { recordKinds, type StoredAttributes, type StoredChecksums } from "./object-record.ts";
import { validateOptions } from "./validate.ts";
import { versionIdOf } from "./version-id.ts";
import { currentVersion, installCurrent, makesNullVersions } from "./versions.ts";

/** Options of a put. */
export interface PutOptions extends ObjectAttributes, Conditions, BodyOptions {
  /** Checksums to verify and keep; `true` computes and keeps one. */
  readonly checksums?: DeclaredChecksums | undefined;
  /** MD5 of the body, to verify only. */
  readonly contentMd5?: Uint8Array | string | undefined;
}

/** What a put answers. */
export interface PutResult {
  readonly key: string;
  /** Without quotes. */
  readonly etag: string;
  readonly size: number;
  /** Undefined where the bucket's versioning was never enabled. */
  readonly versionId: string | undefined;
  readonly lastModified: Date;
  readonly checksums: ObjectChecksums;
}

/** All that is known of a new object before its commit. */
export interface PutPlan {
  readonly address: KeyAddress;
  readonly attributes: StoredAttributes;
  readonly conditions: ParsedConditions | undefined;
  readonly etag: string;
  readonly sizeBytes: number;
  readonly checksums: StoredChecksums | undefined;
  readonly blob: BlobLocation | undefined;
}

/** A body ready to be committed: in memory, or as a blob. */
export interface StoredBody extends Pick<PutPlan, "etag" | "sizeBytes" | "checksums"> {
  readonly bytes: Uint8Array | undefined;
  readonly placed: PlacedBlob | undefined;
}

/** Puts an object. */
export async function putObject(
  context: ObjectContext,
  bucketName: string,
  key: string,
  body: ObjectBody,
  options: PutOptions = {},
): Promise<PutResult> {
  try {
    validateOptions(options);
    const address = locate(context, bucketName, key);
    const attributes = parseAttributes(options);
    const conditions = parseConditions(options);
    const checksums = parseChecksums(options);
    const taken = takeBody(body, context.settings.inlineBytes, options);
    const ready = taken instanceof Promise ? await taken : taken;
    if (ready.bytes !== undefined) {
      const digested = digestBytes(context, ready.bytes, checksums);
      return await commitBody(context, { address, attributes, conditions }, digested, options.signal);
    }
    const stored = await writeLargeBody(context, address, ready.stream, { checksums, signal: options.signal });
    return await commitBody(context, { address, attributes, conditions }, stored, options.signal);
  } catch (error) {
    discardBody(body);
    throw error;
  }
}

/** Digests of a body in memory, verified. @throws CHECKSUM_MISMATCH */
export function digestBytes(context: ObjectContext, bytes: Uint8Array, checksums: readonly ExpectedChecksum[]): StoredBody {
  const { computeDigest, settings } = context;
  const etagName = etagDigest(settings.etag);
  const digest = computeDigest(etagName, bytes);
  const kept =
    checksums.length === 0 ? undefined : checkDigests(checksums, (name) => (name === etagName ? digest : computeDigest(name, bytes)));
  return { etag: etagOf(settings.etag, digest), sizeBytes: bytes.byteLength, checksums: kept, bytes, placed: undefined };
}

/** Writes a large body as a blob and verifies its digests; nothing is left behind when that fails. @throws CHECKSUM_MISMATCH */
export async function writeLargeBody(
  context: ObjectContext,
  address: KeyAddress,
  stream: AsyncIterable<Uint8Array>,
  options: { readonly checksums: readonly ExpectedChecksum[]; readonly signal: AbortSignal | undefined },
): Promise<StoredBody> {
  const etagName = etagDigest(context.settings.etag);
  const digests = [...new Set<DigestName>([etagName, ...options.checksums.map((checksum) => checksum.name)])];
  const set = context.topology.choose(keyOf(address));
  const written = await set.writeBlob(stream, { digests, profile: address.bucket.record.erasure, signal: options.signal });
  const digestOf = (name: DigestName): Uint8Array => written.digests.get(name) as Uint8Array;
  try {
    const checksums = checkDigests(options.checksums, digestOf);
    return {
      etag: etagOf(context.settings.etag, digestOf(etagName)),
      sizeBytes: written.sizeBytes,
      checksums,
      bytes: undefined,
      placed: { set, blob: written.blob },
    };
  } catch (error) {
    await set.discardBlob(written.blob);
    throw error;
  }
}

/** Commits a body as the new version of a key. */
export function commitBody(
  context: ObjectContext,
  facts: Pick<PutPlan, "address" | "attributes" | "conditions">,
  { etag, sizeBytes, checksums, bytes, placed }: StoredBody,
  signal: AbortSignal | undefined,
): Promise<PutResult> {
  const { address } = facts;
  const payloads = bytes === undefined || bytes.byteLength === 0 ? [] : [bytes];
  const payload = payloads.length === 0 ? undefined : 0;
  const operationFor = (blob: BlobLocation | undefined): SetOperation<PutResult> => {
    const plan: PutPlan = { ...facts, etag, sizeBytes, checksums, blob };
    return { profile: address.bucket.record.erasure, payloads, decide: (tx) => decidePut(tx, plan, payload) };
  };
  if (placed !== undefined) return commitBlobOnKey(context, address, { placed, operationFor }, signal);
  return commitOnKey(context, address, operationFor(undefined), signal);
}

/** Decides on a put, in the set's order. @throws PRECONDITION_FAILED, OBJECT_NOT_FOUND */
export function decidePut(tx: SetTransaction, plan: PutPlan, payload: number | undefined): PutResult {
  const { address, etag, sizeBytes, blob, checksums } = plan;
  const current = currentVersion(tx, address);
  checkWriteConditions(plan.conditions, current?.record, address.key);
  const isNull = makesNullVersions(address);
  const version = { order: tx.order, isNull, modifiedMs: tx.timeMs };
  if (blob !== undefined) tx.addBlob(blob);
  const kind = blob === undefined ? recordKinds.packed : recordKinds.blob;
  const { content, metadata, tags } = plan.attributes;
  installCurrent(
    tx,
    address,
    current,
    { kind, ...version, sizeBytes, etag, blob, segments: undefined, uploadId: undefined, content, metadata, tags, checksums },
    payload,
  );
  return putResult(address, version, { etag, sizeBytes, checksums });
}

/** The answer to a put. */
export function putResult(
  address: KeyAddress,
  version: { readonly order: number; readonly isNull: boolean; readonly modifiedMs: number },
  body: { readonly etag: string; readonly sizeBytes: number; readonly checksums: StoredChecksums | undefined },
): PutResult {
  return {
    key: address.key,
    etag: body.etag,
    size: body.sizeBytes,
    versionId: address.bucket.record.versioning === "off" ? undefined : versionIdOf(version),
    lastModified: new Date(version.modifiedMs),
    checksums: publicChecksums(body.checksums),
  };
}
