/** Short forms of what tests of sets do again and again. */
import { expect } from "vitest";
import { utf8 } from "../base/bytes.ts";
import { createSeededRandom } from "../base/random.ts";
import type { BlobLocation, ErasureProfile, ErasureSet, PackedPayload, SetEntry } from "../set/erasure-set.ts";

export function keyOf(name: string): Uint8Array {
  return utf8(`K${name}`);
}

/** Bytes without a pattern, the same for the same name and length. */
export function bodyOf(name: string, length: number): Uint8Array {
  let seed = length;
  for (const char of name) seed = (seed * 31 + (char.codePointAt(0) as number)) >>> 0;
  return createSeededRandom(seed).bytes(length);
}

/** Puts a packed payload under a name. */
export function put(set: ErasureSet, name: string, body: Uint8Array, profile?: ErasureProfile): Promise<void> {
  return set.commit({ profile, payloads: [body], decide: (transaction) => transaction.put(keyOf(name), utf8(name), 0) });
}

export function remove(set: ErasureSet, name: string): Promise<void> {
  return set.commit({ decide: (transaction) => transaction.delete(keyOf(name)) });
}

export function read(set: ErasureSet, name: string): Promise<Uint8Array> {
  return set.readPacked(set.get(keyOf(name))?.payload as PackedPayload);
}

/** Expects exactly these names and bytes. */
export async function expectBodies(set: ErasureSet, bodies: ReadonlyMap<string, Uint8Array>): Promise<void> {
  for (const [name, body] of bodies) expect(Buffer.compare(await read(set, name), body), name).toBe(0);
  expect(namesOf(set)).toEqual([...bodies.keys()].sort());
}

export function namesOf(set: ErasureSet): string[] {
  const names: string[] = [];
  set.scan({ start: utf8("K"), end: utf8("L") }, (key) => {
    names.push(Buffer.from(key.subarray(1)).toString());
    return true;
  });
  return names;
}

export async function* inPieces(bytes: Uint8Array, length = 10_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += length) yield bytes.subarray(at, at + length);
}

/** Writes a blob and names it. */
export async function putBlob(set: ErasureSet, name: string, body: Uint8Array): Promise<BlobLocation> {
  const { blob } = await set.writeBlob(inPieces(body), { digests: [] });
  await set.commit({
    decide: (transaction) => {
      transaction.addBlob(blob);
      transaction.put(keyOf(name), blob);
    },
  });
  return blob;
}

export function removeBlob(set: ErasureSet, name: string): Promise<void> {
  return set.commit({
    decide: (transaction) => {
      transaction.removeBlob((transaction.get(keyOf(name)) as SetEntry).value as BlobLocation);
      transaction.delete(keyOf(name));
    },
  });
}

export async function readBlob(set: ErasureSet, blob: BlobLocation, range?: { start: number; end: number }): Promise<Uint8Array> {
  const reader = set.openBlob(blob);
  const pieces: Uint8Array[] = [];
  try {
    for await (const piece of reader.read(range ?? { start: 0, end: reader.sizeBytes })) pieces.push(piece);
  } finally {
    reader.close();
  }
  return Buffer.concat(pieces);
}

/** The error a call rejects with; fails when it does not. */
export function errorOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => expect.unreachable("the call succeeded"),
    (error: unknown) => error,
  );
}
