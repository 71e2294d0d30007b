import { expect, it } from "vitest";
import { dataMax, dataMaxWithFourParity } from "../base/limits.ts";
import { defaultProfile, validateProfile } from "./profile.ts";

it("has the default profiles of the table", () => {
  const table = Array.from({ length: 17 }, (_, at) => {
    const { data, parity } = defaultProfile(at + 1);
    return `${data}+${parity}`;
  });
  expect(table.join(" ")).toBe("1+0 1+1 2+1 2+2 3+2 4+2 5+2 6+2 6+3 7+3 8+3 8+4 9+4 10+4 11+4 12+4 6+2");
});

it("has a valid default for any number of drives, never wider than sixteen", () => {
  for (let drives = 1; drives <= 300; drives++) {
    const profile = validateProfile(defaultProfile(drives), drives);
    expect(profile.data + profile.parity).toBeLessThanOrEqual(16);
  }
});

it.each([
  [{ data: 0, parity: 1 }, 4, "erasure.data"],
  [{ data: 1.5, parity: 1 }, 4, "erasure.data"],
  [{ data: dataMax + 1, parity: 0 }, 100, "erasure.data"],
  [{ data: dataMaxWithFourParity + 1, parity: 4 }, 100, "erasure.data"],
  [{ data: Number.NaN, parity: 0 }, 4, "erasure.data"],
  [{ data: 2, parity: 5 }, 100, "erasure.parity"],
  [{ data: 2, parity: -1 }, 100, "erasure.parity"],
  [{ data: 4, parity: 2 }, 5, "erasure"],
])("refuses %j on %i drives and names %s", (profile, drives, field) => {
  expect(() => validateProfile(profile, drives)).toThrow(
    expect.objectContaining({ code: "SETTINGS_INVALID", details: expect.objectContaining({ field }) }),
  );
});

it.each([
  [{ data: dataMax, parity: 3 }, 63],
  [{ data: dataMaxWithFourParity, parity: 4 }, 25],
  [{ data: 1, parity: 0 }, 1],
])("takes %j on %i drives", (profile, drives) => {
  expect(validateProfile(profile, drives)).toEqual(profile);
});
