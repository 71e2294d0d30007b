/** Everything the demonstration prints: progress as one changing line on a terminal and as plain lines elsewhere, then a table. */
import path from "node:path";

/** @typedef {import("./tree.mjs").TreeFile} TreeFile */
/** @typedef {{ files: number; bytes: number; seconds: number }} Outcome */
/** @typedef {ReturnType<typeof createReport>} Report */

const terminalIntervalMs = 100;
const plainIntervalMs = 2000;
const differingShownMax = 10;

/** @param {import("node:stream").Writable & { isTTY?: boolean }} stream */
export function createReport(stream) {
  const isTerminal = stream.isTTY === true;
  /** @param {string} text */
  const say = (text) => void stream.write(`${text}\n`);

  return {
    say,
    count,
    size,
    /** @param {number} skipped */
    skipped: (skipped) => (skipped === 0 ? "" : `; ${count(skipped)} links and special files skipped`),
    /** Progress of one step. @param {string} what @param {number} total */
    start: (what, total) => startStep({ what, total, isTerminal, stream }),
    /** @param {{ stored: Outcome; read: Outcome; spaceBytes: number }} results */
    table: (results) => say(`\n${tableOf(results).join("\n")}\n`),
    /** @param {{ files: number; differing: readonly string[] }} read */
    verdict({ files, differing }) {
      if (differing.length === 0) return say(`Every byte of all ${count(files)} files came back. The two drives are back in place.`);
      say(`${count(differing.length)} FILES DIFFER (the two drives are back in place):`);
      for (const key of differing.slice(0, differingShownMax)) say(`  ${JSON.stringify(key)}`);
      if (differing.length > differingShownMax) say(`  and ${count(differing.length - differingShownMax)} more`);
    },
    /** Lines to paste. @param {{ data: string; bucketName: string; files: readonly TreeFile[] }} facts */
    explore: (facts) => say(exploreLines(facts).join("\n")),
  };
}

/** @param {{ what: string; total: number; isTerminal: boolean; stream: import("node:stream").Writable }} options */
function startStep({ what, total, isTerminal, stream }) {
  const startMs = performance.now();
  let lastMs = startMs;
  let files = 0;
  let bytes = 0;
  const line = () => `   ${what}: ${count(files)} of ${count(total)} files, ${size(bytes)}, ${rate(bytes, seconds())}`;
  const seconds = () => (performance.now() - startMs) / 1000;
  return {
    /** @param {number} moreFiles @param {number} moreBytes */
    add(moreFiles, moreBytes) {
      files += moreFiles;
      bytes += moreBytes;
      const nowMs = performance.now();
      if (nowMs - lastMs < (isTerminal ? terminalIntervalMs : plainIntervalMs)) return;
      lastMs = nowMs;
      stream.write(isTerminal ? `\r\u001b[2K${line()}` : `${line()}\n`);
    },
    /** @returns {Outcome} */
    finish() {
      stream.write(isTerminal ? `\r\u001b[2K${line()}\n` : `${line()}\n`);
      return { files, bytes, seconds: seconds() };
    },
  };
}

/** @param {{ stored: Outcome; read: Outcome; spaceBytes: number }} results */
function tableOf({ stored, read, spaceBytes }) {
  /** @param {readonly string[]} cells */
  const row = ([name = "", ...cells]) => `${name.padEnd(26)}${cells.map((cell) => cell.padStart(14)).join("")}`;
  /** @param {string} name @param {Outcome} outcome */
  const outcomeRow = (name, { files, bytes, seconds }) => row([name, count(files), size(bytes), seconds.toFixed(1), rate(bytes, seconds)]);
  return [
    row(["", "files", "bytes", "seconds", "rate"]),
    outcomeRow("stored", stored),
    outcomeRow("read with two drives gone", read),
    `${row(["space used on six drives", "", size(spaceBytes)])}  ${(spaceBytes / Math.max(1, stored.bytes)).toFixed(2)} times the bytes stored (4+2 alone: 1.50)`,
  ];
}

/** @param {{ data: string; bucketName: string; files: readonly TreeFile[] }} facts */
function exploreLines({ data, bucketName, files }) {
  const store = quote(relative(path.join(data, "holdfast.json")));
  const command = `  npx holdfast --store ${store}`;
  const nested = files.filter((file) => /^[^./][^/]*\/[^.]/.test(file.key));
  const folder = nested[0]?.key.split("/")[0];
  const small = nested.find((file) => /\.(md|json|txt)$/.test(file.key) && file.size < 4096) ?? files[0];
  return [
    `The store stays in ${relative(data)} until npm start makes a new one. Explore it:`,
    `${command} status`,
    `${command} ls ${bucketName}`,
    ...(small === undefined ? [] : [`${command} get ${quote(`${bucketName}/${small.key}`)}`]),
    ...(folder === undefined
      ? []
      : [`${command} cp -r ${quote(`hf://${bucketName}/${folder}`)} ${quote(relative(path.join(data, "copy")))}`]),
    `${command} verify`,
    "Take drives away yourself: rename one or two of the folders d1 to d6 and try again.",
  ];
}

/** @param {string} target */
function relative(target) {
  const short = path.relative(process.cwd(), target) || ".";
  return short.startsWith("..") ? target : short;
}

/** A word as a shell takes it. @param {string} text */
function quote(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** @param {number} value */
function count(value) {
  return value.toLocaleString("en-US");
}

/** @param {number} bytes */
function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  const names = ["KiB", "MiB", "GiB", "TiB"];
  const at = Math.min(names.length, Math.floor(Math.log2(bytes) / 10)) - 1;
  const value = bytes / 1024 ** (at + 1);
  return `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ${names[at]}`;
}

/** @param {number} bytes @param {number} seconds */
function rate(bytes, seconds) {
  return `${size(Math.round(bytes / Math.max(seconds, 0.001)))}/s`;
}
