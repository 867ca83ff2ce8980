import { UsageError } from "#platform/errors.ts";
import {
  type CommandOption,
  type OptionValues,
  optionalChoice,
  optionalNumber,
  optionalString,
} from "#platform/terminal/command.ts";
import { httpProtocols } from "./http-server-under-load.ts";
import { defaultMaxErrorShare, limitErrors, parseTargets, targetsHelp } from "./load-targets.ts";
import { textLengths } from "./load-texts.ts";
import { scenarios } from "./plan-load.ts";
import { defaultLimitS, modeOptions, readLoadModes } from "./read-load-modes.ts";

const protocols = [...httpProtocols, "grpc"] as const;
export type Protocol = (typeof protocols)[number];

const defaultUrls: Readonly<Record<Protocol, string>> = {
  openai: "http://127.0.0.1:8080",
  native: "http://127.0.0.1:8080",
  grpc: "http://127.0.0.1:9090",
};
const defaultRate = 10;
const defaultModel = "all-MiniLM-L6-v2";

export const loadOptions = {
  url: {
    value: "URL[,URL…]",
    help: `servers, used in turn (default: ${defaultUrls.openai}, gRPC ${defaultUrls.grpc}); THORMESH_API_KEY is their key`,
  },
  protocol: { value: "NAME", help: `${protocols.join(", ")} (default: openai)` },
  model: { value: "ID", help: `model id (default: ${defaultModel})` },
  rate: { value: "RPS", help: `open loop with this many requests per second (default: ${defaultRate})` },
  clients: { value: "N", help: "closed loop with N clients, each sending after its last answer" },
  duration: { value: "S", help: "seconds (default: 30)" },
  scenario: { value: "NAME", help: "sustained, burst (up to 4x) or stress (0.5x to 3x)" },
  ...modeOptions,
  texts: { value: "LENGTH", help: "short (16 tokens), medium (64), long (256) or mixed (default: mixed)" },
  inputs: { value: "N", help: "texts in a request (default: 1)" },
  "repeat-share": {
    value: "SHARE",
    help: "share of texts that repeat earlier ones, to test a cache, 0 to 1 (default: 0)",
  },
  seed: { value: "N", help: "seed of the texts (default: random)" },
  timeout: { value: "S", help: "seconds until a request counts as failed (default: 30)" },
  retries: { value: "N", help: "retries of a request that no server received (default: 3)" },
  "watch-pid": { value: "PID[,PID…]", help: "report CPU time and memory of these process trees" },
  target: {
    value: "LIST",
    help: `targets like p95=30ms,errors=0,rate=50; known: ${targetsHelp} (default: errors=${100 * defaultMaxErrorShare}%)`,
  },
  json: { help: "print JSON" },
} as const satisfies Record<string, CommandOption>;

export type LoadOptions = Readonly<ReturnType<typeof readLoadOptions>>;

function baseUrl(text: string): string {
  const url = URL.parse(text);
  if (url?.protocol === "http:" || url?.protocol === "https:") return text.replace(/\/+$/, "");
  throw new UsageError(`--url: expected an http or https address, got "${text}"`);
}

function processId(text: string): number {
  if (/^[1-9]\d{0,9}$/.test(text)) return Number(text);
  throw new UsageError(`--watch-pid: expected process ids separated by commas, got "${text}"`);
}

const list = (text: string) => text.split(",").map((piece) => piece.trim());

/** Parses the options. @throws UsageError naming an invalid option */
export function readLoadOptions(values: OptionValues) {
  const rate = optionalNumber(values, "rate", { min: 0.1, max: 100_000 });
  const clients = optionalNumber(values, "clients", { min: 1, max: 10_000, integer: true });
  if (rate !== undefined && clients !== undefined) throw new UsageError("expected --rate or --clients, not both");
  const modes = readLoadModes(values);
  const watched = optionalString(values, "watch-pid");
  const protocol = optionalChoice(values, "protocol", protocols) ?? "openai";
  const targets = limitErrors(parseTargets(optionalString(values, "target") ?? ""));
  if (targets.flatMemory && watched === undefined) {
    throw new UsageError("--target: memory=flat needs --watch-pid with the server's process id");
  }
  return {
    ...modes,
    urls: list(optionalString(values, "url") ?? defaultUrls[protocol]).map(baseUrl),
    protocol,
    model: optionalString(values, "model") ?? defaultModel,
    closed: clients !== undefined,
    /** Requests per second, or clients when closed. */
    level: clients ?? rate ?? defaultRate,
    durationMs:
      1_000 *
      (optionalNumber(values, "duration", { min: 0.1, max: 604_800 }) ?? (modes.findLimit ? defaultLimitS : 30)),
    scenario: optionalChoice(values, "scenario", scenarios) ?? "sustained",
    texts: optionalChoice(values, "texts", textLengths) ?? "mixed",
    inputs: optionalNumber(values, "inputs", { min: 1, max: 2_048, integer: true }) ?? 1,
    repeatShare: optionalNumber(values, "repeat-share", { min: 0, max: 1 }) ?? 0,
    /** undefined: random. */
    seed: optionalNumber(values, "seed", { min: 0, max: 2 ** 31 - 1, integer: true }),
    timeoutMs: 1_000 * (optionalNumber(values, "timeout", { min: 0.001, max: 3_600 }) ?? 30),
    retries: optionalNumber(values, "retries", { min: 0, max: 1_000, integer: true }) ?? 3,
    watchPids: watched === undefined ? [] : list(watched).map(processId),
    targets,
    json: values["json"] === true,
  };
}
