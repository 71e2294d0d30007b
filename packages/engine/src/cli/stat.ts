import type { Command } from "commander";
import { parseAddress } from "./address.ts";
import type { CommandContext, RunWork } from "./command-context.ts";
import { withStore } from "./find-store.ts";
import { objectDocument } from "./object-document.ts";
import { printable } from "./printable.ts";

/** `holdfast stat`: what is known of an object or a bucket. */
export function addStat(program: Command, run: RunWork): void {
  program
    .command("stat")
    .summary("show what is known of an object or a bucket")
    .description("Shows what is known of an object or a bucket, without reading any content.")
    .argument("<bucket[/key]>")
    .option("--version-id <id>", "an older version")
    .action((name: string, options: { readonly versionId?: string }) => run((context) => stat(context, name, options)));
}

async function stat(context: CommandContext, name: string, options: { readonly versionId?: string }): Promise<void> {
  const { bucket, key } = parseAddress(name);
  await withStore(context, async (store) => {
    const handle = store.bucket(bucket);
    const document =
      key === ""
        ? await handle.info()
        : objectDocument(bucket, await handle.head(key, { versionId: options.versionId, signal: context.io.signal }));
    await context.out.document(lines(document), document);
  });
}

/** `name: value`, with lists and records spread over several lines. */
function lines(document: object, prefix = ""): string[] {
  return Object.entries(document).flatMap(([name, value]: [string, unknown]) => {
    if (value === undefined) return [];
    if (value instanceof Date) return [`${prefix}${name}: ${value.toISOString()}`];
    if (typeof value === "object" && value !== null) return lines(value, `${prefix}${name}.`);
    return [printable(`${prefix}${name}: ${String(value)}`)];
  });
}
