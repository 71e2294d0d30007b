/**
 * Spoilt bytes of every stored format: what reads them takes them or refuses them with a code it documents; what it takes can be written
 * again and read as the same. `HOLDFAST_FUZZ` sets the inputs for each format; `HOLDFAST_FUZZ_SEED` replays one.
 */
import { expect, it } from "vitest";
import { equalBytes } from "../src/base/bytes.ts";
import { isHoldfastError } from "../src/base/errors.ts";
import { createSeededRandom } from "../src/base/random.ts";
import { mutateBytes } from "../src/testing/mutate-bytes.ts";
import { describeBytes, type StoredFormat, storedFormats } from "../src/testing/stored-formats.ts";
import { tally } from "../src/testing/tally.ts";

const inputs = Number(process.env.HOLDFAST_FUZZ ?? 6000);
const replayed = process.env.HOLDFAST_FUZZ_SEED;
const everySample = storedFormats.flatMap((format) => format.samples);

function spoil(format: StoredFormat, seed: number): Uint8Array {
  const random = createSeededRandom(seed);
  const sample = format.samples[random.below(format.samples.length)] as Uint8Array;
  const bytes = mutateBytes(sample, random, random.below(4) === 0 ? everySample : format.samples);
  if (random.below(3) > 0) format.reseal?.(bytes);
  return bytes;
}

/** Why reading these bytes was not right; undefined when it was. */
function faultOf(format: StoredFormat, bytes: Uint8Array): string | undefined {
  const before = new Uint8Array(bytes);
  try {
    const written = format.reread(bytes);
    if (!equalBytes(before, bytes)) return "reading changed the bytes";
    if (written === undefined) return undefined;
    if (format.exact === true && !equalBytes(written, bytes)) return `it was taken, and written otherwise: ${describeBytes(written)}`;
    const again = format.reread(written);
    return again !== undefined && equalBytes(again, written) ? undefined : `what it was taken for does not last: ${describeBytes(written)}`;
  } catch (error) {
    return isHoldfastError(error, ...format.refusals) && format.refusals.length > 0 ? undefined : String(error);
  }
}

it.each(storedFormats.map((format) => [format.name, format] as const))(
  "%s: spoilt bytes are read as something sound, or refused",
  (name, format) => {
    for (const sample of format.samples) {
      expect(faultOf(format, sample)).toBeUndefined();
      const written = format.reread(sample);
      if (written !== undefined) expect(equalBytes(written, sample)).toBe(true);
    }
    const seeds = replayed === undefined ? Array.from({ length: inputs }, (_, i) => i + 1) : [Number(replayed)];
    let taken = 0;
    for (const seed of seeds) {
      const bytes = spoil(format, seed);
      const fault = faultOf(format, bytes);
      if (fault !== undefined) {
        throw new Error(
          `replay with HOLDFAST_FUZZ_SEED=${seed} npx vitest run test/fuzz-formats.test.ts -t "${name}": ${fault}; bytes ${describeBytes(bytes)}`,
        );
      }
      if (process.env.HOLDFAST_FUZZ_STATS === "1" && format.reseal !== undefined && isTaken(format, bytes)) taken++;
    }
    if (taken > 0) process.stdout.write(`${name}: ${taken} of ${seeds.length} taken\n`);
    tally("spoilt inputs", seeds.length);
  },
);

function isTaken(format: StoredFormat, bytes: Uint8Array): boolean {
  try {
    return format.reread(bytes) !== undefined;
  } catch {
    return false;
  }
}
