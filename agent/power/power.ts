import type { Registry } from "prom-client";
import type { ComputeGate, HealthCheck } from "#agent/serving/ports.ts";
import type { Clock } from "#platform/clock.ts";
import type { Logger } from "#platform/log.ts";
import { latencyQuantileMs } from "#protocol/latency-histogram.ts";
import type { Birth, MinutePower, MinuteTraffic, PowerModeProfile } from "#protocol/messages.ts";
import { createBoardFigures, type FiguresOrigin, type Memory } from "./calibration/board-figures.ts";
import { createDevice } from "./device/create-device.ts";
import type { Device, PowerSample } from "./device/device.ts";
import { type AttributedEnergy, energyByModel } from "./energy/attribute-energy.ts";
import { createEnergyAccount, type EnergyPerRequest } from "./energy/energy-account.ts";
import { createEnergyMeter, type EnergyByKind, type MeasuredEnergy } from "./energy/energy-meter.ts";
import { createIdleDraw } from "./energy/idle-draw.ts";
import type { PowerModeDecision } from "./mode/decide-power-mode.ts";
import { createForecastHeadroom } from "./mode/forecast-headroom.ts";
import { createModeWatch } from "./mode/mode-watch.ts";
import { createServiceTime } from "./mode/service-time.ts";
import { createSloBudget } from "./mode/slo-budget.ts";
import type { PowerConfig } from "./power-config.ts";
import { createPowerFaults, type PowerFault } from "./power-faults.ts";
import {
  createPowerGovernor,
  type PowerCircumstances,
  type PowerFailure,
  type PowerGovernor,
} from "./power-governor.ts";
import { registerPowerMetrics } from "./power-metrics.ts";

export interface PowerStatus {
  readonly board: Device["kind"];
  readonly name: string;
  readonly release: string | null;
  readonly mode: string | null;
  readonly modes: readonly PowerModeProfile[];
  readonly figures: FiguresOrigin;
  readonly lastDecision: PowerModeDecision | null;
  readonly lastFailure: PowerFailure | null;
  readonly faults: readonly PowerFault[];
  /** Why the board is left alone at the moment; null when it isn't. */
  readonly leftAlone: string | null;
  readonly switches: number;
  readonly sample: PowerSample | null;
  /** The share of coming peaks that a mode must carry at present, as the budget of missed minutes has it. */
  readonly upperQuantile: number;
  readonly energy: EnergyByKind & {
    readonly gapMs: number;
    readonly recent: EnergyPerRequest;
    /** Of the active energy of closed minutes: whose it is, and what is nobody's. */
    readonly attributed: readonly AttributedEnergy[];
    readonly unattributedJ: number;
  };
}

/** Everything about the board's power that the agent uses. */
export interface Power {
  start(): Promise<void>;
  stop(): Promise<void>;
  readonly kind: Device["kind"];
  readonly name: string;
  readonly release: string | null;
  readonly gate: ComputeGate;
  /**
   * The power part of the minute's record: what was measured since the last call; null where nothing can be.
   * @param minutes what was served in that time.
   */
  closeMinute(minutes: readonly MinuteTraffic[]): MinutePower | null;
  evaluate(
    circumstances: Omit<PowerCircumstances, "temperatureC" | "forecastUpperQps" | "servingForMs">,
  ): Promise<void>;
  currentMode(): { readonly id: number; readonly name: string } | null;
  profile(): readonly PowerModeProfile[];
  /** Where the profile comes from, as the fleet is told. */
  figures(): NonNullable<Birth["board"]["figures"]>;
  faults(): readonly PowerFault[];
  health(): HealthCheck;
  /** How the mode differs from what the controller asks for, and why; null when it doesn't. */
  differs(): { readonly desired: string; readonly reported: string; readonly reason: string } | null;
  status(): PowerStatus;
}

const startWaitMs = 2_000;
/** Readings further apart than this have a gap between them. */
const longestGapMs = 10_000;
/** A reading counts as the present one for this many gaps: a tool that was started again has not lost it. */
const staleGaps = 3;
/** A minute's mean watts are those of the minute when so much of it was measured. */
const fullyMeasuredShare = 0.95;

const textsOf = ({ models }: MinuteTraffic) => models.reduce((sum, { texts }) => sum + texts, 0);

