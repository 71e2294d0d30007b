import { expect, test } from "vitest";
import { rooms } from "../rooms.mjs";
import { checkPicture, checkRooms, withPicture } from "./rooms.mjs";

const page = withPicture("# A\n<!-- rooms:begin -->\n<!-- rooms:end -->\n");
const complete = rooms
  .filter((room) => room.planned !== true)
  .flatMap(({ name }) => (name.endsWith(".ts") ? [name] : [`${name}/a.ts`, `${name}/README.md`]))
  .map((file) => `packages/engine/src/${file}`);

/** @param {string} readme */
const reader = (readme) => (/** @type {string} */ file) => (file === "docs/ARCHITECTURE.md" ? page : readme);

test("a complete engine passes", () => {
  expect(checkRooms(complete, reader("short\n"))).toEqual([]);
});

test("a folder off the list, a missing room, a missing and a long README are named", () => {
  const without = complete.filter(
    (file) => file !== "packages/engine/src/codec/README.md" && !file.startsWith("packages/engine/src/drive/"),
  );
  expect(checkRooms([...without, "packages/engine/src/helpers/a.ts"], reader("short\n"))).toHaveLength(3);
  expect(checkRooms(complete, reader("long\n".repeat(16))).length).toBeGreaterThan(5);
});

test("the picture must be the list's", () => {
  expect(checkPicture(page)).toEqual([]);
  expect(checkPicture(page.replace("flowchart", "graph"))).toHaveLength(1);
  expect(checkPicture("# A\n")).toHaveLength(1);
});

test("a room imports only rooms below it", () => {
  for (const room of rooms) {
    if (room.imports === "everything" || typeof room.level !== "number") continue;
    for (const name of room.imports) expect(rooms.find((other) => other.name === name)?.level).toBeLessThan(room.level);
  }
});
