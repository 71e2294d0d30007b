import type { Command } from "commander";
import type { RunWork } from "./command-context.ts";
import { withStore } from "./find-store.ts";
import { bucketName } from "./mb.ts";

/** `holdfast rb`: removes an empty bucket. */
export function addRemoveBucket(program: Command, run: RunWork): void {
  program
    .command("rb")
    .summary("remove an empty bucket")
    .description("Removes a bucket, which must be empty: holdfast rm -r BUCKET empties it.")
    .argument("<bucket>")
    .action((name: string) =>
      run((context) =>
        withStore(context, async (store) => {
          const bucket = bucketName(name);
          await store.deleteBucket(bucket, { signal: context.io.signal });
          await context.out.document([], { removed: bucket });
        }),
      ),
    );
}
