import { cpus } from "node:os";
import { UsageError } from "#platform/errors.ts";
import { type Command, type OptionValues, optionalNumber, optionalString } from "./command.ts";
import { createLoadReport, formatLoadReport } from "./load/load-report.ts";
import { createTextSource, textLengths } from "./load/load-texts.ts";
import { planLoad, scenarios } from "./load/plan-load.ts";
import { runLoad } from "./load/run-load.ts";
import { createSender } from "./load/send-request.ts";
import { untilStopped } from "./until-stopped.ts";

/** More would use up the machine's ports before the server's strength. */
const maxInFlight = 1_000;
const defaultRate = 10;
const defaultModel = "all-MiniLM-L6-v2";

function oneOf<T extends string>(values: OptionValues, name: string, choices: readonly T[], fallback: T): T {
  const text = optionalString(values, name) ?? fallback;
  const choice = choices.find((known) => known === text);
  if (choice === undefined) throw new UsageError(`--${name}: expected one of ${choices.join(", ")}, got "${text}"`);
  return choice;
}

function baseUrl(text: string): string {
  const url = URL.parse(text);
  if (url?.protocol === "http:" || url?.protocol === "https:") return text.replace(/\/+$/, "");
  throw new UsageError(`--url: expected an http or https address, got "${text}"`);
}

function machineName(): string {
  const cores = cpus();
  return `${cores.length} x ${cores[0]?.model.trim() || process.arch}`;
}

export const loadCommand: Command = {
  summary: "put an embedding server under load and report its latency",
  usage: "--url URL [--rate RPS | --clients N] [--duration S]",
  options: {
    url: {
      type: "string",
      value: "URL",
      help: "the server (default http://127.0.0.1:8080); THORMESH_API_KEY holds its key",
    },
    model: { type: "string", value: "ID", help: `default ${defaultModel}` },
    rate: { type: "string", value: "RPS", help: `open loop: requests per second (default ${defaultRate})` },
    clients: { type: "string", value: "N", help: "closed loop: each sends when it has its answer" },
    duration: { type: "string", value: "S", help: "seconds (default 30)" },
    texts: { type: "string", value: "LENGTH", help: "short, medium, long or mixed (default mixed)" },
    scenario: { type: "string", value: "NAME", help: "sustained, burst (up to 4x) or stress (0.5x to 3x)" },
    timeout: { type: "string", value: "S", help: "seconds until a request counts as failed (default 30)" },
    "p95-ms": { type: "string", value: "MS", help: "target: 95 % answered within" },
    "min-rps": { type: "string", value: "RPS", help: "target: answered requests per second" },
    "max-error-rate": { type: "string", value: "SHARE", help: "target: failed requests, 0 to 1" },
    json: { type: "boolean", help: "print the report as JSON" },
  },
  async run(values, positionals) {
    if (positionals.length > 0) throw new UsageError(`unexpected "${positionals[0]}"`);
    const rate = optionalNumber(values, "rate", { min: 0.1, max: 100_000 });
    const clients = optionalNumber(values, "clients", { min: 1, max: 10_000, integer: true });
    if (rate !== undefined && clients !== undefined) throw new UsageError("expected --rate or --clients, not both");
    const durationMs = 1_000 * (optionalNumber(values, "duration", { min: 0.1, max: 604_800 }) ?? 30);
    const timeoutMs = 1_000 * (optionalNumber(values, "timeout", { min: 0.001, max: 3_600 }) ?? 30);
    const texts = oneOf(values, "texts", textLengths, "mixed");
    const scenario = oneOf(values, "scenario", scenarios, "sustained");
    const targets = {
      p95Ms: optionalNumber(values, "p95-ms", { min: 0, max: 3_600_000 }),
      minRps: optionalNumber(values, "min-rps", { min: 0, max: 1_000_000 }),
      maxErrorRate: optionalNumber(values, "max-error-rate", { min: 0, max: 1 }),
    };
    const url = baseUrl(optionalString(values, "url") ?? "http://127.0.0.1:8080");
    const closed = clients !== undefined;
    const level = clients ?? rate ?? defaultRate;
    const model = optionalString(values, "model") ?? defaultModel;
    const apiKey = process.env["THORMESH_API_KEY"]?.split(",")[0];
    const stop = new AbortController();
    void untilStopped().then(() => stop.abort());
    const run = await runLoad({
      mode: closed ? "closed" : "open",
      phases: planLoad(scenario, level, durationMs, closed),
      send: createSender({ url, nextText: createTextSource(texts, 1), timeoutMs, model, apiKey }),
      stop: stop.signal,
      maxInFlight,
      onProgress(elapsedMs, { answered, errors, latencyMs }) {
        if (!process.stderr.isTTY) return;
        const failed = Object.values(errors).reduce((sum, count) => sum + count, 0);
        const line = `${Math.round(elapsedMs / 1_000)}/${Math.round(durationMs / 1_000)} s  ${answered} answered`;
        process.stderr.write(`\r\x1b[K${line}, ${failed} failed, p95 ${latencyMs.p95?.toFixed(1) ?? "-"} ms`);
      },
    });
    if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
    const asked = { url, scenario, texts, [closed ? "clients" : "rate"]: level, seconds: durationMs / 1_000 };
    const report = createLoadReport(run, { asked, machine: machineName(), interrupted: stop.signal.aborted }, targets);
    console.log(values["json"] === true ? JSON.stringify(report) : formatLoadReport(report));
    return report.missed.length === 0 ? 0 : 1;
  },
};
