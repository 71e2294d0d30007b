/**
 * Checksums a caller declares for a body, or asks to be computed and kept. They are verified before anything is committed, kept with
 * the object and handed back by `get` and `head`.
 */
import { equalBytes, fromHex, toHex } from "../base/bytes.ts";
import { HoldfastError } from "../base/errors.ts";
import type { DigestName } from "./digests.ts";
import type { StoredChecksums } from "./object-record.ts";
import { invalidArgument } from "./validate.ts";

/** Digest names by the number they are stored under (never renumber), with their size in bytes. */
const kinds: readonly { readonly name: DigestName; readonly sizeBytes: number }[] = [
  { name: "md5", sizeBytes: 16 },
  { name: "sha1", sizeBytes: 20 },
  { name: "sha256", sizeBytes: 32 },
  { name: "sha512", sizeBytes: 64 },
  { name: "crc32", sizeBytes: 4 },
  { name: "crc32c", sizeBytes: 4 },
  { name: "crc64nvme", sizeBytes: 8 },
  { name: "xxhash64", sizeBytes: 8 },
  { name: "xxhash3", sizeBytes: 8 },
  { name: "xxhash128", sizeBytes: 16 },
];

/**
 * Checksums of a body by name. A value is the digest as bytes, hexadecimal or base64 text, to be verified and kept; `true` asks for
 * it to be computed and kept.
 */
export type DeclaredChecksums = { readonly [Name in DigestName]?: Uint8Array | string | true };

/** Checksums of a stored object, in lower-case hexadecimal digits. */
export type ObjectChecksums = { readonly [Name in DigestName]?: string };

/** A checksum to compute, and what it must be. */
export interface ExpectedChecksum {
  readonly name: DigestName;
  readonly expected: Uint8Array | undefined;
  /** False for `contentMd5`, which is only verified. */
  readonly kept: boolean;
}

const none: readonly ExpectedChecksum[] = [];
const noChecksums: ObjectChecksums = Object.freeze({});

/** The checksums of an option bag, validated. @throws CHECKSUM_INVALID */
export function parseChecksums(options: {
  readonly checksums?: DeclaredChecksums | undefined;
  readonly contentMd5?: Uint8Array | string | undefined;
}): readonly ExpectedChecksum[] {
  if (options.checksums === undefined && options.contentMd5 === undefined) return none;
  const parsed: ExpectedChecksum[] = [];
  for (const [name, value] of Object.entries(options.checksums ?? {})) {
    if (value === undefined) continue;
    const kind = kinds.find((known) => known.name === name);
    if (kind === undefined)
      throw invalidArgument(
        `checksums.${name}`,
        value,
        `is not known; use one of ${kinds.map((known) => known.name).join(", ")}`,
        "CHECKSUM_INVALID",
      );
    parsed.push({
      name: kind.name,
      expected: value === true ? undefined : parseDigest(`checksums.${name}`, value, kind.sizeBytes),
      kept: true,
    });
  }
  if (options.contentMd5 !== undefined)
    parsed.push({ name: "md5", expected: parseDigest("contentMd5", options.contentMd5, 16), kept: false });
  return parsed.sort((a, b) => numberOf(a.name) - numberOf(b.name));
}

/** Verifies digests against what was declared and returns those to keep. @throws CHECKSUM_MISMATCH */
export function checkDigests(
  checksums: readonly ExpectedChecksum[],
  digestOf: (name: DigestName) => Uint8Array,
): StoredChecksums | undefined {
  if (checksums.length === 0) return undefined;
  const stored: (number | Uint8Array)[] = [];
  for (const { name, expected, kept } of checksums) {
    const actual = digestOf(name);
    if (expected !== undefined && !equalBytes(actual, expected)) {
      throw new HoldfastError(
        "CHECKSUM_MISMATCH",
        `the body's ${name} is ${toHex(actual)}, but ${toHex(expected)} was declared; send the body again`,
        {
          details: { checksum: name, actual: toHex(actual), declared: toHex(expected) },
        },
      );
    }
    if (kept) stored.push(numberOf(name), actual);
  }
  return stored.length === 0 ? undefined : stored;
}

/** Stored checksums by name. */
export function publicChecksums(stored: StoredChecksums | undefined): ObjectChecksums {
  if (stored === undefined) return noChecksums;
  const checksums: Partial<Record<DigestName, string>> = {};
  for (let i = 0; i < stored.length; i += 2) {
    const kind = kinds[stored[i] as number];
    if (kind !== undefined) checksums[kind.name] = toHex(stored[i + 1] as Uint8Array);
  }
  return checksums;
}

/** Bytes of a digest given as bytes, hexadecimal or base64. For a size the two texts always differ in length or in padding. */
function parseDigest(field: string, value: Uint8Array | string, sizeBytes: number): Uint8Array {
  if (value instanceof Uint8Array) {
    if (value.byteLength === sizeBytes) return Uint8Array.from(value);
  } else if (typeof value === "string") {
    if (value.length === 2 * sizeBytes && /^[0-9a-fA-F]+$/.test(value)) return fromHex(value);
    if (/^[A-Za-z0-9+/]+={0,2}$/.test(value) && value.length === 4 * Math.ceil(sizeBytes / 3)) {
      const bytes = Uint8Array.from(Buffer.from(value, "base64"));
      if (bytes.byteLength === sizeBytes) return bytes;
    }
  }
  throw invalidArgument(field, value, `is no digest of ${sizeBytes} bytes; give bytes, hexadecimal or base64`, "CHECKSUM_INVALID");
}

function numberOf(name: DigestName): number {
  return kinds.findIndex((kind) => kind.name === name);
}
