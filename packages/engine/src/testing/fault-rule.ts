/**
 * Fault rules: what goes wrong on a drive, and when; plain data that prints as one line and reads back from it.
 *
 *   <operation> <file pattern> [<when>]: <fault>
 *
 *   sync packs/* #2: error DRIVE_IO_ERROR        the second sync of a pack fails, and with it the drive
 *   write packs/0001: torn 100                   only the first 100 bytes of each write get there, and the call fails
 *   writeDurable * 5%: lose                      one write of twenty is confirmed and never made
 *   read * #3+: flip                             from the third read on, one bit of each is wrong
 *   any * #40: offline                           from the 40th call on nothing is answered
 *   finish *: delay 20                           each takes 20 ms longer
 *
 * `any` stands for every operation but `abort`; in a pattern `*` stands for any text. Each rule counts the calls it matches.
 */
import { type ErrorCode, errorCodes, HoldfastError } from "../base/errors.ts";
import { type DriveOperation, driveOperations } from "./intercept-drive.ts";

/** What goes wrong. */
export type Fault =
  /** The call fails with this code, and nothing is done. */
  | { readonly kind: "error"; readonly code: ErrorCode }
  /** Only the first bytes are written, then the call fails with DRIVE_IO_ERROR. */
  | { readonly kind: "torn"; readonly lengthBytes: number }
  /** The call succeeds and writes nothing: a drive that lies. */
  | { readonly kind: "lose" }
  /** One bit is wrong in what is read or written: this one, counted from the first byte's lowest, or any. */
  | { readonly kind: "flip"; readonly bit?: number }
  /** The call takes longer. */
  | { readonly kind: "delay"; readonly ms: number }
  /** This and all later calls fail with DRIVE_UNREADABLE, until the drive comes back. */
  | { readonly kind: "offline" };

/** Which of the matching calls, counted from 1. */
export type FaultTime =
  | { readonly kind: "every" }
  | { readonly kind: "nth"; readonly n: number }
  | { readonly kind: "from"; readonly n: number }
  | { readonly kind: "chance"; readonly percent: number };

export interface FaultRule {
  readonly operation: DriveOperation | "any";
  /** The file or folder; `*` stands for any text. */
  readonly pattern: string;
  readonly when: FaultTime;
  readonly fault: Fault;
}

/** The line of a rule. */
export function formatFaultRule(rule: FaultRule): string {
  const when = formatTime(rule.when);
  return `${rule.operation} ${rule.pattern}${when === "" ? "" : ` ${when}`}: ${formatFault(rule.fault)}`;
}

/** The rule of a line. @throws ARGUMENT_INVALID */
export function parseFaultRule(line: string): FaultRule {
  const match = /^(\w+) (\S+?)(?: (\S+))?: (\w+)(?: (\S+))?$/.exec(line);
  const [, operation, pattern, time, kind, value] = match ?? [];
  const when = parseTime(time);
  const fault = parseFault(kind, value);
  if (!isOperation(operation) || pattern === undefined || when === undefined || fault === undefined) {
    throw new HoldfastError("ARGUMENT_INVALID", `"${line}" is no fault rule; write e.g. "sync packs/* #2: error DRIVE_IO_ERROR"`);
  }
  return { operation, pattern, when, fault };
}

/** True when a rule is about this call. */
export function matchesRule(rule: FaultRule, operation: DriveOperation, name: string): boolean {
  if (rule.operation === "any" ? operation === "abort" : rule.operation !== operation) return false;
  const pattern = rule.pattern.split("*").map(escapePattern).join(".*");
  return new RegExp(`^${pattern}$`).test(name);
}

function escapePattern(text: string): string {
  return text.replace(/[.+?^${}()|[\]\\]/g, "\\$&");
}

function isOperation(text: string | undefined): text is FaultRule["operation"] {
  return text === "any" || (driveOperations as readonly (string | undefined)[]).includes(text);
}

function formatTime(when: FaultTime): string {
  switch (when.kind) {
    case "every":
      return "";
    case "nth":
      return `#${when.n}`;
    case "from":
      return `#${when.n}+`;
    case "chance":
      return `${when.percent}%`;
  }
}

function parseTime(text: string | undefined): FaultTime | undefined {
  if (text === undefined) return { kind: "every" };
  const count = /^#(\d+)(\+?)$/.exec(text);
  if (count !== null) return { kind: count[2] === "+" ? "from" : "nth", n: Number(count[1]) };
  const chance = /^(\d+(?:\.\d+)?)%$/.exec(text);
  return chance === null ? undefined : { kind: "chance", percent: Number(chance[1]) };
}

function formatFault(fault: Fault): string {
  switch (fault.kind) {
    case "error":
      return `error ${fault.code}`;
    case "torn":
      return `torn ${fault.lengthBytes}`;
    case "flip":
      return fault.bit === undefined ? "flip" : `flip ${fault.bit}`;
    case "delay":
      return `delay ${fault.ms}`;
    default:
      return fault.kind;
  }
}

function parseFault(kind: string | undefined, value: string | undefined): Fault | undefined {
  if (kind === "error") return value !== undefined && Object.hasOwn(errorCodes, value) ? { kind, code: value as ErrorCode } : undefined;
  if (value === undefined) return kind === "lose" || kind === "flip" || kind === "offline" ? { kind } : undefined;
  if (!/^\d+$/.test(value)) return undefined;
  if (kind === "torn") return { kind, lengthBytes: Number(value) };
  if (kind === "flip") return { kind, bit: Number(value) };
  return kind === "delay" ? { kind, ms: Number(value) } : undefined;
}
