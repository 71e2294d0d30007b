/**
 * Settings of a store: plain data in, validated once, complete and resolved out. An error names the field, its value and the fix.
 */
import { HoldfastError } from "../base/errors.ts";
import {
  batchBytesMaxDefault,
  batchOperationsMaxDefault,
  inlineBytesDefault,
  operationBytesMax,
  packBytesMax,
  packRecordsBytesMax,
  stripeBytesDefault,
  unitBytes,
} from "../base/limits.ts";
import { KiB, MiB, parseBytes } from "../base/units.ts";
import { defaultProfile, type Profile, validateProfile } from "../placement/profile.ts";

/** One drive: its directory, and where it stands, for stores that are to survive more than drives. */
export interface DriveSettings {
  readonly path: string;
  /** Failure domains, widest first. Drives that name none count as being in one. */
  readonly region?: string;
  readonly zone?: string;
  readonly node?: string;
}

/** How a store is opened. Sizes are bytes, or text such as `"128MiB"`. */
export interface StoreSettings {
  /** Directories, one for each drive; made when a new store is made in them. */
  readonly drives?: readonly (string | DriveSettings)[];
  /** Keep everything in memory and nothing on drives: for tests. `drives` is left out then. */
  readonly memory?: boolean;
  /** k data and m parity shards. By default by the number of drives: 1+0, 1+1, 2+1, 2+2, 3+2, 4+2 … (see `defaultProfile`). */
  readonly erasure?: { readonly data: number; readonly parity: number };
  /** Further drive losses an acknowledged write must stand at the moment of its acknowledgement. Default 1 (0 without parity). */
  readonly survive?: number;
  /**
   * `full` (the default): an answer means it is on stable storage. `relaxed`: an answer means the operating system has it; a crash of the
   * process loses nothing, a power cut may lose the last writes.
   */
  readonly durability?: "full" | "relaxed";
  /** Objects up to this size are packed into the log, larger ones become blobs. Default 256 KiB. */
  readonly inlineLimit?: number | string;
  /** Data bytes of one stripe of a blob. Default 1 MiB. */
  readonly stripeSize?: number | string;
  /** Memory for streams of large objects in flight. Default 64 MiB. */
  readonly memoryBudget?: number | string;
  /** When a batch is closed. Default 512 operations or 4 MiB. */
  readonly batch?: { readonly operations?: number; readonly size?: number | string };
  /** Size at which a pack is sealed, on each drive. Default 128 MiB. */
  readonly packSize?: number | string;
  /** Free space on every drive that puts leave alone. Default: the smaller of 256 MiB and 5 % of the drive. */
  readonly reserve?: number | string;
  /** `md5` (the default): ETags as S3 computes them. `fast`: a checksum that costs nothing beside the write. */
  readonly etag?: "md5" | "fast";
  /** Worker threads for large objects. Default 2; 0 does everything on the caller's thread. */
  readonly threads?: number;
  /** Where the index lives. Default: beside the packs, on the first drive that is there. */
  readonly indexDirectory?: string;
  /** Whether a store is made where there is none: `true` (the default), or `false` to only open one that exists. */
  readonly create?: boolean;
}

/** Settings with every default filled in, sizes in bytes. */
export interface ResolvedSettings {
  readonly memory: boolean;
  readonly drives: readonly Required<DriveSettings>[];
  /** Undefined when the caller named none: then a store that exists keeps its own. */
  readonly erasure: Profile | undefined;
  readonly survive: number | undefined;
  readonly durability: "full" | "relaxed";
  readonly inlineBytes: number;
  readonly stripeBytes: number;
  readonly memoryBudgetBytes: number;
  readonly batchOperationsMax: number;
  readonly batchBytesMax: number;
  readonly packBytesMax: number;
  readonly packRecordsBytesMax: number;
  readonly reserveBytes: number | undefined;
  readonly etag: "md5" | "fast";
  readonly threads: number;
  readonly indexDirectory: string | undefined;
  readonly create: boolean;
}

const known = new Set<string>([
  "drives",
  "memory",
  "erasure",
  "survive",
  "durability",
  "inlineLimit",
  "stripeSize",
  "memoryBudget",
  "batch",
  "packSize",
  "reserve",
  "etag",
  "threads",
  "indexDirectory",
  "create",
]);

