import { basename } from "node:path";
import { applyCalibration } from "#agent/power/calibration/board-profile.ts";
import { readProfile } from "#agent/power/calibration/profile-file.ts";
import { boardPresets } from "#agent/power/device/board-presets.ts";
import { isKnownMode, type KnownMode } from "#agent/power/energy/mode-energy.ts";
import { PowerPolicy } from "#agent/power/power-config.ts";
import { backtestPower, type PowerBacktest } from "#agent/power/replay/backtest-power.ts";
import { demandOfTrace } from "#agent/power/replay/demand-of-trace.ts";
import { createForecaster } from "#forecast/create-forecaster.ts";
import { parseTrace } from "#forecast/data/parse-trace.ts";
import { ForecastConfig } from "#forecast/forecast-config.ts";
import { createInProcessWorker } from "#forecast/lstm/worker/in-process-worker.ts";
import { UsageError } from "#platform/errors.ts";
import { parseConfig, readConfigFile } from "#platform/files/read-config.ts";
import { createLogger } from "#platform/log.ts";
import { formatTable } from "#platform/terminal/format-table.ts";

export interface PowerBacktestRequest {
  readonly paths: readonly string[];
  readonly preset: string;
  /** What `thormesh calibrate` wrote; undefined: the preset's figures. */
  readonly profilePath: string | undefined;
  /** The agent's configuration, for its policy; undefined: the defaults. */
  readonly configPath: string | undefined;
  readonly days: number;
  /** Whose busiest minute becomes the peak: the whole trace's, or that of the days that are replayed. */
  readonly peakOf: "trace" | "days";
  readonly json: boolean;
}

/** The busiest minute asks for this share of the top mode's capacity. */
const peakShare = 0.9;

async function modesOf({ preset, profilePath }: PowerBacktestRequest): Promise<readonly KnownMode[]> {
  const known = Object.entries(boardPresets).find(([name]) => name === preset)?.[1];
  if (known === undefined)
    throw new UsageError(`--board: expected one of ${Object.keys(boardPresets).join(", ")}, got "${preset}"`);
  if (profilePath === undefined) return known.modes;
  const read = await readProfile(profilePath);
  if (read.kind === "absent") throw new UsageError(`--profile ${profilePath} is not there`);
  if (read.kind === "unreadable") throw new UsageError(`--profile: ${read.reason}`);
  const [calibration] = read.content.calibrations;
  const bare = (calibration?.modes ?? []).map(({ id, name }) => ({
    id,
    name,
    capacityQps: null,
    busyWatts: null,
    idleWatts: null,
  }));
  const modes = applyCalibration(bare, calibration ?? null).filter(isKnownMode);
  if (modes.length === 0) throw new UsageError(`--profile ${profilePath}: no mode has all its figures`);
  return modes;
}

async function policyOf(path: string | undefined): Promise<PowerPolicy> {
  const config = path === undefined ? {} : ((await readConfigFile(path)) as { power?: { policy?: unknown } });
  return parseConfig(PowerPolicy, config.power?.policy ?? {}, `power.policy in ${path ?? "the defaults"}`);
}

/** One trace's table with what a reader needs to judge it. */
function renderPowerBacktest(name: string, result: PowerBacktest): string {
  const rows = result.rows.map((row) => [
    row.policy,
    row.energyKwh.toFixed(3),
    row.foresightRatio.toFixed(3),
    String(row.sloMinutes),
    `${(100 * row.sloShare).toFixed(3)} %`,
    row.switchesPerDay.toFixed(1),
    Object.entries(row.minutesByMode)
      .map(([mode, minutes]) => `${mode} ${((100 * minutes) / result.minutes).toFixed(0)} %`)
      .join(", "),
  ]);
  const { minutes, meanQps, peakQps, fullCapacityForesightRatio } = result;
  return [
    `${name}: ${(minutes / 1440).toFixed(1)} days, mean ${meanQps.toFixed(0)} qps, peak ${peakQps.toFixed(0)} qps`,
    formatTable(["policy", "kWh", "× foresight", "SLO min", "share", "switches/day", "time in mode"], rows),
    `foresight that fills modes to the brim would use ${fullCapacityForesightRatio.toFixed(3)} × that at the target utilisation`,
  ].join("\n");
}

/** Replays each trace through the power policy and prints what it would have used. */
export async function runPowerBacktest(request: PowerBacktestRequest): Promise<number> {
  const modes = await modesOf(request);
  const policy = await policyOf(request.configPath);
  const peakQps = peakShare * (modes[0] as KnownMode).capacityQps;
  const traces = await Promise.all(
    request.paths.map(async (path) => {
      const text = await Bun.file(path)
        .text()
        .catch((cause) => {
          throw new UsageError(`trace ${path} can't be read`, { cause });
        });
      return parseTrace(text, basename(path));
    }),
  );
  const worker = await createInProcessWorker();
  const reports: unknown[] = [];
  try {
    for (const trace of traces) {
      const whole = demandOfTrace(trace, 1);
      const newest = whole.qps.slice(-Math.round(request.days * 1440));
      const highest = request.peakOf === "trace" ? 1 : Math.max(0, ...newest.map((qps) => qps ?? 0));
      const demand = demandOfTrace(trace, highest > 0 ? peakQps / highest : peakQps);
      const log = createLogger("forecast", "error");
      const forecaster = createForecaster({ config: parseConfig(ForecastConfig, {}, "defaults"), log, worker });
      const result = await backtestPower(demand, modes, policy, forecaster, request.days, (share) => {
        if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${trace.name}: ${Math.round(100 * share)} %`);
      }).catch((error) => {
        if (!(error instanceof UsageError)) throw error;
        throw new UsageError(`${trace.name}: ${error.message}`);
      });
      if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
      if (request.json) reports.push({ trace: trace.name, ...result });
      else console.log(`${renderPowerBacktest(trace.name, result)}\n`);
    }
  } finally {
    await worker.stop();
  }
  if (request.json) console.log(JSON.stringify(reports, null, 2));
  return 0;
}
