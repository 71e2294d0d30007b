/**
 * Settings of a store: plain data in, validated once, complete and resolved out. An error names the field, its value and the fix.
 */
import {
  batchBytesMaxDefault,
  batchOperationsMaxDefault,
  inlineBytesDefault,
  operationBytesMax,
  packBytesMax,
  packRecordsBytesMax,
  parityMax,
  setDrivesMax,
  stripeBytesDefault,
  unitBytes,
} from "../base/limits.ts";
import { KiB, MiB } from "../base/units.ts";
import { type Profile, validateProfile } from "../placement/profile.ts";
import { checkChoice, checkDuration, checkFlag, checkInteger, checkObject, checkSize, checkText, invalid } from "./check-fields.ts";

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
  /**
   * Directories, one for each drive; made when a new store is made in them. A drive of a store that exists is known by its label: name them in
   * any order, and leave out, or name all the same, those that are away.
   */
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
  /**
   * What goes on in the background: looking after drives, making lost shards again, scrubbing, compaction, abandoned uploads. `false` leaves all
   * of it to calls of `store.maintain()` and the like.
   */
  readonly upkeep?: boolean | UpkeepSettings;
  /** Where the index lives. Default: beside the packs, on the first drive that is there. */
  readonly indexDirectory?: string;
  /**
   * Whether a store is made where there is none: `true` (the default), or `false` to only open one that exists. Choose `false` where drives are
   * mounted: when none of them is, their empty mount points look like drives for a new store.
   */
  readonly create?: boolean;
  /**
   * `true` opens a store of which more is lost than its code makes good, without what is lost: objects put in packs that are nowhere are not found,
   * and what was overwritten or deleted in them may be there again as it was before. Without it such a store is refused with `LOG_DAMAGED` or
   * `DRIVES_MISSING` as soon as its index has to be made anew from the packs. Bring back drives first; name it only while it is needed. Default `false`.
   */
  readonly acceptLoss?: boolean;
}

/** How a store is kept in order. Times are milliseconds, or text such as `"30s"` or `"14d"`; sizes as elsewhere. */
export interface UpkeepSettings {
  /** How often drives are looked at for whether they are still there, or there again. Default 2 s. */
  readonly watchEvery?: number | string;
  /** A drive that has not answered a write for so long counts as gone. Default 30 s. */
  readonly stallLimit?: number | string;
  /** Bytes a second that upkeep reads and writes, of each set. Default 64 MiB. */
  readonly rate?: number | string;
  /** Time in which a scrub reads everything once. Default 14 days; 0 turns scrubbing off. */
  readonly scrubEvery?: number | string;
  /** Bytes on the drives for each live one, coding left aside, above which compaction begins. Default 1.5. */
  readonly spaceAmplification?: number;
  /** Multipart uploads nothing happened to for so long are aborted. Default 7 days; 0 keeps them. */
  readonly abandonedUploads?: number | string;
}

/** Upkeep settings with every default filled in. */
export interface ResolvedUpkeep {
  readonly enabled: boolean;
  readonly watchEveryMs: number;
  readonly stallLimitMs: number;
  readonly rateBytes: number;
  readonly scrubEveryMs: number;
  readonly spaceAmplification: number;
  readonly abandonedUploadsMs: number;
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
  readonly upkeep: ResolvedUpkeep;
  readonly indexDirectory: string | undefined;
  readonly create: boolean;
  readonly acceptLoss: boolean;
}

/** Every setting there is; a new one that is left out here does not compile. */
const settingNames = Object.keys({
  drives: 1,
  memory: 1,
  erasure: 1,
  survive: 1,
  durability: 1,
  inlineLimit: 1,
  stripeSize: 1,
  memoryBudget: 1,
  batch: 1,
  packSize: 1,
  reserve: 1,
  etag: 1,
  threads: 1,
  upkeep: 1,
  indexDirectory: 1,
  create: 1,
  acceptLoss: 1,
} satisfies Record<keyof StoreSettings, 1>);

