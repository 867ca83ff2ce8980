import { applyCalibration } from "#agent/power/calibration/board-profile.ts";
import { readProfile } from "#agent/power/calibration/profile-file.ts";
import { allowedModes } from "#agent/power/device/allowed-modes.ts";
import { boardPresets } from "#agent/power/device/board-presets.ts";
import { isKnownMode, type KnownMode } from "#agent/power/energy/mode-energy.ts";
import { PowerPolicy } from "#agent/power/power-config.ts";
import { backtestPower, type PowerBacktest } from "#agent/power/replay/backtest-power.ts";
import { demandOfTrace } from "#agent/power/replay/demand-of-trace.ts";
import { createForecaster } from "#forecast/create-forecaster.ts";
import type { Trace } from "#forecast/data/parse-trace.ts";
import { ForecastConfig } from "#forecast/forecast-config.ts";
import { createInProcessWorker } from "#forecast/lstm/worker/in-process-worker.ts";
import { UsageError } from "#platform/errors.ts";
import { parseConfig, readConfigFile } from "#platform/files/read-config.ts";
import { createLogger } from "#platform/log.ts";
import { suggest } from "#platform/near-names.ts";
import { formatTable } from "#platform/terminal/format-table.ts";

interface PowerBacktestRequest {
  readonly traces: readonly Trace[];
  readonly preset: string;
  /** Profile written by `thormesh calibrate`; undefined: the preset's figures. */
  readonly profilePath: string | undefined;
  /** The agent's configuration, for its policy; undefined: the defaults. */
  readonly configPath: string | undefined;
  readonly days: number;
  /** Range whose busiest minute is scaled to the peak: the whole trace or the replayed days. */
  readonly peakOf: "trace" | "days";
}

interface TraceBacktest extends PowerBacktest {
  readonly trace: string;
}

/** Rate of the busiest minute as a share of the top mode's capacity. */
const peakShare = 0.9;

async function modesOf({ preset, profilePath }: PowerBacktestRequest): Promise<readonly KnownMode[]> {
  const known = Object.entries(boardPresets).find(([name]) => name === preset)?.[1];
  if (known === undefined)
    throw new UsageError(
      `--board: expected one of ${Object.keys(boardPresets).join(", ")}, got "${preset}"${suggest(preset, Object.keys(boardPresets))}`,
    );
  if (profilePath === undefined) return known.modes;
  const read = await readProfile(profilePath);
  if (read.kind === "absent") throw new UsageError(`--profile ${profilePath} does not exist`);
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

/** Shows the results of one trace as a table. */
export function traceBacktestToText({ trace, ...result }: TraceBacktest): string {
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
    `${trace}: ${(minutes / 1440).toFixed(1)} days, mean ${meanQps.toFixed(0)} qps, peak ${peakQps.toFixed(0)} qps`,
    formatTable(["policy", "kWh", "× foresight", "SLO min", "share", "switches/day", "time in mode"], rows),
    `foresight at 100 % utilisation would use ${fullCapacityForesightRatio.toFixed(3)} × the energy of foresight at the target utilisation`,
  ].join("\n");
}

/**
 * Replays each trace through the power policy, and yields the energy it would have used.
 * @param onProgress gets the replayed share of a trace, 0 to 1
 * @throws UsageError naming a file that can't be used.
 */
export async function* backtestTraces(
  request: PowerBacktestRequest,
  onProgress: (trace: string, share: number) => void,
): AsyncGenerator<TraceBacktest> {
  const policy = await policyOf(request.configPath);
  const modes = allowedModes(await modesOf(request), policy);
  if (modes.length === 0)
    throw new UsageError("power.policy.modes and power.policy.maxWatts leave none of the board's modes");
  const peakQps = peakShare * (modes[0] as KnownMode).capacityQps;
  const worker = await createInProcessWorker();
  try {
    for (const trace of request.traces) {
      const whole = demandOfTrace(trace, 1);
      const newest = whole.qps.slice(-Math.round(request.days * 1440));
      const highest = request.peakOf === "trace" ? 1 : Math.max(0, ...newest.map((qps) => qps ?? 0));
      const demand = demandOfTrace(trace, highest > 0 ? peakQps / highest : peakQps);
      const log = createLogger("forecast", "error");
      const forecaster = createForecaster({ config: parseConfig(ForecastConfig, {}, "defaults"), log, worker });
      const result = await backtestPower(demand, modes, policy, forecaster, request.days, (share) =>
        onProgress(trace.name, share),
      ).catch((error) => {
        if (!(error instanceof UsageError)) throw error;
        throw new UsageError(`${trace.name}: ${error.message}`);
      });
      yield { trace: trace.name, ...result };
    }
  } finally {
    await worker.stop();
  }
}
