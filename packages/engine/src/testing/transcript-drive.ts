import { toHex } from "../base/bytes.ts";
import { isHoldfastError } from "../base/errors.ts";
import { checksum } from "../codec/xxh3.ts";
import type { Drive } from "../drive/drive.ts";
import { formatCall, interceptDrive } from "./intercept-drive.ts";

/**
 * A drive that writes every call and every answer as a line, with the checksums of what is written and read: two runs that did the same have
 * the same lines. `prefix` tells drives of a common transcript apart.
 */
export function transcriptDrive(inner: Drive, lines: string[], prefix: string): Drive {
  return interceptDrive(inner, {
    async around(call, proceed) {
      const line = `${prefix} ${formatCall(call)}`;
      lines.push(call.buffers === undefined ? line : `${line} ${sumOf(...call.buffers)}`);
      try {
        const answer = await proceed();
        lines.push(`${line} = ${describe(answer, call.into)}`);
        return answer;
      } catch (error) {
        lines.push(`${line} ! ${isHoldfastError(error) ? error.code : String(error)}`);
        throw error;
      }
    },
  });
}

function describe(answer: unknown, into: Uint8Array | undefined): string {
  if (into !== undefined && typeof answer === "number") return `${answer} ${sumOf(into.subarray(0, answer))}`;
  if (answer instanceof Uint8Array) return `${answer.byteLength} ${sumOf(answer)}`;
  if (answer === undefined || typeof answer === "number") return String(answer);
  // Files have no facts of their own; lists of names and space are plain.
  return Array.isArray(answer) || "freeBytes" in (answer as object) ? JSON.stringify(answer) : "open";
}

function sumOf(...parts: readonly Uint8Array[]): string {
  return toHex(checksum(Buffer.concat(parts)));
}
