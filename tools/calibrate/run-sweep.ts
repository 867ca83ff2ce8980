import { Registry } from "prom-client";
import type { AgentConfig } from "#agent/config.ts";
import type { MeasuredMode } from "#agent/power/calibration/board-profile.ts";
import {
  type PowerReading,
  type SweepEvent,
  type SweepTimes,
  sweepModes,
} from "#agent/power/calibration/sweep-modes.ts";
import type { Device, PowerSample } from "#agent/power/device/device.ts";
import { pulledModelsDirectory } from "#agent/serving/models/pulled-models-directory.ts";
import { Serving } from "#agent/serving/serving.ts";
import { systemClock } from "#platform/clock.ts";
import { describeError } from "#platform/errors.ts";
import { createLogger } from "#platform/log.ts";
import { version } from "#platform/version.ts";
import type { PowerModeProfile } from "#protocol/messages.ts";
import { startBoardGuard } from "./board-guard.ts";
import { loadByProcess } from "./load-by-process.ts";

interface SweepRequest {
  readonly device: Device;
  readonly config: AgentConfig;
  readonly modes: readonly PowerModeProfile[];
  readonly returnToModeId: number | null;
  readonly texts: string;
  readonly times: SweepTimes;
  readonly targetP95Ms: number;
  readonly signal: AbortSignal;
  readonly before: { readonly measured: readonly MeasuredMode[]; readonly order: readonly PowerModeProfile[] };
  readonly keep: (measured: MeasuredMode) => Promise<void>;
  readonly onEvent: (event: SweepEvent) => void;
}

export interface SweepOutcome {
  /** Id of the measured model, even if the configuration uses another name. */
  readonly model: string;
  /** Reason why the sweep ended early; null if it completed. */
  readonly failure: string | null;
  /** Reason why the old mode was not restored; null if it was. */
  readonly notReturned: string | null;
}

const clients = 8;
const returnAttempts = 3;
/** Interval between readings beyond which there is a gap. */
const maxIntervalMs = 10_000;

/** Mean power, weighted by the time between readings, and maximum temperature. */
function summariseReadings(samples: readonly PowerSample[]): PowerReading {
  let joules = 0;
  let seconds = 0;
  for (let index = 1; index < samples.length; index += 1) {
    const { atMs, inputPowerMw } = samples[index] as PowerSample;
    const elapsedMs = atMs - (samples[index - 1] as PowerSample).atMs;
    if (inputPowerMw === null || !(elapsedMs > 0) || elapsedMs > maxIntervalMs) continue;
    joules += (inputPowerMw / 1000) * (elapsedMs / 1000);
    seconds += elapsedMs / 1000;
  }
  const temperatures = samples.flatMap(({ junctionTemperatureC: celsius }) => (celsius === null ? [] : [celsius]));
  return {
    meanWatts: seconds > 0 ? joules / seconds : null,
    maxTemperatureC: temperatures.length === 0 ? null : Math.max(...temperatures),
  };
}

function serveForMeasuring({ config, device }: SweepRequest): Serving {
  return new Serving({
    // On loopback only, with one model over HTTP, and without a cache: the same texts come again.
    config: {
      ...config.serving,
      host: "127.0.0.1",
      port: 0,
      apiKeys: [],
      cacheBytes: 0,
      pinned: [],
      grpc: { ...config.serving.grpc, enabled: false },
      tracing: { ...config.serving.tracing, otlpUrl: null },
    },
    log: createLogger("calibrate", "error"),
    clock: systemClock,
    gate: device.gate,
    sink: { recordServed() {}, recordRefused() {}, recordWork() {} },
    role: { role: "active", servingPeers: () => [] },
    metrics: new Registry(),
    version,
    pulledModels: pulledModelsDirectory(config.stateDir),
  });
}

/** Measures the modes with the real model behind the real API, and always restores the board's mode. */
export async function runSweep(request: SweepRequest): Promise<SweepOutcome> {
  const { device, signal, modes, returnToModeId, config, times } = request;
  let samples: PowerSample[] = [];
  const serving = serveForMeasuring(request);
  const guard =
    device.kind === "jetson" && returnToModeId !== null ? startBoardGuard(config.power.jetson, returnToModeId) : null;
  let failure: string | null = null;
  let notReturned: string | null = null;
  let model = config.serving.model;
  try {
    await device.meter.start((sample) => void samples.push(sample));
    await serving.start();
    const loaded = serving.loadedModels()[0]?.id;
    if (loaded === undefined) throw new Error(`model ${model} does not load`);
    model = loaded;
    const target = { url: serving.url, model, texts: request.texts };
    await sweepModes(
      modes,
      {
        control: device.control,
        load: (rateQps, durationMs) => loadByProcess(target, { rateQps }, durationMs, signal),
        press: (durationMs) => loadByProcess(target, { clients }, durationMs, signal),
        async wait(durationMs) {
          await systemClock.sleep(durationMs, signal);
          signal.throwIfAborted();
        },
        async during(work) {
          samples = samples.slice(-1);
          const result = await work();
          return { result, power: summariseReadings(samples) };
        },
        nowMs: systemClock.nowMs,
      },
      { times, targetP95Ms: request.targetP95Ms, keep: request.keep, onEvent: request.onEvent, before: request.before },
    );
  } catch (error) {
    failure = signal.aborted ? "interrupted" : describeError(error);
  } finally {
    if (returnToModeId !== null) notReturned = await returnTo(device, returnToModeId);
    if (notReturned === null) await guard?.release();
    await serving.stop();
    await device.meter.stop();
  }
  return { model, failure, notReturned };
}

async function returnTo({ control }: Device, modeId: number): Promise<string | null> {
  let reason = "";
  for (let attempt = 0; attempt < returnAttempts; attempt += 1) {
    if ((await control.currentMode())?.id === modeId) return null;
    const result = await control.setMode(modeId);
    if (result.kind === "set") return null;
    reason = result.reason;
  }
  return reason;
}
