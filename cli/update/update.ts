import { UsageError } from "#platform/errors.ts";
import { readRegularText } from "#platform/files/read-regular-file.ts";
import { type Command, type OptionValues, optionalString } from "#platform/terminal/command.ts";
import { printLine } from "#platform/terminal/print-line.ts";
import { versionPattern } from "#protocol/release/version-order.ts";
import { refusePackage } from "#tools/update/refuse-package.ts";
import { checkForUpdate, runUpdate, settleUpdate, type UpdateRequest } from "#tools/update/run-update.ts";
import { readUpdateConfig, type UpdateConfig } from "#tools/update/update-config.ts";
import type { UpdateOutcome } from "#tools/update/updater.ts";

const maxOrderBytes = 1024;

/** Options of the commands that change this machine's version. */
export const machineOptions = {
  config: { short: "c", value: "FILE", help: "settings of updates (default: /etc/thormesh/update.yaml)" },
  prefix: { value: "DIR", help: "directory of the versions (default: the running one's)" },
  json: { help: "print JSON" },
} as const;

/** Reads what updates of this machine are told; options go over it. */
export async function machineConfig(values: OptionValues): Promise<UpdateConfig> {
  refusePackage();
  const config = await readUpdateConfig(optionalString(values, "config"));
  const prefix = optionalString(values, "prefix");
  const url = optionalString(values, "url");
  if (url !== undefined && !/^https?:$/.test(URL.parse(url)?.protocol ?? ""))
    throw new UsageError(`--url: expected an address of releases like https://releases.example/thormesh, got "${url}"`);
  return { ...config, ...(prefix === undefined ? {} : { prefix }), ...(url === undefined ? {} : { url }) };
}

/** Tells what happened; on standard error where standard output is JSON. */
export const sayTo = (values: OptionValues) => (sentence: string) =>
  values["json"] === true ? console.error(sentence) : printLine(sentence);

export function tellOutcome(values: OptionValues, { state, version, reason }: UpdateOutcome): void {
  if (values["json"] === true) console.log(JSON.stringify({ state, version, reason }, null, 2));
  else
    printLine(
      state === "returned"
        ? `version ${version} is running again: ${reason}`
        : `version ${version} is now running: ${reason}`,
    );
}

const isVersion = (text: unknown): text is string =>
  typeof text === "string" && text.length <= 64 && new RegExp(versionPattern).test(text);

/** Version that the fleet wants, from the file in which the agent leaves it; others than root may write that one. */
async function orderedVersion(path: string): Promise<string> {
  let order: unknown;
  try {
    order = JSON.parse(await readRegularText(path, maxOrderBytes));
  } catch (cause) {
    throw new UsageError(`--order: ${path} can't be read as an order of the fleet`, { cause });
  }
  const version = Object(order)["version"];
  if (isVersion(version)) return version;
  throw new UsageError(`--order: ${path}: version: expected a version such as 1.2.0, got something else`);
}

async function requestOf(values: OptionValues): Promise<UpdateRequest> {
  const order = optionalString(values, "order");
  const named = optionalString(values, "version");
  const file = optionalString(values, "file") ?? null;
  if (named !== undefined && !isVersion(named))
    throw new UsageError(`--version: expected a version such as 1.2.0, got "${named}"`);
  for (const [one, other] of [
    ["file", "url"],
    ["file", "order"],
    ["version", "order"],
    ["url", "order"],
  ] as const)
    if (one in values && other in values) throw new UsageError(`--${one} and --${other}: expected one of them`);
  return {
    version: order === undefined ? (named ?? null) : await orderedVersion(order),
    ...{ file, byFleet: order !== undefined },
    allowDowngrade: values["allow-downgrade"] === true,
    allowExpired: values["allow-expired"] === true,
  };
}

async function check(values: OptionValues, config: UpdateConfig, request: UpdateRequest): Promise<number> {
  const { decision, sentence, current } = await checkForUpdate(config, request, sayTo(values));
  if (values["json"] === true) console.log(JSON.stringify({ current, ...decision, reason: sentence }, null, 2));
  else printLine(sentence);
  return decision.kind === "refuse" ? 1 : 0;
}

export const updateCommand: Command = {
  summary: "update to a newer version; roll back automatically if it is unhealthy",
  usage: `[--version V] [--url URL | --file FILE] [options]
       thormesh update --check
       thormesh update --resume`,
  examples: [
    "sudo thormesh update --check",
    "sudo thormesh update",
    "sudo thormesh update --file thormesh-linux-arm64",
  ],
  optionsOnly: true,
  options: {
    check: { help: "report whether there is a newer version; change nothing" },
    version: { value: "V", help: "this version instead of the newest" },
    url: { value: "URL", help: "address of the releases (default: as update.yaml says)" },
    file: { value: "FILE", help: "release on this machine, with manifest.json or FILE.minisig beside it" },
    order: { value: "FILE", help: "the version that the fleet's controller ordered, from the agent's order file" },
    resume: { help: "finish an interrupted update, and do nothing else" },
    "allow-downgrade": { help: "allow a version older than the running one" },
    "allow-expired": { help: "allow a release whose manifest has expired" },
    ...machineOptions,
  },
  async run(values) {
    const modes = ["check", "resume"].filter((name) => values[name] === true);
    if (modes.length > 1) throw new UsageError("--check and --resume: expected one of them");
    const config = await machineConfig(values);
    const request = await requestOf(values);
    if (values["check"] === true) return await check(values, config, request);
    const outcome =
      values["resume"] === true
        ? await settleUpdate(config, sayTo(values))
        : await runUpdate(config, request, sayTo(values));
    tellOutcome(values, outcome);
    return outcome.state === "returned" && values["resume"] !== true ? 1 : 0;
  },
};