/** Validates settings and fills in the defaults. @throws SETTINGS_INVALID */
export function resolveSettings(settings: StoreSettings): ResolvedSettings {
  if (typeof settings !== "object" || settings === null) throw invalid("settings", settings, "pass an object, e.g. { drives: [\"./data/d1\"] }");
  for (const field of Object.keys(settings)) {
    if (!known.has(field)) throw invalid(field, (settings as Record<string, unknown>)[field], `there is no such setting; known are ${[...known].join(", ")}`);
  }
  const memory = flag("memory", settings.memory, false);
  const drives = resolveDrives(settings, memory);
  const driveCount = drives.length;
  const erasure = settings.erasure === undefined ? undefined : validateProfile(objectOf("erasure", settings.erasure), driveCount);
  const profile = erasure ?? defaultProfile(driveCount);
  const inlineBytes = size("inlineLimit", settings.inlineLimit, inlineBytesDefault, { min: 0, max: 4 * MiB });
  const batch = settings.batch === undefined ? {} : objectOf("batch", settings.batch);
  const stripeBytes = size("stripeSize", settings.stripeSize, stripeBytesDefault, { min: 64 * KiB, max: 16 * MiB });
  if (stripeBytes % unitBytes !== 0) throw invalid("stripeSize", settings.stripeSize, `use a multiple of ${unitBytes} bytes`);
  const memoryBudgetBytes = size("memoryBudget", settings.memoryBudget, 64 * MiB, { min: 8 * MiB, max: 2 ** 40 });
  const stripeRoomBytes = 4 * stripeBytes * ((profile.data + profile.parity) / profile.data);
  if (stripeRoomBytes > memoryBudgetBytes) {
    throw invalid("memoryBudget", settings.memoryBudget ?? "64MiB", `a ${profile.data}+${profile.parity} store with this stripeSize needs ${Math.ceil(stripeRoomBytes / MiB)} MiB; raise it or lower stripeSize`);
  }
  return {
    memory,
    drives,
    erasure,
    survive: settings.survive === undefined ? undefined : integer("survive", settings.survive, { min: 0, max: profile.parity }),
    durability: oneOf("durability", settings.durability, ["full", "relaxed"], "full"),
    inlineBytes,
    stripeBytes,
    memoryBudgetBytes,
    batchOperationsMax: integer("batch.operations", batch.operations ?? batchOperationsMaxDefault, { min: 1, max: 8192 }),
    batchBytesMax: size("batch.size", batch.size, batchBytesMaxDefault, { min: 4 * KiB, max: operationBytesMax }),
    packBytesMax: size("packSize", settings.packSize, packBytesMax, { min: 64 * KiB, max: 2 ** 32 }),
    packRecordsBytesMax: Math.min(packRecordsBytesMax, Math.floor(memoryBudgetBytes / 4)),
    reserveBytes: settings.reserve === undefined ? undefined : size("reserve", settings.reserve, 0, { min: 0, max: 2 ** 50 }),
    etag: oneOf("etag", settings.etag, ["md5", "fast"], "md5"),
    threads: integer("threads", settings.threads ?? 2, { min: 0, max: 64 }),
    indexDirectory: settings.indexDirectory === undefined ? undefined : text("indexDirectory", settings.indexDirectory),
    create: flag("create", settings.create, true),
  };
}

function resolveDrives(settings: StoreSettings, memory: boolean): Required<DriveSettings>[] {
  const { drives, erasure } = settings;
  if (memory) {
    if (drives !== undefined) throw invalid("drives", drives, "a store in memory has none; leave out drives or memory");
    const count = erasure === undefined ? 1 : Number(erasure.data) + Number(erasure.parity);
    return Array.from({ length: Number.isSafeInteger(count) && count > 0 && count <= 64 ? count : 1 }, (_, i) => complete({ path: `memory:${i}` }));
  }
  if (!Array.isArray(drives) || drives.length === 0) throw invalid("drives", drives, 'name at least one directory, e.g. ["./data/d1"], or set memory: true');
  return drives.map((drive, i) => {
    if (typeof drive === "string") return complete({ path: text(`drives[${i}]`, drive) });
    const place = objectOf(`drives[${i}]`, drive);
    for (const field of ["region", "zone", "node"] as const) if (place[field] !== undefined) text(`drives[${i}].${field}`, place[field]);
    return complete({ ...place, path: text(`drives[${i}].path`, place.path) });
  });
}

function complete(drive: DriveSettings): Required<DriveSettings> {
  return { path: drive.path, region: drive.region ?? "", zone: drive.zone ?? "", node: drive.node ?? "" };
}

function objectOf<T extends object>(field: string, value: T): T {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid(field, value, "pass an object");
  return value;
}

function text(field: string, value: unknown): string {
  if (typeof value !== "string" || value === "" || value.includes("\0")) throw invalid(field, value, "write a text that is not empty");
  return value;
}

function flag(field: string, value: unknown, fallback: boolean): boolean {
  if (value === undefined) return fallback;
  if (typeof value !== "boolean") throw invalid(field, value, "write true or false");
  return value;
}

function oneOf<T extends string>(field: string, value: T | undefined, choices: readonly T[], fallback: T): T {
  if (value === undefined) return fallback;
  if (!choices.includes(value)) throw invalid(field, value, `choose one of ${choices.map((choice) => `"${choice}"`).join(", ")}`);
  return value;
}

function integer(field: string, value: unknown, range: { min: number; max: number }): number {
  if (!Number.isSafeInteger(value) || (value as number) < range.min || (value as number) > range.max) {
    throw invalid(field, value, `write a whole number from ${range.min} to ${range.max}`);
  }
  return value as number;
}

function size(field: string, value: number | string | undefined, fallback: number, range: { min: number; max: number }): number {
  if (value === undefined) return fallback;
  let bytes: number;
  try {
    bytes = parseBytes(value);
  } catch {
    throw invalid(field, value, 'write a number of bytes or a text such as "128MiB"');
  }
  if (bytes < range.min || bytes > range.max) throw invalid(field, value, `use ${range.min} to ${range.max} bytes`);
  return bytes;
}

/** The error of a field that cannot be used. */
export function invalid(field: string, value: unknown, fix: string): HoldfastError {
  const shown = typeof value === "string" ? JSON.stringify(value) : String(value);
  return new HoldfastError("SETTINGS_INVALID", `${field}: ${shown} can't be used: ${fix}`, { details: { field, value } });
}
