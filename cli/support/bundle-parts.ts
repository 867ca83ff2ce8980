import { readdirSync, readFileSync, statfsSync, statSync } from "node:fs";
import { arch, cpus, freemem, release, totalmem, uptime } from "node:os";
import { join } from "node:path";
import { fetchBounded } from "#platform/fetch/fetch-bounded.ts";
import { readRegularText } from "#platform/files/read-regular-file.ts";
import { childEnvironment } from "#platform/process/child-environment.ts";
import { outcomeToText, runCommand } from "#platform/process/run-command.ts";
import { selfCommand } from "#platform/process/self-command.ts";
import { formatTable } from "#platform/terminal/format-table.ts";
import { minuteMs, secondMs } from "#platform/time.ts";
import { builtAtMs, version } from "#platform/version.ts";
import { askDevice } from "../status/ask-device.ts";
import { type LogLine, logLineToJson } from "./log-line.ts";
import { type LogPlaces, logSource } from "./log-source.ts";
import type { BundlePart } from "./pack-bundle.ts";
import { readLog } from "./read-log.ts";
import type { ServiceFacts } from "./service-facts.ts";

/** Places and programs of this machine that a bundle is made from; other ones in tests. */
export interface SupportMachine extends LogPlaces {
  readonly systemctl: string;
  /** Directory of the versions, with update.json. */
  readonly versionsDir: string;
  /** Command that runs the checks of this machine, without the configuration. */
  readonly doctor: readonly string[];
}

/** As JSON: in a table a secret could be broken over two lines, and would not be known. */
export const doctorOfThisProgram = (): string[] => [...selfCommand(), "doctor", "--json"];

const timeoutMs = 20 * secondMs;
/** Time for the checks: they load models. */
const doctorTimeoutMs = 3 * minuteMs;
const logLines = 2_000;
/** More than a bundle keeps of it, as secrets are hidden before it is cut. */
const maxLogCharacters = 4 * 1024 * 1024;
const maxAnswerBytes = 4 * 1024 * 1024;
const maxEntries = 1_000;
const units = [
  ...["thormesh-agent.service", "thormesh-controller.service", "thormesh-update.path", "thormesh-update.service"],
  "thormesh-power.socket",
];
const unitProperties =
  "Id,LoadState,UnitFileState,ActiveState,SubState,Result,ExecMainStatus,NRestarts,ActiveEnterTimestamp,MemoryCurrent,MemoryPeak,DropInPaths";

/** Text of a small file of the system; null: there is none. */
function textOf(path: string): string | null {
  try {
    return readFileSync(path, "utf8").replaceAll("\0", "").trim();
  } catch {
    return null;
  }
}

function aboutMachine(services: readonly ServiceFacts[]): string {
  const system = /^PRETTY_NAME="?([^"\n]*)/m.exec(textOf("/etc/os-release") ?? "")?.[1] ?? "unknown";
  const gigabytes = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  const free = services.map(({ stateDir }) => {
    try {
      const { bavail, bsize } = statfsSync(stateDir);
      return `free at ${stateDir}: ${gigabytes(bavail * bsize)}`;
    } catch {
      return `${stateDir} does not exist or can't be read`;
    }
  });
  return [
    `thormesh ${version}, ${builtAtMs === 0 ? "from its sources" : `of sources from ${new Date(builtAtMs).toISOString().slice(0, 10)}`}, Bun ${Bun.version}`,
    `executable: ${process.execPath}, ${statSync(process.execPath).size} bytes`,
    `made: ${new Date().toISOString()}, by user ${process.geteuid?.() ?? "?"}`,
    `system: ${system}, Linux ${release()}, ${arch()}`,
    `board: ${textOf("/proc/device-tree/model") ?? "none that names itself"}`,
    `processors: ${cpus().length} of ${cpus()[0]?.model ?? "an unknown kind"}`,
    `memory: ${gigabytes(totalmem())}, free ${gigabytes(freemem())}`,
    `up: ${Math.round(uptime() / 60)} min`,
    ...free,
  ].join("\n");
}

/** Lists the files below a directory with their sizes, never what is in them. */
function listFiles(directory: string): string {
  const rows: string[][] = [];
  const look = (below: string): void => {
    for (const entry of readdirSync(join(directory, below), { withFileTypes: true })) {
      if (rows.length >= maxEntries) return;
      const name = join(below, entry.name);
      const stats = statSync(join(directory, name), { throwIfNoEntry: false });
      if (stats === undefined) continue;
      const mode = (stats.mode & 0o7777).toString(8).padStart(4, "0");
      rows.push([name, String(stats.size), mode, `${stats.uid}:${stats.gid}`, stats.mtime.toISOString()]);
      if (entry.isDirectory()) look(name);
    }
  };
  look("");
  return formatTable(["NAME", "BYTES", "MODE", "OWNER", "CHANGED"], rows);
}

