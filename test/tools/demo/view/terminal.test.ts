import { describe, expect, test } from "bun:test";
import { createLineProgress, createTerminalProgress } from "#tools/demo/view/terminal.ts";

/** Screen of a terminal after the writes, for the few control codes that the view uses. */
function screen(writes: readonly string[]): string[] {
  let lines: string[] = [""];
  let row = 0;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the terminal's control codes
  for (const token of writes.join("").match(/\u001b\[\??\d*[A-Za-z]|\r|\n|[^\u001b\r\n]+/g) ?? []) {
    if (token === "\n") {
      row += 1;
      lines[row] ??= "";
    } else if (token === "\u001b[0J") {
      lines = lines.slice(0, row);
      lines[row] = "";
    } else if (token.endsWith("A") && token.startsWith("\u001b")) row -= Number(token.slice(2, -1));
    else if (!token.startsWith("\u001b") && token !== "\r") lines[row] += token;
  }
  return lines;
}

function recordingOutput(rows?: number, columns?: number) {
  const writes: string[] = [];
  return { writes, rows, columns, write: (text: string) => writes.push(text) };
}

describe("terminal progress", () => {
  test("a view replaces the one before, lines that stay stand above it", () => {
    const output = recordingOutput(24);
    const progress = createTerminalProgress(output);
    progress.say("starting");
    progress.show(["one", "two", "three"]);
    progress.show(["ONE", "TWO"]);
    progress.say("an agent failed");
    progress.show(["last"]);
    progress.finish();
    progress.say("report");
    expect(screen(output.writes)).toEqual(["starting", "an agent failed", "last", "report", ""]);
  });

  test("a view taller than the terminal is cut", () => {
    const output = recordingOutput(3);
    const progress = createTerminalProgress(output);
    progress.show(["1", "2", "3", "4"]);
    progress.show(["5", "6", "7", "8"]);
    expect(screen(output.writes)).toEqual(["5", "6", ""]);
  });

  test("a view wider than the terminal is cut", () => {
    const output = recordingOutput(24, 5);
    const progress = createTerminalProgress(output);
    progress.show(["1234567"]);
    progress.show(["12345", "123"]);
    expect(screen(output.writes)).toEqual(["12345", "123", ""]);
  });

  test("the cursor is hidden while the view is drawn and comes back", () => {
    const output = recordingOutput();
    const progress = createTerminalProgress(output);
    progress.show(["x"]);
    expect(output.writes.join("")).toContain("\u001b[?25l");
    progress.finish();
    expect(output.writes.at(-1)).toBe("\u001b[?25h");
  });
});

test("without a terminal there are only lines", () => {
  const output = recordingOutput();
  const progress = createLineProgress(output);
  progress.say("starting");
  progress.show(["view"]);
  progress.finish();
  expect(output.writes).toEqual(["starting\n"]);
});
