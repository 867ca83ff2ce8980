import { cleanOutput, cleanText } from "#platform/clean-text.ts";
import { redactText } from "#platform/fetch/redact-url.ts";

/** Output of progress; standard output is for the report. */
export interface Progress {
  /** Prints a line that stays. */
  say(line: string): void;
  /** Shows the live view in place of the last one. */
  show(lines: readonly string[]): void;
  /** Keeps the last view and continues below it. */
  finish(): void;
}

interface TerminalOutput {
  write(text: string): unknown;
  readonly rows?: number | undefined;
  readonly columns?: number | undefined;
}

/** Cleans lines, which may contain the output of a failed process. */
const cleanLines = (text: string) => cleanOutput(redactText(text));

const toLineStart = "\r";
const clearToEnd = "\u001b[0J";
const hideCursor = "\u001b[?25l";
const showCursor = "\u001b[?25h";
const up = (lines: number) => `\u001b[${lines}A`;

/**
 * Creates a view that is redrawn in place. It is cut to the terminal's size: lines that have scrolled away can't be redrawn, and lines that the
 * terminal wraps are not counted.
 */
export function createTerminalProgress(output: TerminalOutput): Progress {
  let drawn = 0;
  const erase = () => (drawn > 0 ? up(drawn) : "") + toLineStart + clearToEnd;
  return {
    say(line) {
      output.write(`${erase()}${cleanLines(line)}\n`);
      drawn = 0;
    },
    show(lines) {
      const fitting = lines
        .slice(0, Math.max(1, (output.rows ?? 24) - 1))
        .map((line) => cleanText(line).slice(0, output.columns));
      output.write(`${hideCursor}${erase()}${fitting.join("\n")}\n`);
      drawn = fitting.length;
    },
    finish() {
      output.write(showCursor);
      drawn = 0;
    },
  };
}

/** Creates progress for logs and pipes: only the lines that stay. */
export function createLineProgress(output: TerminalOutput): Progress {
  return {
    say: (line) => {
      output.write(`${cleanLines(line)}\n`);
    },
    show: () => {},
    finish: () => {},
  };
}
