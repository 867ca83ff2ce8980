import { cleanOutput, cleanText } from "#platform/clean-text.ts";
import { redactText } from "#platform/fetch/redact-url.ts";

/** Where the demo tells people how it goes; standard output is left to the report. */
export interface Progress {
  /** A line that stays. */
  say(line: string): void;
  /** The live view: replaces the one before. */
  show(lines: readonly string[]): void;
  /** Leaves the last view standing and goes on below it. */
  finish(): void;
}

interface TerminalOutput {
  write(text: string): unknown;
  readonly rows?: number | undefined;
  readonly columns?: number | undefined;
}

/** Prints text of one or several lines, which may contain the output of a process that went wrong. */
const cleanLines = (text: string) => cleanOutput(redactText(text));

const toLineStart = "\r";
const clearToEnd = "\u001b[0J";
const hideCursor = "\u001b[?25l";
const showCursor = "\u001b[?25h";
const up = (lines: number) => `\u001b[${lines}A`;

/**
 * Redraws the view in place. A view larger than the terminal is cut, because lines that scrolled away can't be redrawn and lines that the
 * terminal breaks in two are not counted.
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

/** For logs and pipes: only the lines that stay. */
export function createLineProgress(output: TerminalOutput): Progress {
  return {
    say: (line) => {
      output.write(`${cleanLines(line)}\n`);
    },
    show: () => {},
    finish: () => {},
  };
}