export function createPower(deps: {
  readonly config: PowerConfig;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Registry;
  /** Where `thormesh calibrate` leaves the board's profile. */
  readonly stateDir: string;
  /** The id of the model whose profile counts. */
  readonly model: () => string;
  /** Keeps what was learnt of the profile in service. */
  readonly memory: Memory;
}): Power {
  const { config, clock, log } = deps;
  // Sensors are read once a second of the clock, or once in 100 real ms when the clock runs faster than that.
  const gapMs = Math.max(longestGapMs, 1000 * clock.speed);
  const faults = createPowerFaults(log, clock.nowMs);
  const figures = createBoardFigures(deps);
  const account = createEnergyAccount();
  const headroom = createForecastHeadroom();
  const budget = createSloBudget(config.policy.upperQuantile, config.policy.sloBudget);
  const watch = createModeWatch(config.policy.targetUtilization);
  let started: { device: Device; governor: PowerGovernor } | undefined;
  const parts = () => {
    if (started === undefined) throw new Error("power is used before it is started. This is a bug.");
    return started;
  };
  const currentProfile = () => {
    const mode = started?.governor.currentMode();
    return mode === null || mode === undefined
      ? undefined
      : started?.governor.profile().find(({ id }) => id === mode.id);
  };
  const idleDraw = createIdleDraw();
  const idleWatts = () => {
    const mode = started?.governor.currentMode() ?? null;
    return mode === null ? null : (currentProfile()?.idleWatts ?? idleDraw.watts(mode.id));
  };
  const meter = createEnergyMeter(gapMs, idleWatts);
  /** The last reading, unless it is too old to say anything of now. */
  const freshReading = () => {
    const reading = meter.latest();
    return reading === null || clock.nowMs() - reading.atMs > staleGaps * gapMs ? null : reading;
  };
  let leftAlone: string | null = null;
  const service = createServiceTime();
  /** The mode of the minute under way; null once it has changed in it. */
  let steadyModeId: number | null = null;

  /** Of several models the slowest counts: the target is for every request. */
  const slowestP95Ms = ({ models }: MinuteTraffic) =>
    models.length === 0
      ? null
      : Math.max(...models.map(({ latencyCounts }) => latencyQuantileMs(latencyCounts, 0.95) ?? 0));

  /** A whole minute of service speaks of whether its modes carried it. */
  const spendBudget = (minutes: readonly MinuteTraffic[]) => {
    const [minute] = minutes;
    if (minute === undefined || minutes.length > 1 || minute.observedMs < 60_000) return;
    const missed = watch.close({
      qps: textsOf(minute) / 60,
      p95Ms: slowestP95Ms(minute),
      targetP95Ms: figures.origin().targetP95Ms,
    });
    if (missed !== null) budget.observe(missed);
  };

  /** A minute in one mode from end to end speaks of that mode's figures. */
  const learn = (measured: MeasuredEnergy, minutes: readonly MinuteTraffic[]) => {
    const [minute] = minutes;
    const modeId = parts().governor.currentMode()?.id ?? null;
    const steady = modeId !== null && steadyModeId === modeId;
    steadyModeId = modeId;
    if (!steady || modeId === null || minute === undefined || minutes.length > 1 || minute.observedMs < 60_000) return;
    const requests = minute.models.reduce((sum, { requests: own }) => sum + own, 0);
    const meanWatts =
      measured.measuredMs >= fullyMeasuredShare * minute.observedMs
        ? measured.energyJ / (measured.measuredMs / 1000)
        : null;
    const qps = textsOf(minute) / (minute.observedMs / 1000);
    figures.observe(modeId, { qps, requests, p95Ms: slowestP95Ms(minute), meanWatts });
    const computeMs = minute.models.reduce((sum, model) => sum + model.computeMs, 0);
    idleDraw.observe({ modeId, computeMs, meanWatts });
  };

  return {
    async start() {
      const device = await createDevice(config, clock, log, faults);
      const governor = createPowerGovernor(device.control, config.policy, log, faults, figures.apply);
      started = { device, governor };
      registerPowerMetrics(deps.metrics, {
        meter,
        account,
        freshReading,
        modeName: () => governor.currentMode()?.name ?? null,
        switches: () => governor.switches,
        setFailed: () => governor.lastFailure !== null,
        faults: faults.list,
      });
      await figures.refresh();
      await device.meter.start(meter.add);
      // A tool that hangs must not keep the agent from serving; what it says later is taken in then.
      await Promise.race([governor.start(), Bun.sleep(startWaitMs)]);
    },
    async stop() {
      await started?.device.meter.stop();
    },
    get kind() {
      return parts().device.kind;
    },
    get name() {
      return parts().device.name;
    },
    get release() {
      return parts().device.release;
    },
    gate: {
      enter: (texts, signal) => parts().device.gate.enter(texts, signal),
      holds: () => parts().device.gate.holds?.() ?? true,
    },
    closeMinute(minutes) {
      const measured = meter.take();
      const models = energyByModel(account.enter(measured, minutes));
      learn(measured, minutes);
      spendBudget(minutes);
      for (const minute of minutes) {
        if (minute.observedMs < 60_000) continue;
        headroom.observe(minute.minuteStartMs, textsOf(minute) / 60);
      }
      const mode = parts().governor.currentMode();
      const { energyJ, measuredMs, idleJ, activeJ, unsplitJ, maxTemperatureC, gpuUtilization } = measured;
      if (mode === null && measuredMs === 0) return null;
      return {
        modeId: mode?.id ?? 0,
        modeName: mode?.name ?? "unknown",
        energyJ,
        measuredMs,
        ...(unsplitJ > 0 || measuredMs === 0 ? {} : { idleJ, activeJ, models }),
        maxTemperatureC,
        gpuUtilization,
      };
    },
    async evaluate(circumstances) {
      const { governor } = parts();
      await figures.refresh();
      leftAlone = await figures.busyReason();
      if (leftAlone !== null) {
        steadyModeId = null;
        return;
      }
      const before = governor.currentMode()?.id;
      const { forecast, role, nowMs } = circumstances;
      service.observe(role, nowMs);
      if (forecast !== null && service.teaches(nowMs)) headroom.note(forecast);
      await governor.evaluate({
        ...circumstances,
        servingForMs: service.servingForMs(nowMs),
        forecastUpperQps: forecast === null ? null : headroom.upperQps(forecast, budget.quantile()),
        temperatureC: freshReading()?.junctionTemperatureC ?? null,
      });
      if (governor.currentMode()?.id !== before) steadyModeId = null;
      watch.note({
        capacityQps: currentProfile()?.capacityQps ?? null,
        chosen:
          role === "active" &&
          circumstances.desiredMode === null &&
          circumstances.desiredModeCap === null &&
          governor.lastDecision?.thermalCap === 0,
      });
    },
    currentMode: () => parts().governor.currentMode(),
    profile: () => parts().governor.profile(),
    figures() {
      const { corrections, ...origin } = figures.origin();
      return origin;
    },
    faults: faults.list,
    health() {
      const { device, governor } = parts();
      const wrong = faults.list();
      if (wrong.length > 0)
        return { status: "degraded", detail: wrong.map(({ fault, reason }) => `${fault}: ${reason}`).join("; ") };
      if (device.kind === "none")
        return { status: "unused", detail: "no Jetson here: power is neither measured nor set" };
      const mode = governor.currentMode()?.name ?? "an unknown mode";
      return { status: "healthy", detail: leftAlone ?? `${device.name} in ${mode}` };
    },
    differs() {
      const { governor } = parts();
      const reported = governor.currentMode()?.name ?? "unknown";
      const decision = governor.lastDecision;
      const failure = governor.lastFailure;
      if (decision?.refused)
        return { desired: decision.refused.mode, reported, reason: decision.refused.reason.slice(0, 512) };
      if (failure === null || decision?.kind !== "switch") return null;
      const wanted = governor.profile().find((mode) => mode.id === decision.modeId);
      return { desired: wanted?.name ?? String(decision.modeId), reported, reason: failure.reason.slice(0, 512) };
    },
    status() {
      const { device, governor } = parts();
      return {
        board: device.kind,
        name: device.name,
        release: device.release,
        mode: governor.currentMode()?.name ?? null,
        modes: governor.profile(),
        figures: figures.origin(),
        lastDecision: governor.lastDecision,
        lastFailure: governor.lastFailure,
        faults: faults.list(),
        leftAlone,
        switches: governor.switches,
        sample: freshReading(),
        upperQuantile: budget.quantile(),
        energy: {
          ...meter.totals(),
          gapMs: meter.gapMs(),
          recent: account.recent(),
          attributed: account.attributed(),
          unattributedJ: account.unattributedJ(),
        },
      };
    },
  };
}
