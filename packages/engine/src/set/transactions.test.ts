import { describe, expect, it } from "vitest";
import { utf8 } from "../base/bytes.ts";
import { HoldfastError, isHoldfastError } from "../base/errors.ts";
import { createSeededRandom } from "../base/random.ts";
import { createMemoryIndex } from "../index/memory-index.ts";
import { createFaultDrive } from "../testing/fault-drive.ts";
import { bodyOf, errorOf, keyOf, namesOf, put, read } from "../testing/set-operations.ts";
import { createSetDrives, openTestSet } from "../testing/test-set.ts";
import type { ErasureSet, KeyRange, PackedPayload, SetTransaction } from "./erasure-set.ts";

const profile = { data: 4, parity: 2 };

function scanned(
  view: Pick<SetTransaction, "scan">,
  range: KeyRange,
  answer: (name: string) => boolean | Uint8Array = () => true,
): string[] {
  const names: string[] = [];
  view.scan(range, (key, entry) => {
    const name = Buffer.from(key.subarray(1)).toString();
    names.push(`${name}=${Buffer.from(entry().value).toString()}`);
    return answer(name);
  });
  return names;
}

function putValue(set: ErasureSet, name: string, value: string): Promise<void> {
  return set.commit({ decide: (transaction) => transaction.put(keyOf(name), utf8(value)) });
}

const all = { start: keyOf(""), end: utf8("L") };

