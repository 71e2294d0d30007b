/** Who may import whom. Made from tools/rooms.mjs; change the list there, not the rules here. */
const path = require("node:path");
const { importableRooms, rooms, timerRooms, worldModules } = require("./tools/rooms.mjs");

const source = "^packages/engine/src/";
const tests = "[.]test[.]ts$";
const escapePattern = (text) => text.replace(/[.-]/g, "[$&]");
/** A pattern for the paths of some rooms; a file at the top is matched whole. */
const pathOf = (names) => `${source}(${names.map((name) => (name.includes(".") ? `${escapePattern(name)}$` : `${name}/`)).join("|")})`;
const namesOf = (found) => found.map((room) => room.name);

const roomRules = rooms.map((room) => ({
  name: `room-${room.name}`,
  comment: `${room.name} may import ${importableRooms(room).join(", ")} (tools/rooms.mjs)`,
  severity: "error",
  from: { path: pathOf([room.name]), pathNot: tests },
  to: { path: source, pathNot: pathOf(importableRooms(room)) },
}));

const packageRules = rooms.flatMap((room) =>
  (room.packages ?? []).map((name) => ({
    name: `package-${name}`,
    comment: `only ${room.name} imports ${name}`,
    severity: "error",
    from: { path: source, pathNot: [pathOf([room.name]), tests] },
    to: { path: `(^|/)node_modules/${escapePattern(name)}/` },
  })),
);

module.exports = {
  forbidden: [
    ...roomRules,
    ...packageRules,
    { name: "no-cycles", comment: "a cycle has no order to be read in", severity: "error", from: {}, to: { circular: true } },
    {
      name: "unknown-room",
      comment: "every file of the engine lies in a room of tools/rooms.mjs",
      severity: "error",
      from: { path: source, pathNot: [pathOf(namesOf(rooms)), tests] },
      to: {},
    },
    {
      name: "into-unknown-room",
      comment: "every file of the engine lies in a room of tools/rooms.mjs",
      severity: "error",
      from: {},
      to: { path: source, pathNot: [pathOf(namesOf(rooms)), tests] },
    },
    {
      name: "no-world",
      comment: "only rooms with `world` in tools/rooms.mjs touch the machine",
      severity: "error",
      from: { path: source, pathNot: [pathOf(namesOf(rooms.filter((room) => room.world === true))), tests] },
      to: { dependencyTypes: ["core"], path: `^(node:)?(${worldModules.join("|")})(/|$)` },
    },
    {
      name: "no-timers",
      comment: "take a Clock (base/clock.ts) and await clock.sleep(ms, signal)",
      severity: "error",
      from: { path: source, pathNot: [pathOf(timerRooms), tests] },
      to: { dependencyTypes: ["core"], path: "^(node:)?timers(/|$)" },
    },
    {
      name: "through-the-front-door",
      comment: "other packages and examples use what @holdfast/engine exports, never its rooms",
      severity: "error",
      from: { path: "^(packages/(client|k8s)|examples)/" },
      to: { path: "^packages/engine/(src|test)/" },
    },
    { name: "no-tests", comment: "nothing imports a test", severity: "error", from: {}, to: { path: tests } },
    { name: "resolvable", comment: "an import that resolves to nothing", severity: "error", from: {}, to: { couldNotResolve: true } },
    {
      name: "dependencies-only",
      comment: "what is published imports only its own dependencies",
      severity: "error",
      from: { path: "^packages/[^/]+/src/", pathNot: [tests, pathOf(["testing"])] },
      to: { dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"], pathNot: "node_modules/@types/" },
    },
  ],
  options: {
    doNotFollow: { path: "(^|/)(node_modules|dist)/" },
    exclude: { path: "(^|/)(temp|coverage|data)/" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: path.join(__dirname, "tsconfig.base.json") },
    combinedDependencies: false,
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "types", "default"] },
  },
};