const driveNames = ["path", "region", "zone", "node"];
const memoryBudgetBytesDefault = 64 * MiB;

/** Validates settings and fills in the defaults. @throws SETTINGS_INVALID */
export function resolveSettings(settings: StoreSettings): ResolvedSettings {
  checkObject("settings", settings, settingNames);
  const memory = checkFlag("memory", settings.memory, false);
  const erasure = settings.erasure === undefined ? undefined : checkObject("erasure", settings.erasure, ["data", "parity"]);
  const drives = memory ? memoryDrives(settings.drives, erasure) : namedDrives(settings.drives);
  const batch = settings.batch === undefined ? {} : checkObject("batch", settings.batch, ["operations", "size"]);
  const memoryBudgetBytes = checkSize("memoryBudget", or(settings.memoryBudget, memoryBudgetBytesDefault), { min: 8 * MiB, max: 2 ** 40 });
  const resolved: ResolvedSettings = {
    memory,
    drives,
    erasure: erasure === undefined ? undefined : validateProfile({ data: erasure.data, parity: erasure.parity }, drives.length),
    survive: settings.survive === undefined ? undefined : checkInteger("survive", settings.survive, { min: 0, max: parityMax }),
    durability: checkChoice("durability", settings.durability, ["full", "relaxed"]),
    inlineBytes: checkSize("inlineLimit", or(settings.inlineLimit, inlineBytesDefault), { min: 0, max: 4 * MiB }),
    stripeBytes: checkStripe(or(settings.stripeSize, stripeBytesDefault)),
    memoryBudgetBytes,
    batchOperationsMax: checkInteger("batch.operations", or(batch.operations, batchOperationsMaxDefault), { min: 1, max: 8192 }),
    batchBytesMax: checkSize("batch.size", or(batch.size, batchBytesMaxDefault), { min: 4 * KiB, max: operationBytesMax }),
    packBytesMax: checkSize("packSize", or(settings.packSize, packBytesMax), { min: 64 * KiB, max: 2 ** 32 }),
    packRecordsBytesMax: Math.min(packRecordsBytesMax, Math.floor(memoryBudgetBytes / 4)),
    reserveBytes: settings.reserve === undefined ? undefined : checkSize("reserve", settings.reserve, { min: 0, max: 2 ** 50 }),
    etag: checkChoice("etag", settings.etag, ["md5", "fast"]),
    threads: checkInteger("threads", or(settings.threads, 2), { min: 0, max: 64 }),
    upkeep: resolveUpkeep(or(settings.upkeep, true)),
    indexDirectory: settings.indexDirectory === undefined ? undefined : checkText("indexDirectory", settings.indexDirectory),
    create: checkFlag("create", settings.create, true),
    acceptLoss: checkFlag("acceptLoss", settings.acceptLoss, false),
  };
  if (resolved.erasure !== undefined) checkAgainstProfile(resolved, resolved.erasure);
  return resolved;
}

/**
 * Checks what depends on the store's k and m, which are known for sure only once its labels are read.
 * @throws SETTINGS_INVALID
 */
export function checkAgainstProfile(
  settings: Pick<ResolvedSettings, "survive" | "stripeBytes" | "memoryBudgetBytes">,
  { data, parity }: Profile,
): void {
  const { survive, stripeBytes, memoryBudgetBytes } = settings;
  if (survive !== undefined && survive > parity)
    throw invalid("survive", survive, `a ${data}+${parity} store stands the loss of ${parity} drives at most; write that or less`);
  const neededBytes = stripesInMemory * stripeBytes * ((data + parity) / data);
  if (neededBytes <= memoryBudgetBytes) return;
  throw invalid(
    "memoryBudget",
    memoryBudgetBytes,
    `with stripes of ${stripeBytes} bytes a ${data}+${parity} store needs ${Math.ceil(neededBytes / MiB)} MiB; raise it or lower stripeSize`,
  );
}