describe("a transaction", () => {
  it("sees what was placed before it and what it has done itself, and nothing of what was refused", async () => {
    const set = await openTestSet(await createSetDrives(6), { profile });
    await putValue(set, "a", "0");
    const seen: (string | undefined)[] = [];
    const look = (transaction: SetTransaction): void => {
      const value = transaction.get(keyOf("a"))?.value;
      seen.push(value === undefined ? undefined : Buffer.from(value).toString());
    };
    const refused = errorOf(
      set.commit({
        decide: (transaction) => {
          transaction.put(keyOf("a"), utf8("refused"));
          look(transaction);
          throw new Error("no");
        },
      }),
    );
    const outcomes = [
      set.commit({ decide: look }),
      putValue(set, "a", "1"),
      set.commit({
        decide: (transaction) => {
          look(transaction);
          transaction.delete(keyOf("a"));
          look(transaction);
        },
      }),
      set.commit({ decide: look }),
      putValue(set, "a", "2"),
      set.commit({ decide: look }),
    ];
    // Nothing is visible outside before it is committed.
    expect(Buffer.from(set.get(keyOf("a"))?.value as Uint8Array).toString()).toBe("0");
    await Promise.all(outcomes);
    expect(await refused).toMatchObject({ message: "no" });
    expect(seen).toEqual(["refused", "0", "1", undefined, undefined, "2"]);
    await set.close();
  });

  it("scans committed, pending and own changes in one order, both ways, with seeks", async () => {
    const set = await openTestSet(await createSetDrives(6), { profile });
    await Promise.all(["b", "d", "f", "h"].map((name) => putValue(set, name, "old")));
    const pending = [
      putValue(set, "c", "pending"),
      putValue(set, "d", "pending"),
      set.commit({ decide: (transaction) => transaction.delete(keyOf("f")) }),
    ];
    const results = await set.commit({
      decide: (transaction) => {
        transaction.put(keyOf("a"), utf8("own"));
        transaction.delete(keyOf("h"));
        transaction.put(keyOf("d"), utf8("own"));
        return {
          forwards: scanned(transaction, all),
          backwards: scanned(transaction, { ...all, reverse: true }),
          part: scanned(transaction, { start: keyOf("b"), end: keyOf("d") }),
          seeking: scanned(transaction, all, (name) => (name === "a" ? keyOf("ca") : true)),
          seekingBack: scanned(transaction, { ...all, reverse: true }, (name) => (name === "d" ? keyOf("b") : true)),
          first: scanned(transaction, all, () => false),
        };
      },
    });
    expect(results).toEqual({
      forwards: ["a=own", "b=old", "c=pending", "d=own"],
      backwards: ["d=own", "c=pending", "b=old", "a=own"],
      part: ["b=old", "c=pending"],
      seeking: ["a=own", "d=own"],
      seekingBack: ["d=own", "a=own"],
      first: ["a=own"],
    });
    await Promise.all(pending);
    expect(scanned(set, all)).toEqual(["a=own", "b=old", "c=pending", "d=own"]);
    await set.close();
  });

  it("that looks into a payload without a place yet is decided again when it has one", async () => {
    const drives = await createSetDrives(6);
    const set = await openTestSet(drives, { profile });
    const body = bodyOf("a", 3000);
    let decisions = 0;
    const first = put(set, "a", body);
    const second = set.commit({
      decide: (transaction) => {
        decisions++;
        const payload = transaction.get(keyOf("a"))?.payload as PackedPayload;
        transaction.put(keyOf("b"), payload.slice());
        return Buffer.from(payload).toString("hex");
      },
    });
    const third = set.commit({ decide: (transaction) => transaction.get(keyOf("a"))?.order });
    await Promise.all([first, third]);
    expect(await second).toBe(Buffer.from(set.get(keyOf("a"))?.payload as PackedPayload).toString("hex"));
    expect(decisions).toBe(2);
    expect(Buffer.compare(await set.readPacked(set.get(keyOf("b"))?.value as PackedPayload), body)).toBe(0);
    await set.close();
  });

  it("takes over payloads along a chain within one batch, and the log says the same", async () => {
    const drives = await createSetDrives(6);
    const set = await openTestSet(drives, { profile });
    const body = bodyOf("x", 2000);
    const copy = (from: string, to: string): Promise<void> =>
      set.commit({ decide: (transaction) => transaction.put(keyOf(to), utf8(to), transaction.get(keyOf(from))?.payload) });
    await Promise.all([put(set, "x", body), copy("x", "y"), copy("y", "z"), put(set, "x", bodyOf("x", 10)), copy("x", "w")]);
    await set.close();
    const again = await openTestSet(drives, { profile });
    for (const name of ["y", "z"]) expect(Buffer.compare(await read(again, name), body)).toBe(0);
    expect(Buffer.compare(await read(again, "w"), bodyOf("x", 10))).toBe(0);
    await again.close();
  });

  it("gets the same order from the log as it was given, also with many records in an operation", async () => {
    const drives = await createSetDrives(6);
    const set = await openTestSet(drives, { profile, settings: { batchOperationsMax: 7 } });
    const random = createSeededRandom(3);
    const given = new Map<string, number>();
    await Promise.all(
      Array.from({ length: 200 }, (_, i) =>
        set.commit({
          payloads: [bodyOf(String(i), 20)],
          decide: (transaction) => {
            const { order } = transaction;
            for (let count = random.below(4); count > 0; count--) {
              const name = String(random.below(60));
              if (random.below(5) === 0) {
                transaction.delete(keyOf(name));
                given.delete(name);
              } else {
                transaction.put(keyOf(name), utf8(`${i}`), random.below(2) === 0 ? 0 : undefined);
                given.set(name, order);
              }
            }
            return order;
          },
        }),
      ),
    ).then((orders) => {
      for (let i = 1; i < orders.length; i++) expect(orders[i]).toBeGreaterThanOrEqual(orders[i - 1] as number);
    });
    const ordersIn = (view: ErasureSet): Map<string, number> =>
      new Map(namesOf(view).map((name) => [name, view.get(keyOf(name))?.order as number]));
    expect(ordersIn(set)).toEqual(new Map([...given].sort(([a], [b]) => (a < b ? -1 : 1))));
    const before = ordersIn(set);
    await set.close();
    const again = await openTestSet(drives, { profile });
    expect(ordersIn(again)).toEqual(before);
    await again.close();
  });

  it("may have a profile of its own, narrower or wider than the set's", async () => {
    const drives = await createSetDrives(6);
    const set = await openTestSet(drives, { profile });
    const profiles = [
      undefined,
      { data: 1, parity: 2 },
      { data: 2, parity: 4 },
      { data: 1, parity: 4 },
      { data: 5, parity: 1 },
      { data: 4, parity: 2 },
    ];
    await Promise.all(
      profiles.flatMap((own, i) => [put(set, `a${i}`, bodyOf(`a${i}`, 5000), own), put(set, `b${i}`, bodyOf(`b${i}`, 50), own)]),
    );
    await set.close();
    for (const lost of [[], [0, 3], [2, 5]]) {
      const again = await openTestSet(
        drives.map((drive, i) => (lost.includes(i) ? undefined : drive)),
        { profile },
      );
      for (let i = 0; i < profiles.length; i++) {
        for (const name of [`a${i}`, `b${i}`]) {
          const expected = bodyOf(name, name.startsWith("a") ? 5000 : 50);
          // 5+1 stands one loss only.
          if (i === 4 && lost.length > 1) {
            const bytes = await read(again, name).catch((error: unknown) => isHoldfastError(error, "DRIVES_MISSING"));
            if (bytes !== true) expect(Buffer.compare(bytes as Uint8Array, expected)).toBe(0);
          } else expect(Buffer.compare(await read(again, name), expected)).toBe(0);
        }
      }
      await again.close();
    }
  });
});

