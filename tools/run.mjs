/** Starting the project's tools: always this Node, always from the root, never over the network. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";

/** The top folder of the project. */
export const root = path.resolve(import.meta.dirname, "..");

/** Turbo and the others neither report home nor look for newer versions of themselves. */
const quietEnvironment = { TURBO_TELEMETRY_DISABLED: "1", TURBO_NO_UPDATE_NOTIFIER: "1", DO_NOT_TRACK: "1" };

/**
 * The script behind an installed package's command, so that it runs without a shell on every platform.
 * @param {string} packageName @param {string} [command]
 */
export function binPath(packageName, command = packageName.split("/").at(-1) ?? packageName) {
  const folder = path.join(root, "node_modules", packageName);
  const { bin } = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8"));
  return path.join(folder, typeof bin === "string" ? bin : bin[command]);
}

/**
 * Runs a Node script with its output passed through; resolves with its exit code.
 * @param {string} script @param {readonly string[]} args @param {{ cwd?: string; env?: Record<string, string> }} [options]
 * @returns {Promise<number>}
 */
export function runNode(script, args, options = {}) {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, ...quietEnvironment, ...options.env };
    const child = spawn(process.execPath, [script, ...args], { cwd: options.cwd ?? root, env, stdio: "inherit" });
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? 1));
  });
}

/** Builds workspaces with turbo; what has not changed comes from its cache. @param {readonly string[]} [filters] */
export function build(filters = []) {
  const chosen = filters.map((name) => `--filter=${name}`);
  return runNode(binPath("turbo"), ["run", "build", ...chosen, "--output-logs=errors-only", "--log-prefix=none"]);
}
