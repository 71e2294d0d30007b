/**
 * The story: store a tree over six drives, lose two of them, read everything back.
 *
 * What to look at as a user of the library: `openStore`, `createBucket`, `putMany` for many small files, `put` with a stream for large
 * ones, `list`, `get`, `close`.
 */
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { openStore } from "@holdfast/engine";
import { bringBack, clearDataFolder, spaceUsed, takeAway } from "./data-folder.mjs";
import { hashPieces, inParallel, listTree } from "./tree.mjs";

/** @typedef {import("./report.mjs").Report} Report */
/** @typedef {import("./tree.mjs").TreeFile} TreeFile */
/** @typedef {ReturnType<import("@holdfast/engine").Store["bucket"]>} Bucket */

const bucketName = "files";
const lostDrives = ["d2", "d5"];

/** Files up to this size go many at a time, in one commit. */
const smallBytesMax = 256 * 1024;
const groupFilesMax = 256;
const groupBytesMax = 4 * 1024 * 1024;

/**
 * @param {{ source: string; data: string; report: Report; signal?: AbortSignal; afterImport?: () => Promise<void> }} options
 *   `afterImport` runs when everything is stored and the store is closed: tests change things there.
 * @returns {Promise<{ files: number; differing: number }>}
 */
export async function surviveTwoDrives({ source, data, report, signal, afterImport }) {
  const tree = await listTree(source, { leaveOut: data });
  report.say(`${source}: ${report.count(tree.files.length)} files, ${report.size(sum(tree.files))}${report.skipped(tree.skipped)}`);
  if (tree.files.length === 0) throw new Error(`there are no files in ${source}; name another folder with --source`);

  const settings = await clearDataFolder(data);
  report.say("1. Storing them in a new store, coded 4+2 over six folders");
  const stored = await storeTree(settings, tree.files, { report, signal });
  const spaceBytes = await spaceUsed(data);
  await afterImport?.();

  report.say(`2. Taking two drives away: ${lostDrives.join(" and ")}`);
  await takeAway(data, lostDrives);
  try {
    report.say("3. Reading every file back and comparing its SHA-256 with the source");
    const hashes = await hashSource(tree.files, { report, signal });
    const read = await readBack(settings, tree.files, hashes, { report, signal });
    report.table({ stored, read, spaceBytes });
    await bringBack(data, lostDrives);
    report.verdict(read);
    if (read.differing.length === 0) report.explore({ data, bucketName, files: tree.files });
    return { files: tree.files.length, differing: read.differing.length };
  } finally {
    await bringBack(data, lostDrives);
  }
}

/** @typedef {import("./data-folder.mjs").Settings} Settings */
/** @typedef {{ report: Report; signal: AbortSignal | undefined }} Around */
/** @typedef {{ files: number; bytes: number; seconds: number }} Outcome */

/** Stores all files and closes the store. @param {Settings} settings @param {readonly TreeFile[]} files @param {Around} around @returns {Promise<Outcome>} */
async function storeTree(settings, files, { report, signal }) {
  const step = report.start("stored", files.length);
  const store = await openStore(settings);
  try {
    const bucket = await store.createBucket(bucketName);
    await inParallel(jobsOf(files), 4, async (job) => {
      await storeJob(bucket, job, signal);
      step.add(job.length, sum(job));
    });
  } finally {
    await store.close();
  }
  return step.finish();
}

/** One large file by itself, small ones together. @param {Bucket} bucket @param {readonly TreeFile[]} job @param {AbortSignal | undefined} signal */
async function storeJob(bucket, job, signal) {
  const [first] = job;
  if (first !== undefined && first.size > smallBytesMax) {
    await bucket.put(first.key, createReadStream(first.path, { highWaterMark: 1 << 20 }), { contentLength: first.size, signal });
    return;
  }
  const entries = await Promise.all(job.map(async (file) => ({ key: file.key, body: await readFile(file.path) })));
  for (const result of await bucket.putMany(entries, { signal })) if (!result.ok) throw result.error;
}

/** @param {readonly TreeFile[]} files @returns {Generator<readonly TreeFile[]>} */
function* jobsOf(files) {
  /** @type {TreeFile[]} */
  let group = [];
  for (const file of files) {
    if (file.size > smallBytesMax) {
      yield [file];
      continue;
    }
    if (group.length === groupFilesMax || sum(group) + file.size > groupBytesMax) {
      yield group;
      group = [];
    }
    group.push(file);
  }
  if (group.length > 0) yield group;
}

/** What the source holds now, read anew. @param {readonly TreeFile[]} files @param {Around} around */
async function hashSource(files, { report, signal }) {
  const step = report.start("source hashed", files.length);
  /** @type {Map<string, string>} */
  const hashes = new Map();
  await inParallel(files, 8, async (file) => {
    signal?.throwIfAborted();
    hashes.set(file.key, await hashPieces(createReadStream(file.path, { highWaterMark: 1 << 20 })));
    step.add(1, file.size);
  });
  step.finish();
  return hashes;
}

/**
 * Opens the store with the drives that are left and reads everything.
 * @param {Settings} settings @param {readonly TreeFile[]} files @param {ReadonlyMap<string, string>} hashes @param {Around} around
 */
async function readBack(settings, files, hashes, { report, signal }) {
  const store = await openStore({ ...settings, create: false });
  /** @type {string[]} */
  const differing = [];
  try {
    const bucket = store.bucket(bucketName);
    const step = report.start("read with two drives gone", files.length);
    /** @type {Set<string>} */
    const unseen = new Set(files.map((file) => file.key));
    await inParallel(bucket.list({ signal }), 8, async (entry) => {
      if (entry.key === undefined) return;
      unseen.delete(entry.key);
      const object = await bucket.get(entry.key, { signal });
      if ((await hashPieces(object)) !== hashes.get(entry.key)) differing.push(entry.key);
      step.add(1, entry.size);
    });
    return { ...step.finish(), differing: [...differing, ...unseen].sort() };
  } finally {
    await store.close();
  }
}

/** @param {readonly TreeFile[]} files */
function sum(files) {
  return files.reduce((bytes, file) => bytes + file.size, 0);
}
