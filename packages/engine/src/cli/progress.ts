/**
 * How far a long command is: a bar on a terminal, a plain line every few seconds elsewhere, both on stderr; nothing with `--json`.
 */
import cliProgress from "cli-progress";
import { formatBytes } from "../base/units.ts";
import type { CommandContext } from "./command-context.ts";

/** Time between plain lines. */
const plainLineMs = 5000;
const barColumns = 24;

/** The progress of one piece of work, counted in items and bytes. */
export interface Progress {
  /** Says how much there is to do, once that is known. */
  expect(items: number): void;
  /** More is done. */
  add(items: number, bytes: number): void;
  /** So much is done in all. */
  reach(items: number, bytes: number): void;
  /** A line of its own, not garbled by the bar. */
  note(line: string): void;
  /** Seconds since the start. */
  seconds(): number;
  stop(): void;
}

/** Starts showing progress. `verb` says what is done, `unit` what is counted. */
export function createProgress(context: CommandContext, words: { readonly verb: string; readonly unit: string }): Progress {
  const { clock, stderr } = context.io;
  const startMs = clock.monotonicMs();
  const isShown = !context.json;
  const bar = isShown && stderr.isTTY === true ? startBar(context, words) : undefined;
  let items = 0;
  let bytes = 0;
  let expected: number | undefined;
  let lastLineMs = startMs;
  const seconds = (): number => (clock.monotonicMs() - startMs) / 1000;
  const show = (): void => {
    bar?.update(items, payload(bytes, seconds()));
    if (bar !== undefined || !isShown || clock.monotonicMs() - lastLineMs < plainLineMs) return;
    lastLineMs = clock.monotonicMs();
    context.out.note(
      `${words.verb}: ${items}${expected === undefined ? "" : ` of ${expected}`} ${words.unit}, ${amounts(bytes, seconds())}`,
    );
  };
  return {
    expect(total) {
      expected = total;
      bar?.setTotal(total);
    },
    add(moreItems, moreBytes) {
      items += moreItems;
      bytes += moreBytes;
      show();
    },
    reach(allItems, allBytes) {
      items = allItems;
      bytes = allBytes;
      show();
    },
    note(line) {
      // The bar's line is wiped and drawn again below.
      if (bar !== undefined) stderr.write("\r\u001b[2K");
      context.out.note(line);
    },
    seconds,
    stop() {
      bar?.update(items, payload(bytes, seconds()));
      bar?.stop();
    },
  };
}

function startBar({ io }: CommandContext, { verb, unit }: { readonly verb: string; readonly unit: string }): cliProgress.SingleBar {
  const bar = new cliProgress.SingleBar({
    stream: io.stderr as unknown as NodeJS.WritableStream,
    // As long as nobody knows the total there is nothing to draw a bar of.
    format: (options, { value, total, progress }, { amounts: done }) =>
      total === 0
        ? `${verb} ${value} ${unit}, ${done}`
        : `${verb} ${cliProgress.Format.BarFormat(progress, options)} ${value} of ${total} ${unit}, ${done}`,
    barCompleteString: "█".repeat(barColumns),
    barIncompleteString: "░".repeat(barColumns),
    barsize: barColumns,
    fps: 8,
    hideCursor: true,
    gracefulExit: false,
  });
  bar.start(0, 0, payload(0, 0));
  return bar;
}

function payload(bytes: number, seconds: number): { amounts: string } {
  return { amounts: amounts(bytes, seconds) };
}

/** `1.5 GiB, 80 MiB/s` */
export function amounts(bytes: number, seconds: number): string {
  return `${formatBytes(bytes)}, ${formatBytes(Math.round(bytes / Math.max(seconds, 0.001)))}/s`;
}
