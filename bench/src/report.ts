/** Markdown as it is measured: headings, tables and goals. */
export class Report {
  readonly #print: (text: string) => void;

  constructor(print: (text: string) => void) {
    this.#print = print;
  }

  heading(text: string): void {
    this.#print(`\n## ${text}\n`);
  }

  text(text: string): void {
    this.#print(`${text}\n`);
  }

  /** A table whose first column is text and whose others are numbers. */
  table(title: string, columns: readonly string[], rows: readonly (readonly string[])[]): void {
    const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
    const rule = columns.map((_, i) => (i === 0 ? "---" : "---:"));
    this.#print([`\n**${title}**\n`, line(columns), line(rule), ...rows.map(line), ""].join("\n"));
  }

  /** Says whether a goal is met, with the numbers and, where it matters, what limits it. */
  goal(goal: Goal): void {
    const { name, value, atLeast, atMost, unit } = goal;
    const met = (atLeast === undefined || value >= atLeast) && (atMost === undefined || value <= atMost);
    const bound = atLeast === undefined ? `at most ${atMost}` : `at least ${atLeast}`;
    this.#print(
      `- **${met ? "met" : "MISSED"}**: ${name}: ${formatNumber(value)}${unit}, goal ${bound}${unit}${goal.limit === undefined ? "" : ` — ${goal.limit}`}`,
    );
  }
}

export interface Goal {
  readonly name: string;
  readonly value: number;
  readonly atLeast?: number;
  readonly atMost?: number;
  readonly unit: string;
  /** What bounds the number. */
  readonly limit?: string;
}

/** Three significant digits, thousands apart. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en-US");
  return value.toPrecision(3).replace(/\.0+$/, "");
}

/** `"1.25×"`. */
export function formatRatio(value: number): string {
  return Number.isFinite(value) ? `${value.toFixed(value < 10 ? 2 : 0)}×` : "–";
}
