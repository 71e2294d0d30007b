import { expect } from "vitest";
import { type ErrorCode, isHoldfastError } from "../base/errors.ts";
import { createSeededRandom } from "../base/random.ts";
import type { Drive } from "../drive/drive.ts";

/** A drive under test, empty at first. */
export interface DriveUnderTest {
  readonly drive: Drive;
  /** Closes the drive and opens the same one again. */
  reopen(): Promise<Drive>;
  /** Removes what the test left. */
  cleanUp(): Promise<void>;
}

/** A few bytes, written out. */
export function bytesOf(...values: number[]): Uint8Array {
  return Uint8Array.from(values);
}

/** Bytes without a pattern, the same for the same length. */
export function arbitraryBytes(length: number): Uint8Array {
  return createSeededRandom(length).bytes(length);
}

/** Expects a call to reject with one of the codes. */
export async function expectCode(call: Promise<unknown>, ...codes: readonly ErrorCode[]): Promise<void> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isHoldfastError(error, ...codes)) expect(error, `to be a HoldfastError of ${codes.join(" or ")}`).toBe(codes[0]);
}

/** A finished file with this content. */
export async function makeFile(drive: Drive, name: string, content: Uint8Array): Promise<void> {
  const file = await drive.create(name);
  await file.write([content]);
  await file.finish();
}