describe("refusals", () => {
  it("take back what was decided on top of a lost batch, and the next operations see the state before it", async () => {
    const inner = await createSetDrives(6);
    const drives = inner.map((drive) => createFaultDrive(drive));
    const set = await openTestSet(drives, { profile, settings: { batchOperationsMax: 1 } });
    await putValue(set, "a", "0");
    for (const drive of drives) drive.setFaults("writeDurable packs/* #1: error DRIVE_FULL");
    const increments = Array.from({ length: 12 }, () =>
      set
        .commit({
          decide: (transaction) => {
            const next = Number(Buffer.from(transaction.get(keyOf("a"))?.value as Uint8Array).toString()) + 1;
            transaction.put(keyOf("a"), utf8(String(next)));
            return next;
          },
        })
        .catch((error: unknown) => (isHoldfastError(error, "DRIVE_FULL") ? undefined : Promise.reject(error))),
    );
    const results = (await Promise.all(increments)).filter((result) => result !== undefined);
    expect(results).toEqual(Array.from({ length: results.length }, (_, i) => i + 1));
    expect(results.length).toBeLessThan(12);
    expect(Buffer.from(set.get(keyOf("a"))?.value as Uint8Array).toString()).toBe(String(results.length));
    await set.close();
    const again = await openTestSet(inner, { profile });
    expect(Buffer.from(again.get(keyOf("a"))?.value as Uint8Array).toString()).toBe(String(results.length));
    await again.close();
  });

  it("of a batch the index could not take say that a reopen decides, which finds it done", async () => {
    const drives = await createSetDrives(6);
    const index = createMemoryIndex();
    const set = await openTestSet(drives, { profile, index });
    await putValue(set, "a", "0");
    index.write = () => {
      throw new HoldfastError("INDEX_DAMAGED", "no room");
    };
    expect(await errorOf(putValue(set, "a", "1"))).toMatchObject({ code: "WRITE_QUORUM_LOST", details: { indeterminate: true } });
    expect(await errorOf(putValue(set, "a", "2"))).toMatchObject({ code: "WRITE_QUORUM_LOST", details: { indeterminate: false } });
    expect(scanned(set, all)).toEqual(["a=0"]);
    await set.close();
    const again = await openTestSet(drives, { profile });
    expect(scanned(again, all)).toEqual(["a=1"]);
    await again.close();
  });

  it("of an aborted signal come before anything is decided", async () => {
    const set = await openTestSet(await createSetDrives(6), { profile });
    const error = await errorOf(set.commit({ decide: () => expect.unreachable() }, { signal: AbortSignal.abort() }));
    expect(error).toMatchObject({ code: "ABORTED" });
    await set.close();
  });
});
