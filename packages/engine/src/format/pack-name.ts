import { invariant } from "../base/invariant.ts";
import { isU32 } from "./sealed-header.ts";

/** The folder of the packs. */
export const packsFolder = "packs";

/** `packs/0000002a.pack`. */
export function packFileName(pack: number): string {
  return `${packsFolder}/${nameDigits(pack)}.pack`;
}

/** The pack's number from its name, with or without the folder; undefined for other names. */
export function parsePackFileName(name: string): number | undefined {
  const match = /^(?:packs\/)?([0-9a-f]{8})\.pack$/.exec(name);
  return match === null ? undefined : Number.parseInt(match[1] as string, 16);
}

/** Eight hexadecimal digits: numbers in file names sort as the numbers do. */
export function nameDigits(value: number): string {
  invariant(isU32(value), "pack numbers, epochs and counters fit 32 bits");
  return value.toString(16).padStart(8, "0");
}
