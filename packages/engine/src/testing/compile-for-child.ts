import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { makeTemporaryFolder } from "./temporary-folder.ts";

/** A source file and all it imports, compiled for a child process of plain Node. */
export interface CompiledScript {
  /** What to run. */
  readonly path: string;
  remove(): Promise<void>;
}

const sourceRoot = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.ESNext,
  verbatimModuleSyntax: true,
  rewriteRelativeImportExtensions: true,
};

/** Compiles `entry` (a path below `src/`) and what it imports from the engine, file by file, into a temporary folder. No npm packages. */
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
  await compile(join(sourceRoot, entry));
  return { path: target(join(sourceRoot, entry)), remove: folder.remove };
}
