import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InvariantError } from "../base/invariant.ts";
import { pieceHeaderBytesOf, shardGeometry } from "./shard-geometry.ts";

describe("shard geometry", () => {
  test("a megabyte and a bit over four shards", () => {
    const geometry = shardGeometry({ data: 4, stripeBytes: 1_048_576, sizeBytes: 1_048_576 + 1_000 });
    expect(geometry.stripes).toBe(2);
    expect([0, 1].map((stripe) => geometry.dataBytes(stripe))).toEqual([1_048_576, 1_000]);
    expect([0, 1].map((stripe) => geometry.pieceBytes(stripe))).toEqual([262_144, 256]);
    expect([0, 1].map((stripe) => geometry.position(stripe))).toEqual([128, 128 + 128 + 262_144]);
    expect(geometry.fileBytes).toBe(128 + 128 + 262_144 + 128 + 256);
    expect(() => geometry.dataBytes(2)).toThrow(InvariantError);
  });

  test("a blob of nothing is a header", () => {
    expect(shardGeometry({ data: 2, stripeBytes: 4_096, sizeBytes: 0 })).toMatchObject({ stripes: 0, fileBytes: 128 });
  });

  test("the header of a piece grows with its parts", () => {
    const parts = (count: number): number => pieceHeaderBytesOf(count * 65_536);
    expect([1, 11, 12, 27, 28].map(parts)).toEqual([128, 128, 256, 256, 384]);
  });

  test("pieces follow each other without gaps, hold all bytes, and end with the file", () => {
    const shape = fc.record({
      data: fc.integer({ min: 1, max: 60 }),
      stripeBytes: fc.integer({ min: 1, max: 300_000 }),
      full: fc.nat({ max: 40 }),
      rest: fc.nat(),
    });
    fc.assert(
      fc.property(shape, ({ data, stripeBytes, full, rest }) => {
        const sizeBytes = full * stripeBytes + (rest % stripeBytes);
        const geometry = shardGeometry({ data, stripeBytes, sizeBytes });
        let position = 128;
        let bytes = 0;
        for (let stripe = 0; stripe < geometry.stripes; stripe++) {
          expect(geometry.position(stripe)).toBe(position);
          expect(geometry.pieceBytes(stripe) % 128).toBe(0);
          expect(geometry.pieceBytes(stripe) * data).toBeGreaterThanOrEqual(geometry.dataBytes(stripe));
          position += geometry.pieceHeaderBytes(stripe) + geometry.pieceBytes(stripe);
          bytes += geometry.dataBytes(stripe);
        }
        expect([bytes, position]).toEqual([sizeBytes, geometry.fileBytes]);
      }),
    );
  });
});
