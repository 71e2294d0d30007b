import { chmod, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { makeTemporaryFolder } from "./temporary-folder.ts";

/** A source file and all it imports, compiled for a child process of plain Node. */
export interface CompiledScript {
  /** What to run. */
  readonly path: string;
  remove(): Promise<void>;
}

/** Where npm has put the engine's dependencies. */
function packagesFolder(): string {
  const inside = createRequire(import.meta.url).resolve("msgpackr");
  const name = `${sep}node_modules${sep}`;
  return inside.slice(0, inside.lastIndexOf(name) + name.length - 1);
}

const sourceRoot = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.ESNext,
  verbatimModuleSyntax: true,
  rewriteRelativeImportExtensions: true,
};

/** Compiles `entry` (a path below `src/`) and what it imports from the engine, file by file, into a temporary folder beside npm's packages. */
export async function compileForChild(entry: string): Promise<CompiledScript> {
  const folder = await makeTemporaryFolder();
  const target = (source: string): string => join(folder.path, relative(sourceRoot, source).replace(/\.ts$/, ".js"));
  const seen = new Set<string>();
  async function compile(source: string): Promise<void> {
    if (seen.has(source)) return;
    seen.add(source);
    const { outputText } = ts.transpileModule(await readFile(source, "utf8"), { compilerOptions: options, fileName: source });
    await mkdir(dirname(target(source)), { recursive: true });
    await writeFile(target(source), outputText);
    for (const { fileName } of ts.preProcessFile(outputText).importedFiles) {
      if (fileName.startsWith(".")) await compile(resolve(dirname(source), fileName.replace(/\.js$/, ".ts")));
    }
  }
  await writeFile(join(folder.path, "package.json"), '{ "type": "module" }\n');
  await symlink(packagesFolder(), join(folder.path, "node_modules"), "junction");
  // For children that run as another user.
  await chmod(folder.path, 0o755);
  await compile(join(sourceRoot, entry));
  return { path: target(join(sourceRoot, entry)), remove: folder.remove };
}
