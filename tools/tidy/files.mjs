import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { root } from "../run.mjs";

/** Paths from the root, with forward slashes, of every file git keeps or would keep, sorted. */
export function projectFiles() {
  const args = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
  const listed = execFileSync("git", args, { cwd: root, encoding: "utf8", maxBuffer: 1 << 26 });
  const deleted = execFileSync("git", ["ls-files", "--deleted", "-z"], { cwd: root, encoding: "utf8" });
  const gone = new Set(deleted.split("\0"));
  return [...new Set(listed.split("\0"))].filter((file) => file !== "" && !gone.has(file)).sort();
}

/** @param {string} file A path from the root. */
export function readText(file) {
  return readFileSync(path.join(root, file), "utf8");
}
