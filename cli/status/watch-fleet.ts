import type { AgentView, FleetView } from "#controller/api/schemas.ts";
import type { ControllerLocalView } from "#controller/local/controller-door.ts";
import { describeError } from "#platform/errors.ts";
import { type Paint, paintFor } from "#platform/terminal/paint.ts";
import { type Line, lineText } from "./fleet-lines.ts";
import { type WatchedState, watchLines } from "./watch-lines.ts";

interface ScreenOutput {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
}

export interface WatchFleetParts {
  readonly ask: () => Promise<{
    readonly view: FleetView;
    /** Absent or null: the controller runs on another machine. */
    readonly local?: ControllerLocalView | null;
    readonly agents: readonly AgentView[];
    readonly matching: number;
  }>;
  readonly output: ScreenOutput;
  readonly filter: string;
  readonly nowMs: () => number;
  /** Waits for the next question; false: it is to end. */
  readonly next: () => Promise<boolean>;
}

const coloured = (line: Line, paint: Paint) =>
  line.map(({ text, tone }) => (tone === undefined ? text : paint(text, tone))).join("");

const control = "\u001b[";
const enter = `${control}?1049h${control}?25l`;
const leave = `${control}?25h${control}?1049l`;

/** Screen that is painted in place; to a file or pipe each picture is printed below the one before. */
function createScreen(output: ScreenOutput) {
  const isTerminal = output.isTTY === true;
  const paint = paintFor(output, process.env);
  const size = () =>
    isTerminal ? { columns: output.columns ?? 80, rows: output.rows ?? 24 } : { columns: 500, rows: 60 };
  let last: readonly Line[] = [];
  if (isTerminal) output.write(enter);
  return {
    size,
    paint(lines: readonly Line[]): void {
      last = lines;
      if (isTerminal)
        output.write(
          `${control}H${lines.map((line) => `${coloured(line, paint)}${control}K`).join("\r\n")}${control}J`,
        );
      else output.write(`${lines.map(lineText).join("\n")}\n\n`);
    },
    /** Leaves the newest picture behind. */
    close(): void {
      if (isTerminal) output.write(`${leave}${last.map((line) => coloured(line, paint)).join("\n")}\n`);
    },
  };
}

/** Shows the fleet until stopped. If the controller does not answer, says so above its last answer. */
export async function watchFleet({ ask, output, filter, nowMs, next }: WatchFleetParts): Promise<void> {
  const screen = createScreen(output);
  let state: WatchedState = {
    ...{ view: null, local: null, agents: [], matching: 0, absent: null, answeredAtMs: null },
    ...{ nowMs: nowMs(), filter },
  };
  try {
    do {
      try {
        const answer = await ask();
        state = { ...state, local: null, ...answer, absent: null, answeredAtMs: nowMs() };
      } catch (error) {
        const sinceMs = state.absent?.sinceMs ?? state.answeredAtMs ?? nowMs();
        state = { ...state, absent: { sinceMs, reason: describeError(error) } };
      }
      state = { ...state, nowMs: nowMs() };
      screen.paint(watchLines(state, screen.size()));
    } while (await next());
  } finally {
    screen.close();
  }
}
