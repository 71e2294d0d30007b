/**
 * The picture of a show: how many more drives the store could lose at each moment, what each drive did meanwhile, and what was done to
 * them. Plain SVG, legible on light and dark pages.
 */

/** @typedef {{ atS: number; redundancy: number; drives: Readonly<Record<string, string>> }} Sample */
/** @typedef {{ atS: number; text: string }} Mark */
/** @typedef {{ fromS: number; toS: number }} Span */
/** @typedef {{ title: string; seconds: number; parity: number; drives: readonly string[]; samples: readonly Sample[]; marks: readonly Mark[]; down: readonly Span[] }} Picture */

const width = 960;
const left = 96;
const right = 24;
const plotTop = 100;
const plotHeight = 150;
const rowHeight = 18;
const lineHeight = 19;

const style = `
  svg { color-scheme: light dark; --page: #fff; --ink: #1f2328; --faint: #d0d7de; --soft: #59636e; --line: #0969da; --good: #2da44e; --busy: #d4a72c; --gone: #cf222e; --down: #8b949e40; }
  @media (prefers-color-scheme: dark) { svg { --page: #0d1117; --ink: #e6edf3; --faint: #30363d; --soft: #9198a1; --line: #58a6ff; --good: #3fb950; --busy: #d29922; --gone: #f85149; } }
  text { font: 13px system-ui, sans-serif; fill: var(--ink); } .soft { fill: var(--soft); font-size: 12px; } .title { font-size: 17px; font-weight: 600; }
  .grid { stroke: var(--faint); } .axis { stroke: var(--soft); } .line { stroke: var(--line); stroke-width: 2.5; fill: none; } .area { fill: var(--line); opacity: .12; }
  .mark { stroke: var(--gone); stroke-dasharray: 3 3; } .dot { fill: var(--gone); } .number { fill: #fff; font-size: 11px; font-weight: 600; text-anchor: middle; } .down { fill: var(--down); }
  .online { fill: var(--good); } .rebuilding, .suspect, .full { fill: var(--busy); } .gone { fill: var(--gone); }
`;

/** @param {Picture} picture */
export function drawPicture(picture) {
  const { title, seconds, parity, drives, marks, down } = picture;
  const x = (/** @type {number} */ atS) => left + (Math.min(atS, seconds) / seconds) * (width - left - right);
  const y = (/** @type {number} */ value) => plotTop + plotHeight * (1 - value / Math.max(1, parity));
  const rowsTop = plotTop + plotHeight + 44;
  const legendTop = rowsTop + drives.length * rowHeight + 34;
  const height = legendTop + (marks.length + 1) * lineHeight + 12;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeText(title)}">`,
    `<style>${style}</style>`,
    `<rect width="100%" height="100%" fill="var(--page)"/>`,
    `<text class="title" x="${left}" y="28">${escapeText(title)}</text>`,
    `<text class="soft" x="${left}" y="47">Further drives that could be lost without losing an object, and what each drive was doing</text>`,
    ...down.map(({ fromS, toS }) => {
      const bottom = rowsTop + drives.length * rowHeight;
      return `<rect class="down" x="${n(x(fromS))}" y="${plotTop}" width="${n(Math.max(1, x(toS) - x(fromS)))}" height="${n(bottom - plotTop)}"/>`;
    }),
    ...axes({ seconds, parity, x, y }),
    ...stepLine(picture, x, y),
    ...drives.flatMap((drive, row) => driveRow(picture, { drive, top: rowsTop + row * rowHeight, x })),
    ...marks.flatMap((mark, i) => {
      const crowded = i % 2 === 1 && x(mark.atS) - x(/** @type {Mark} */ (marks[i - 1]).atS) < 20;
      return markLine(mark, { number: i + 1, x, top: plotTop - (crowded ? 36 : 14), bottom: rowsTop + drives.length * rowHeight });
    }),
    ...legend(marks, legendTop),
    "</svg>",
  ];
  return `${parts.join("\n")}\n`;
}

/** @typedef {(value: number) => number} Scale */

