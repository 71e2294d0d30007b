/** Everything the show prints: a line for each event, and progress as one changing line on a terminal, as plain lines elsewhere. */

const terminalIntervalMs = 200;
const plainIntervalMs = 2000;

/** @typedef {ReturnType<typeof createReport>} Report */

/** @param {import("node:stream").Writable & { isTTY?: boolean }} stream */
export function createReport(stream) {
  const isTerminal = stream.isTTY === true;
  let lastMs = 0;
  let shown = false;
  const clear = () => {
    if (shown) stream.write("\r\u001b[2K");
    shown = false;
  };
  return {
    /** @param {string} text */
    say(text) {
      clear();
      stream.write(`${text}\n`);
    },
    /** Something that was done, or happened, at a moment of the show. @param {number} atS @param {string} text */
    event(atS, text) {
      clear();
      stream.write(`${atS.toFixed(1).padStart(6)} s  ${text}\n`);
    },
    /** @param {() => string} text */
    progress(text) {
      const nowMs = performance.now();
      if (nowMs - lastMs < (isTerminal ? terminalIntervalMs : plainIntervalMs)) return;
      lastMs = nowMs;
      clear();
      stream.write(isTerminal ? text() : `          ${text()}\n`);
      shown = isTerminal;
    },
  };
}

/** @param {number} value */
export function count(value) {
  return value.toLocaleString("en-US");
}

/** @param {number} bytes */
export function size(bytes) {
  return bytes < 2 ** 20 ? `${(bytes / 1024).toFixed(0)} KiB` : `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}