/** Two of an upload and two of a download; each upload or download more waits for its turn. */
const stripesInMemory = 4;

const upkeepNames = Object.keys({
  watchEvery: 1,
  stallLimit: 1,
  rate: 1,
  scrubEvery: 1,
  spaceAmplification: 1,
  abandonedUploads: 1,
} satisfies Record<keyof UpkeepSettings, 1>);

const second = 1000;
const day = 86_400 * second;
const yearsMax = 36_500 * day;

function resolveUpkeep(settings: boolean | UpkeepSettings): ResolvedUpkeep {
  const given: UpkeepSettings = typeof settings === "boolean" ? {} : checkObject("upkeep", settings, upkeepNames);
  const amplification = or(given.spaceAmplification, 1.5);
  if (typeof amplification !== "number" || !(amplification >= 1.1 && amplification <= 100))
    throw invalid("upkeep.spaceAmplification", amplification, "write a number from 1.1 to 100");
  return {
    enabled: settings !== false,
    watchEveryMs: checkDuration("upkeep.watchEvery", or(given.watchEvery, 2 * second), { min: 10, max: day }),
    stallLimitMs: checkDuration("upkeep.stallLimit", or(given.stallLimit, 30 * second), { min: 100, max: day }),
    rateBytes: checkSize("upkeep.rate", or(given.rate, 64 * MiB), { min: 64 * KiB, max: 2 ** 50 }),
    scrubEveryMs: checkDuration("upkeep.scrubEvery", or(given.scrubEvery, 14 * day), { min: 0, max: yearsMax }),
    spaceAmplification: amplification,
    abandonedUploadsMs: checkDuration("upkeep.abandonedUploads", or(given.abandonedUploads, 7 * day), { min: 0, max: yearsMax }),
  };
}

function checkStripe(value: number | string): number {
  const bytes = checkSize("stripeSize", value, { min: 64 * KiB, max: 16 * MiB });
  if (bytes % unitBytes !== 0) throw invalid("stripeSize", value, `use a multiple of ${unitBytes} bytes`);
  return bytes;
}

/** As many drives as the shards need; one when the profile, which is checked later, is out of range. */
function memoryDrives(drives: StoreSettings["drives"], erasure: Profile | undefined): Required<DriveSettings>[] {
  if (drives !== undefined) throw invalid("drives", drives, "a store in memory has none; leave out drives or memory");
  const count = erasure === undefined ? 1 : Number(erasure.data) + Number(erasure.parity);
  const possible = Number.isSafeInteger(count) && count > 0 && count <= setDrivesMax;
  return Array.from({ length: possible ? count : 1 }, (_, i) => complete({ path: `memory:${i}` }));
}

function namedDrives(drives: StoreSettings["drives"]): Required<DriveSettings>[] {
  if (!Array.isArray(drives) || drives.length === 0)
    throw invalid("drives", drives, 'name at least one directory, e.g. ["./data/d1"], or set memory: true');
  return drives.map((drive: string | DriveSettings, i) => {
    const field = `drives[${i}]`;
    if (typeof drive === "string") return complete({ path: checkText(field, drive) });
    checkObject(field, drive, driveNames);
    for (const name of ["region", "zone", "node"] as const) if (drive[name] !== undefined) checkText(`${field}.${name}`, drive[name]);
    return complete({ ...drive, path: checkText(`${field}.path`, drive.path) });
  });
}

/** Only a field that is left out has its default: null is a wrong value. */
function or<T>(value: T | undefined, fallback: T): T {
  return value === undefined ? fallback : value;
}

function complete(drive: DriveSettings): Required<DriveSettings> {
  return { path: drive.path, region: drive.region ?? "", zone: drive.zone ?? "", node: drive.node ?? "" };
}
