import { existsSync } from "node:fs";
import type { Program } from "../run/read-input.ts";

/** Places of this machine where the logs of services are. */
export interface LogPlaces {
  /** Directory that is there only where systemd has started the machine. */
  readonly systemd: string;
  /** Directory of the logs that the runner of scripts/install.sh writes where there is no systemd. */
  readonly logDir: string;
  /** Directory of the configurations of installed services. */
  readonly configDir: string;
  /** Program that reads the journal. */
  readonly journalctl: string;
}

export const logPlaces: LogPlaces = {
  systemd: "/run/systemd/system",
  logDir: "/var/log",
  configDir: "/etc/thormesh",
  journalctl: "journalctl",
};

export interface LogSource {
  readonly kind: "journal" | "file";
  /** Unit, or path of the file. */
  readonly name: string;
}

/** Unit of a service's journal where systemd runs, else the file that its runner writes. */
export const logSource = (program: Program, places: LogPlaces): LogSource =>
  existsSync(places.systemd)
    ? { kind: "journal", name: `thormesh-${program}.service` }
    : { kind: "file", name: `${places.logDir}/thormesh-${program}.log` };

/** Service of this machine whose log is shown when none is named: the agent, unless only a controller is here. */
export function likelyProgram(places: LogPlaces): Program {
  const isHere = (program: Program) =>
    existsSync(`${places.configDir}/${program}.yaml`) || existsSync(`${places.logDir}/thormesh-${program}.log`);
  return !isHere("agent") && isHere("controller") ? "controller" : "agent";
}

export interface WantedLines {
  /** Newest lines to begin with. */
  readonly lines: number;
  /** Time of the first line, ms since the epoch; null: any. */
  readonly sinceMs: number | null;
  readonly follow: boolean;
}

/** Newest lines of a file and of the one that was filled before it: `sh -c SCRIPT sh FILE LINES`. */
const tailOfBoth = '[ -r "$1" ] || exec tail -n 1 "$1"; { [ ! -r "$1.1" ] || cat "$1.1"; cat "$1"; } | tail -n "$2"';

/** Command that prints the lines of a log: the journal's as JSON, a file's as they are. */
export function logCommand({ kind, name }: LogSource, wanted: WantedLines, places: LogPlaces): string[] {
  const lines = String(wanted.lines);
  if (kind === "file")
    return wanted.follow ? ["tail", "-n", lines, "-F", name] : ["sh", "-c", tailOfBoth, "sh", name, lines];
  const since = wanted.sinceMs === null ? [] : [`--since=@${Math.floor(wanted.sinceMs / 1000)}`];
  const follow = wanted.follow ? ["--follow"] : [];
  return [
    ...[places.journalctl, `--unit=${name}`, "--no-pager", "--output=json", "--output-fields=MESSAGE,PRIORITY"],
    ...[`--lines=${wanted.lines}`, ...since, ...follow],
  ];
}
