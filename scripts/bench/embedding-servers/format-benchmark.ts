import { formatTable } from "#platform/terminal/format-table.ts";
import type { Ratios, RawMix, RawStretch, ServerStretch } from "./figures.ts";

export interface MeasuredLevel extends ServerStretch {
  readonly clients: number;
  readonly ratios: Ratios;
  /** The raw loop just before and after, which the ratios are to. */
  readonly raw: RawStretch;
  readonly noisy: boolean;
}

export interface MeasuredMix {
  readonly levels: readonly MeasuredLevel[];
  /** The level of most texts per second. */
  readonly saturation: MeasuredLevel;
  /** Open loop at half of saturation; p95 as a multiple of p50. */
  readonly half: ServerStretch & { readonly p95OverP50: number | null };
  /** One client's p50 as a multiple of a single inference's. */
  readonly singleOverRaw: number | null;
}

export interface BenchmarkReport {
  readonly machine: string;
  readonly cores: number;
  readonly threads: number;
  readonly model: string;
  readonly secondsPerLevel: number;
  readonly raw: Readonly<Record<string, RawMix>>;
  readonly servers: Readonly<Record<string, Readonly<Record<string, MeasuredMix>>>>;
  /** Saturation of thormesh beside that of the best other server, by their shares of ONNX Runtime alone; null without another server. */
  readonly overBestOther: Readonly<Record<string, number | null>>;
  /** Requests answered from the cache for each CPU second of the server; null when it was not measured. */
  readonly cachedPerServerCpuS: number | null;
  /** Stretches in which other programs took more than 5 % of the cores. */
  readonly noisyStretches: number;
}

const ms = (value: number | null) => (value === null ? "-" : value.toFixed(value < 100 ? 1 : 0));
const ratio = (value: number | null) => (value === null ? "-" : value.toFixed(2));
const rate = (value: number) => value.toFixed(value < 100 ? 1 : 0);

/** For people: one row a server and mix. */
export function formatBenchmark(report: BenchmarkReport): string {
  const rawRows = Object.entries(report.raw).map(([mix, { best, singleMs }]) => [
    mix,
    rate(best.textsPerS),
    `${best.batch}${best.sorted ? ", sorted" : ""}`,
    rate((best.textsPerS * best.seconds) / best.cpuS),
    ms(singleMs.p50),
    ms(singleMs.p95),
  ]);
  const raw = formatTable(["ONNX Runtime alone", "texts/s", "batch", "per CPU s", "single p50 ms", "p95 ms"], rawRows);
  const rows = Object.entries(report.servers).flatMap(([server, mixes]) =>
    Object.entries(mixes).map(([mix, { levels, saturation, half, singleOverRaw }]) => [
      server,
      mix,
      ...levels.map((level) => rate(level.textsPerS)),
      ratio(saturation.ratios.ofCeiling),
      ratio(saturation.ratios.ofRate),
      ratio(saturation.ratios.ofCpu),
      ms(levels[0]?.clients === 1 ? levels[0].p50Ms : null),
      ratio(singleOverRaw),
      ms(half.p50Ms),
      ms(half.p95Ms),
      ratio(half.p95OverP50),
      String(levels.reduce((sum, level) => sum + level.errors, half.errors)),
    ]),
  );
  const [first] = Object.values(Object.values(report.servers)[0] ?? {});
  const clients = (first?.levels ?? []).map((level) => `${level.clients} cl.`);
  const ratios = ["of ceiling", "of rate", "of CPU"];
  const latency = ["p50 1 cl.", "over raw", "half p50", "half p95", "p95/p50", "errors"];
  const others = Object.entries(report.overBestOther).map(([mix, value]) => `${mix} ${ratio(value)}`);
  return [
    `${report.machine}, ${report.threads} threads, ${report.model}, ${report.secondsPerLevel} s a level`,
    "",
    raw,
    "",
    "Texts per second by number of clients; shares of ONNX Runtime alone at saturation; latencies in ms.",
    formatTable(["server", "texts", ...clients, ...ratios, ...latency], rows),
    "",
    "of ceiling: texts per CPU second that was there to be used (all cores, less the load generator's and other programs' time).",
    "of rate: texts per second, nothing deducted. of CPU: texts per CPU second the server used itself.",
    `thormesh beside the best other server at saturation: ${others.join(", ")}`,
    ...(report.cachedPerServerCpuS === null
      ? []
      : [`answers from the cache: ${Math.round(report.cachedPerServerCpuS)} requests per CPU second of the server`]),
    "Every stretch is compared with ONNX Runtime alone just before and after it; the first table is where its best batch was found.",
    ...(report.noisyStretches > 0
      ? [`CAUTION: in ${report.noisyStretches} stretches other programs took more than 5 % of the cores.`]
      : []),
  ].join("\n");
}
