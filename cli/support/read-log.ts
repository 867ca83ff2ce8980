import { existsSync } from "node:fs";
import { parseTime } from "#platform/parse-time.ts";
import { childEnvironment } from "#platform/process/child-environment.ts";
import { killIfAllowed } from "#platform/process/run-command.ts";
import { type LogLine, parseLogLine } from "./log-line.ts";
import { type LogPlaces, type LogSource, logCommand, type WantedLines } from "./log-source.ts";

/** Maximum length of a line, including the journal's fields; the rest of a longer one is dropped. */
const maxLineCharacters = 256 * 1024;
const maxErrorCharacters = 2_000;

/** Tells each line of a stream, also a last one without its end. */
async function eachLine(stream: ReadableStream<Uint8Array>, onLine: (line: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const piece of stream) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split("\n");
    rest = (lines.pop() ?? "").slice(0, maxLineCharacters);
    for (const line of lines) onLine(line);
  }
  onLine(rest);
}

/** Reads the beginning of a stream, and drops the rest. */
async function beginningOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const piece of stream)
    if (text.length < maxErrorCharacters) text += decoder.decode(piece, { stream: true });
  return text.trim();
}

/**
 * Reads a log and tells its lines as they come. Resolves with their number when the log ends or `stopped` does.
 * @throws Error when there is no log, or it can't be read
 */
export async function readLog(
  source: LogSource,
  wanted: WantedLines,
  places: LogPlaces,
  { onLine, stopped }: { onLine(line: LogLine): boolean; readonly stopped: Promise<unknown> },
): Promise<number> {
  if (source.kind === "file" && !existsSync(source.name))
    throw new Error(
      `${source.name}: there is no such log; this machine has no systemd, and a service not installed by scripts/install.sh logs to standard error`,
    );
  const command = logCommand(source, wanted, places);
  let child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  try {
    child = Bun.spawn(command, {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      env: childEnvironment("command", { LC_ALL: "C" }),
    });
  } catch (cause) {
    throw new Error(`${command[0]} can't be run, which reads the log ${source.name}`, { cause });
  }
  let count = 0;
  let isOver = false;
  let lastTime: string | null = null;
  const end = () => {
    isOver = true;
    killIfAllowed(child);
  };
  void stopped.then(end);
  const said = beginningOf(child.stderr);
  await eachLine(child.stdout, (text) => {
    const line = isOver ? null : parseLogLine(text, source.kind);
    if (line === null) return;
    lastTime = line.time ?? lastTime;
    // A line without a time, as of a crash, is as old as the one before it. A file is not searched by time.
    if (wanted.sinceMs !== null && (parseTime(lastTime ?? "") ?? 0) < wanted.sinceMs) return;
    count += 1;
    if (!onLine(line)) end();
  });
  const exitCode = await child.exited;
  if (isOver || exitCode === 0 || count > 0) return count;
  throw new Error(`the log ${source.name} can't be read: ${await said}`);
}
