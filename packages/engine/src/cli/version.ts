import { readFileSync } from "node:fs";

/** The version of the package: its package.json lies above both `src/cli/` and `dist/`. */
export const version = readVersion(["../package.json", "../../package.json"]);

function readVersion(places: readonly string[]): string {
  for (const place of places) {
    try {
      return String(JSON.parse(readFileSync(new URL(place, import.meta.url), "utf8")).version);
    } catch {
      // built, the command lies one folder higher than its source
    }
  }
  return "unknown";
}
