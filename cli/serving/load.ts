import type { Command } from "#platform/terminal/command.ts";
import { rateToText, verdictToText } from "#tools/load/limit/explain-limit.ts";
import { formatLimitReport } from "#tools/load/limit/limit-report.ts";
import { measureLimit } from "#tools/load/limit/measure-limit.ts";
import type { LoadCounts } from "#tools/load/load-counts.ts";
import { formatLoadReport } from "#tools/load/load-report.ts";
import { measureServers } from "#tools/load/measure-servers.ts";
import { loadOptions, readLoadOptions } from "#tools/load/read-load-options.ts";
import { readStages } from "#tools/load/read-stages.ts";
import { apiKeysFromEnvironment } from "../run/api-keys-from-environment.ts";
import { untilStopped } from "../run/until-stopped.ts";

const clearLine = "\r\x1b[K";

function progressToText(durationMs: number, elapsedMs: number, counts: LoadCounts): string {
  const { answered, rejected, failed, latencyMs } = counts;
  const time = `${Math.round(elapsedMs / 1_000)}/${Math.round(durationMs / 1_000)} s`;
  const p95 = latencyMs.p95?.toFixed(1) ?? "-";
  return `${time}  ${answered} answered, ${rejected} rejected, ${failed} failed, p95 ${p95} ms`;
}

export const loadCommand: Command = {
  summary: "put load on an embedding server and report its latency",
  usage:
    "--url URL [--rate RPS | --clients N | --stages STAGES | --find-limit] [--duration S] [--target p95=30ms,errors=0]",
  examples: [
    "thormesh load --url http://127.0.0.1:8080 --rate 50 --target p95=30ms,errors=0",
    "thormesh load --url http://127.0.0.1:8080 --find-limit --target p95=30ms",
  ],
  optionsOnly: true,
  options: loadOptions,
  async run(values) {
    const options = readLoadOptions(values);
    const apiKey = apiKeysFromEnvironment(process.env)?.[0];
    const show = (text: string) => {
      if (process.stderr.isTTY) process.stderr.write(clearLine + text);
    };
    const stopped = untilStopped();
    if (options.findLimit) {
      const report = await measureLimit(options, apiKey, stopped, ({ sample, verdict }) =>
        show(`${rateToText(sample.rate)} requests/s: ${verdictToText(verdict)}`),
      );
      show("");
      console.log(options.json ? JSON.stringify(report) : formatLimitReport(report));
      return report.missed.length === 0 && report.end !== "late" ? 0 : 1;
    }
    const stages = options.stages === undefined ? undefined : await readStages(options.stages);
    const durationMs = stages?.reduce((sum, stage) => sum + stage.durationMs, 0) ?? options.durationMs;
    const report = await measureServers(options, stages, apiKey, stopped, (elapsedMs, counts) =>
      show(progressToText(durationMs, elapsedMs, counts)),
    );
    show("");
    console.log(options.json ? JSON.stringify(report) : formatLoadReport(report));
    return report.missed.length === 0 ? 0 : 1;
  },
};
