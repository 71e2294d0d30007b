/**
 * The rooms of packages/engine/src, lowest first: the one place that says who may import whom.
 *
 * `.dependency-cruiser.cjs` makes its rules from this list, the tidy check compares the folders with it, and
 * `node tools/rooms.mjs --picture` prints the picture of docs/ARCHITECTURE.md. To add a room, add it here and give it a README.
 */
import { pathToFileURL } from "node:url";

/**
 * @typedef {object} Room
 * @property {string} name A folder of packages/engine/src, or a file at its top.
 * @property {number | "side"} level Higher rooms import lower ones, never the other way round.
 * @property {string} holds
 * @property {readonly string[] | "everything"} imports Rooms it may import besides itself.
 * @property {boolean} [world] May use files, sockets, threads and processes of the machine.
 * @property {readonly string[]} [packages] Packages that no other room may import.
 * @property {boolean} [planned] Nothing is there yet; the place is kept for it.
 */

/** @type {readonly Room[]} */
export const rooms = [
  { name: "base", level: 0, holds: "errors, invariants, limits, clock, random, ids, bytes, units", imports: [] },
  { name: "codec", level: 1, holds: "GF(2^8), matrices, coding kernels, checksums", imports: ["base"] },
  { name: "drive", level: 2, holds: "bytes, durable", imports: ["codec", "base"], world: true },
  { name: "index", level: 2, holds: "ordered map", imports: ["codec", "base"], world: true, packages: ["lmdb"] },
  { name: "compute", level: 2, holds: "worker threads", imports: ["codec", "base"], world: true, packages: ["piscina"] },
  { name: "format", level: 2, holds: "bytes ⇄ values", imports: ["codec", "base"] },
  {
    name: "set",
    level: 3,
    holds: "one erasure set: batcher, commit point, quorum, recovery, reads",
    imports: ["drive", "index", "compute", "format", "codec", "base"],
  },
  {
    name: "store",
    level: 6,
    holds: "settings, labels, identity of drives: from directories to opened sets",
    imports: ["set", "placement", "format", "index", "compute", "drive", "codec", "base"],
  },
  { name: "placement", level: 4, holds: "topology → sets, key → set", imports: ["base"] },
  { name: "object", level: 5, holds: "buckets, objects, versions, multipart, listing", imports: ["set", "placement", "index", "base"] },
  {
    name: "upkeep",
    level: 5,
    holds: "scrub, heal, rebuild, compaction, lifecycle",
    imports: ["set", "placement", "index", "base"],
  },
  { name: "s3", level: 6, holds: "HTTP endpoint", imports: ["object", "base"], world: true, planned: true },
  { name: "wiring", level: 7, holds: "the open store: calls to the parts that do them, upkeep's tasks", imports: "everything" },
  { name: "engine.ts", level: 7, holds: "composition root: settings in, wired store out", imports: "everything", world: true },
  { name: "index.ts", level: 7, holds: "the public surface, no logic", imports: "everything" },
  { name: "cli", level: 7, holds: "the holdfast command", imports: "everything", world: true, packages: ["commander", "cli-progress"] },
  { name: "worker.ts", level: "side", holds: "thread entry", imports: ["codec", "base"], world: true },
  { name: "testing", level: "side", holds: "fault drives, contracts, model; no room imports it", imports: "everything", world: true },
];

/** Node's modules that reach the machine; rooms without `world` get what they need from below or injected. */
export const worldModules = [
  "child_process",
  "cluster",
  "dgram",
  "diagnostics_channel",
  "dns",
  "fs",
  "http",
  "http2",
  "https",
  "inspector",
  "net",
  "os",
  "process",
  "readline",
  "repl",
  "tls",
  "tty",
  "worker_threads",
];

/** Only base/clock.ts waits; the command may too. */
export const timerRooms = ["base", "cli"];

/** The names of the rooms that `room` may import, itself included. @param {Room} room */
export function importableRooms(room) {
  const all = rooms.map((other) => other.name);
  if (room.name === "testing") return all;
  if (room.imports === "everything") return all.filter((name) => name !== "testing");
  return [room.name, ...room.imports];
}

/** The Mermaid picture of the rooms. Arrows to base are left out: every room may import it. */
export function roomsPicture() {
  const lines = ["```mermaid", "flowchart TD"];
  const levels = [...new Set(rooms.map((room) => room.level))].sort((a, b) => rank(b) - rank(a));
  for (const level of levels) {
    lines.push(`  subgraph level_${level}["${level === "side" ? "beside the rooms" : `level ${level}`}"]`, "    direction LR");
    for (const room of rooms.filter((other) => other.level === level)) {
      lines.push(`    ${nodeId(room.name)}["${label(room.name)}<br/>${room.holds}${room.planned === true ? " (planned)" : ""}"]`);
    }
    lines.push("  end");
  }
  for (const [from, to] of arrows()) lines.push(`  ${nodeId(from)} --> ${nodeId(to)}`);
  lines.push("```", "", ...rooms.map(sentence).reverse());
  return lines.join("\n");
}

/**
 * Arrows of the picture: what rooms may import, and from the composition root to the rooms nobody else imports.
 * @returns {[string, string][]}
 */
function arrows() {
  /** @type {[string, string][]} */
  const found = [];
  for (const room of rooms) {
    if (room.imports === "everything") continue;
    for (const name of room.imports) if (name !== "base") found.push([room.name, name]);
  }
  const imported = new Set(found.map(([, to]) => to));
  for (const { name, imports, level } of rooms) {
    const isInner = imports !== "everything" && level !== "side" && name !== "base";
    if (isInner && !imported.has(name)) found.push(["engine.ts", name]);
  }
  return [...found, ["index.ts", "engine.ts"], ["cli", "engine.ts"]];
}

/** @param {Room} room */
function sentence(room) {
  const imports = room.imports === "everything" ? "everything" : room.imports.map((name) => `\`${label(name)}\``).join(", ") || "nothing";
  return `* \`${label(room.name)}\` may import ${imports}${room.world === true ? "; touches the machine" : ""}${room.planned === true ? "; planned" : ""}.`;
}

/** @param {number | "side"} level */
function rank(level) {
  return level === "side" ? -1 : level;
}

/** @param {string} name */
function label(name) {
  return name.includes(".") ? name : `${name}/`;
}

/** @param {string} name */
function nodeId(name) {
  return `room_${name.replace(/\W/g, "_")}`;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  if (process.argv[2] !== "--picture") {
    process.stderr.write("usage: node tools/rooms.mjs --picture\n");
    process.exitCode = 2;
  } else {
    process.stdout.write(`${roomsPicture()}\n`);
  }
}
