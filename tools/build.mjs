/** `npm run build [-- workspace …]` */
import { build } from "./run.mjs";

process.exitCode = await build(process.argv.slice(2));
