import fc from "fast-check";
import { expect, test } from "vitest";
import { type DriveUnderTest, describeDriveContract, describeFullDrive } from "../testing/drive-contract.ts";
import { MemoryBytes } from "./memory-bytes.ts";
import { createMemoryDrive, type MemoryDriveOptions } from "./memory-drive.ts";

async function makeMemoryDrive(options: MemoryDriveOptions): Promise<DriveUnderTest> {
  const drive = createMemoryDrive(options);
  return { drive, reopen: () => drive.reopen(), cleanUp: () => drive.close() };
}

describeDriveContract("the memory drive", () => makeMemoryDrive({ name: "memory:1" }));
describeFullDrive("the memory drive", () => makeMemoryDrive({ name: "memory:1", capacityBytes: 1 << 20 }));

test("the space of removed and aborted files comes back to the byte", async () => {
  const drive = createMemoryDrive({ name: "memory:1", capacityBytes: 1 << 20 });
  const file = await drive.open("a", { create: true });
  await file.write(70_000, [new Uint8Array(1000)]);
  const aborted = await drive.create("b");
  await aborted.write([new Uint8Array(5000)]);
  expect((await drive.space()).freeBytes).toBeLessThan(1 << 20);
  await aborted.abort();
  await drive.remove("a");
  expect((await drive.space()).freeBytes).toBeLessThan(1 << 20);
  await file.close();
  expect((await drive.space()).freeBytes).toBe(1 << 20);
});

test("bytes in memory behave like one plain array", () => {
  const step = fc.record({ position: fc.nat(200_000), length: fc.nat(90_000), cut: fc.boolean(), fill: fc.integer({ min: 1, max: 255 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 8 }), (steps) => {
      const bytes = new MemoryBytes();
      const model = new Uint8Array(300_000);
      let size = 0;
      for (const { position, length, cut, fill } of steps) {
        if (cut) {
          bytes.truncate(position);
          model.fill(0, position);
          size = position;
        } else {
          const growth = bytes.growthBytes(position, length);
          const before = bytes.allocatedBytes;
          bytes.write(position, new Uint8Array(length).fill(fill));
          expect(bytes.allocatedBytes - before).toBe(growth);
          model.fill(fill, position, position + length);
          if (length > 0) size = Math.max(size, position + length);
        }
        const into = new Uint8Array(300_000);
        expect(bytes.sizeBytes).toBe(size);
        expect(bytes.read(0, into)).toBe(size);
        expect(Buffer.compare(into, model)).toBe(0);
      }
    }),
    { numRuns: 50 },
  );
});