async function newestLines(program: ServiceFacts["program"], machine: SupportMachine): Promise<string> {
  const lines: string[] = [];
  let characters = 0;
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, timeoutMs);
  const source = logSource(program, machine);
  try {
    const wanted = { lines: logLines, sinceMs: null, follow: false };
    const onLine = (line: LogLine) => {
      const text = logLineToJson(line);
      characters += text.length;
      lines.push(text);
      while (characters > maxLogCharacters && lines.length > 1) characters -= lines.shift()?.length ?? 0;
      return true;
    };
    await readLog(source, wanted, machine, { onLine, stopped: late });
  } finally {
    clearTimeout(timer);
  }
  if (lines.length === 0) throw new Error(`no lines of ${source.name} that this user can read`);
  return lines.join("\n");
}

async function unitStates(machine: SupportMachine): Promise<string> {
  const command = [machine.systemctl, "show", ...units, `--property=${unitProperties}`, "--no-pager"];
  const outcome = await runCommand(command, timeoutMs);
  if (outcome.exitCode !== 0) throw new Error(outcomeToText(command.slice(0, 2), outcome, timeoutMs));
  return outcome.output;
}

async function runDoctor(machine: SupportMachine, configPath: string | undefined): Promise<string> {
  const command = [...machine.doctor, ...(configPath === undefined ? [] : ["--config", configPath])];
  // The same variables as the user's own "thormesh doctor" would have: without the password the broker refuses it.
  const told = Object.entries(process.env).filter(([name]) => name.startsWith("THORMESH_"));
  const given = Object.fromEntries(told) as Record<string, string>;
  const outcome = await runCommand(command, doctorTimeoutMs, childEnvironment("service", given));
  // Code 1: a check failed, which is what one wants to see.
  if (outcome.exitCode === 0 || outcome.exitCode === 1) return outcome.output;
  throw new Error(outcomeToText(["thormesh", "doctor"], outcome, doctorTimeoutMs));
}

async function ask({ api, program }: ServiceFacts, path: string): Promise<string> {
  if (api === null) throw new Error(`the ${program}'s configuration is not valid, so its address is unknown`);
  const headers: Record<string, string> = api.key === undefined ? {} : { authorization: `Bearer ${api.key}` };
  const answer = await fetchBounded(`${api.url}${path}`, {
    headers,
    timeoutMs,
    maxBytes: maxAnswerBytes,
  });
  if (answer.ok) return await answer.text();
  throw new Error(`the ${program} at ${api.url} answers ${answer.status}`);
}

async function agentStatus({ stateDir }: ServiceFacts): Promise<string> {
  const view = await askDevice([stateDir]);
  if (view === null) throw new Error("no agent runs on this machine");
  return JSON.stringify(view, null, 2);
}

function partsOf(service: ServiceFacts, machine: SupportMachine): BundlePart[] {
  const { program, stateDir, configPath } = service;
  const status: BundlePart =
    program === "agent"
      ? { name: "agent-status.json", holds: "state of the agent", make: () => agentStatus(service) }
      : {
          name: "controller-status.json",
          holds: "state of the fleet, as this controller sees it",
          make: () => ask(service, "/api/v1/fleet"),
        };
  return [
    status,
    {
      name: `${program}-config.txt`,
      holds: `configuration in force${configPath === undefined ? "" : ` (${configPath})`}, with origins, secrets masked`,
      make: async () => service.configText(),
    },
    {
      name: `${program}-log.jsonl`,
      holds: `newest ${logLines} lines of the log`,
      make: () => newestLines(program, machine),
      keeps: "end",
    },
    { name: `${program}-metrics.txt`, holds: "metrics", make: () => ask(service, "/metrics") },
    {
      name: `${program}-files.txt`,
      holds: `names and sizes of the files in ${stateDir}`,
      make: async () => listFiles(stateDir),
    },
  ];
}

/** Lists the pieces of a bundle. */
export function bundleParts(services: readonly ServiceFacts[], machine: SupportMachine): BundlePart[] {
  const agent = services.find(({ program }) => program === "agent");
  return [
    {
      name: "about.txt",
      holds: "version, system, memory, space",
      make: async () => aboutMachine(services),
    },
    ...(agent === undefined
      ? []
      : [
          {
            name: "doctor.json",
            holds: "result of thormesh doctor",
            make: () => runDoctor(machine, agent.configPath),
          },
        ]),
    { name: "units.txt", holds: "states of the services' units", make: () => unitStates(machine) },
    {
      name: "update.json",
      holds: "state of updates",
      make: () => readRegularText(join(machine.versionsDir, "update.json"), maxAnswerBytes),
    },
    ...services.flatMap((service) => partsOf(service, machine)),
  ];
}
