import { UsageError } from "#platform/errors.ts";
import { type Command, optionalNumber, optionalTime, unexpectedWord } from "#platform/terminal/command.ts";
import { printLine } from "#platform/terminal/print-line.ts";
import type { Program } from "../run/read-input.ts";
import { untilStopped } from "../run/until-stopped.ts";
import { logLineToJson, logLineToText } from "./log-line.ts";
import { type LogPlaces, likelyProgram, logPlaces, logSource } from "./log-source.ts";
import { readLog } from "./read-log.ts";

const defaultLines = 200;
const maxLines = 100_000;

/** Says why a log may seem empty. */
function emptyLog(name: string, kind: "journal" | "file", sinceMs: number | null): string {
  const since = sinceMs === null ? "" : ` since ${new Date(sinceMs).toISOString()}`;
  const rights =
    kind === "journal" && process.geteuid?.() !== 0
      ? "; only root and members of the group systemd-journal see services: sudo thormesh logs"
      : "";
  return `no lines of ${name}${since}${rights}`;
}

/** Command that shows the log of a service; the places are other ones in tests. */
export const createLogsCommand = (places: LogPlaces): Command => ({
  summary: "show the log of this machine's service, from the journal or its log file",
  usage: "[agent|controller] [--follow] [--lines N] [--since TIME] [--json]",
  examples: ["sudo thormesh logs --follow", "sudo thormesh logs controller --since 2026-11-30T12:00:00Z --json"],
  options: {
    follow: { short: "f", help: "keep showing new lines until Ctrl-C" },
    lines: {
      short: "n",
      value: "N",
      help: `newest N lines, 1 to ${maxLines} (default: ${defaultLines}; with --since all of them)`,
    },
    since: { value: "TIME", help: "lines since a day or a time with its zone, like 2026-05-04T12:30:00Z" },
    json: { help: "print each line as JSON" },
  },
  async run(values, [word, ...more]) {
    if (word !== undefined && word !== "agent" && word !== "controller")
      throw unexpectedWord("agent or controller", word, ["agent", "controller"]);
    if (more.length > 0) throw new UsageError(`logs: expected nothing more, got "${more.join(" ")}"`);
    const lines = optionalNumber(values, "lines", { min: 1, max: maxLines, integer: true });
    const sinceMs = optionalTime(values, "since") ?? null;
    const follow = values["follow"] === true;
    const program: Program = word ?? likelyProgram(places);
    const source = logSource(program, places);
    const show = values["json"] === true ? logLineToJson : logLineToText;
    const wanted = { lines: lines ?? (sinceMs === null ? defaultLines : maxLines), sinceMs, follow };
    const count = await readLog(source, wanted, places, {
      onLine: (line) => printLine(show(line)),
      stopped: follow ? untilStopped() : new Promise(() => {}),
    });
    if (count > 0 || follow) return 0;
    console.error(emptyLog(source.name, source.kind, sinceMs));
    return 1;
  },
});

export const logsCommand: Command = createLogsCommand(logPlaces);