/** @param {{ seconds: number; parity: number; x: Scale; y: Scale }} options */
function axes({ seconds, parity, x, y }) {
  const lines = [];
  for (let value = 0; value <= parity; value++) {
    lines.push(`<line class="grid" x1="${left}" x2="${width - right}" y1="${n(y(value))}" y2="${n(y(value))}"/>`);
    lines.push(`<text class="soft" x="${left - 10}" y="${n(y(value) + 4)}" text-anchor="end">${value}</text>`);
  }
  const step = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600].find((candidate) => seconds / candidate <= 12) ?? 7200;
  for (let at = 0; at <= seconds; at += step) {
    lines.push(`<line class="axis" x1="${n(x(at))}" x2="${n(x(at))}" y1="${plotTop + plotHeight}" y2="${plotTop + plotHeight + 5}"/>`);
    lines.push(`<text class="soft" x="${n(x(at))}" y="${plotTop + plotHeight + 20}" text-anchor="middle">${at} s</text>`);
  }
  lines.push(`<line class="axis" x1="${left}" x2="${width - right}" y1="${plotTop + plotHeight}" y2="${plotTop + plotHeight}"/>`);
  return lines;
}

/** @param {Picture} picture @param {Scale} x @param {Scale} y */
function stepLine({ samples, seconds }, x, y) {
  const first = samples[0];
  if (first === undefined) return [];
  let path = `M${n(x(first.atS))} ${n(y(Math.max(0, first.redundancy)))}`;
  for (const { atS, redundancy } of samples) path += `H${n(x(atS))}V${n(y(Math.max(0, redundancy)))}`;
  path += `H${n(x(seconds))}`;
  const area = `${path}V${n(y(0))}H${n(x(first.atS))}Z`;
  return [`<path class="area" d="${area}"/>`, `<path class="line" d="${path}"/>`];
}

/** @param {Picture} picture @param {{ drive: string; top: number; x: Scale }} options */
function driveRow({ samples, seconds }, { drive, top, x }) {
  const parts = [`<text class="soft" x="${left - 10}" y="${n(top + 12)}" text-anchor="end">${escapeText(drive)}</text>`];
  for (const [i, sample] of samples.entries()) {
    const state = sample.drives[drive] ?? "gone";
    const before = samples[i - 1]?.drives[drive];
    if (i > 0 && (before ?? "gone") === state) continue;
    const until = samples.slice(i + 1).find((later) => (later.drives[drive] ?? "gone") !== state)?.atS ?? seconds;
    const known = ["online", "rebuilding", "suspect", "full"].includes(state) ? state : "gone";
    const box = `x="${n(x(sample.atS))}" y="${n(top + 3)}" width="${n(Math.max(1, x(until) - x(sample.atS)))}" height="${rowHeight - 6}"`;
    parts.push(`<rect class="${known}" ${box} rx="2"><title>${escapeText(`${drive}: ${state}`)}</title></rect>`);
  }
  return parts;
}

/** @param {Mark} mark @param {{ number: number; x: Scale; top: number; bottom: number }} options */
function markLine({ atS }, { number, x, top, bottom }) {
  const at = n(x(atS));
  return [
    `<line class="mark" x1="${at}" x2="${at}" y1="${top + 9}" y2="${n(bottom)}"/>`,
    `<circle class="dot" cx="${at}" cy="${top}" r="9"/>`,
    `<text class="number" x="${at}" y="${top + 4}">${number}</text>`,
  ];
}

/** @param {readonly Mark[]} marks @param {number} top */
function legend(marks, top) {
  const swatch = (/** @type {string} */ name, /** @type {string} */ text, /** @type {number} */ at) =>
    `<rect class="${name}" x="${at}" y="${top - 10}" width="11" height="11" rx="2"/><text class="soft" x="${at + 16}" y="${top}">${text}</text>`;
  return [
    swatch("online", "online", left),
    swatch("rebuilding", "being rebuilt, slow or full", left + 90),
    swatch("gone", "gone or failed", left + 280),
    swatch("down", "no process running", left + 400),
    ...marks.map(
      ({ atS, text }, i) =>
        `<text x="${left}" y="${top + (i + 1) * lineHeight + 4}">${i + 1}. ${atS.toFixed(1)} s: ${escapeText(text)}</text>`,
    ),
  ];
}

/** @param {number} value */
function n(value) {
  return Number(value.toFixed(1));
}

/** @param {string} text */
function escapeText(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
