/** The little of Markdown that the checks need: headings, links and marked code blocks. */

/** The text without fenced blocks, comments and inline code, line for line. @param {string} text */
function prose(text) {
  const blank = (/** @type {string} */ match) => match.replace(/[^\n]/g, " ");
  return text
    .replace(/^( *)(```+|~~~+)[^\n]*\n[\s\S]*?^ *\2[^\n]*$/gm, blank)
    .replace(/<!--[\s\S]*?-->/g, blank)
    .replace(/(`+)[^`\n](?:[^\n]*?[^`\n])?\1(?!`)/g, blank);
}

/** The anchors GitHub gives a page's headings, and those set by hand. @param {string} text @returns {Set<string>} */
export function anchors(text) {
  const withoutBlocks = text.replace(/^( *)(```+|~~~+)[^\n]*\n[\s\S]*?^ *\2[^\n]*$/gm, "");
  /** @type {Map<string, number>} */
  const seen = new Map();
  const found = new Set([...withoutBlocks.matchAll(/<a (?:id|name)="([^"]+)"/g)].map((match) => String(match[1])));
  for (const [, heading] of withoutBlocks.matchAll(/^#{1,6} +(.+?) *#* *$/gm)) {
    const slug = slugOf(String(heading));
    const times = seen.get(slug) ?? 0;
    seen.set(slug, times + 1);
    found.add(times === 0 ? slug : `${slug}-${times}`);
  }
  return found;
}

/** @param {string} heading */
function slugOf(heading) {
  return heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M}_\- ]/gu, "")
    .replace(/ /g, "-");
}

/** Targets of links and images, with the line they stand on. @param {string} text @returns {{ target: string; line: number }[]} */
export function links(text) {
  const clean = prose(text);
  const found = [];
  for (const match of clean.matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)|^\[[^\]]+\]:\s*<?(\S+?)>?(?:\s|$)/gm)) {
    found.push({ target: String(match[1] ?? match[2]), line: lineAt(clean, match.index) });
  }
  return found;
}

/** TypeScript blocks right after `<!-- run -->`. @param {string} text @returns {{ code: string; line: number }[]} */
export function runnableBlocks(text) {
  return [...text.matchAll(/^<!-- run -->\s*\n```ts\n([\s\S]*?)^```$/gm)].map((match) => ({
    code: String(match[1]),
    line: lineAt(text, match.index) + 1,
  }));
}

/** @param {string} text @param {number} position */
function lineAt(text, position) {
  return text.slice(0, position).split("\n").length;
}
