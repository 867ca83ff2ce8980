import type { Registry } from "prom-client";
import type { StatedCapacity } from "#agent/capacity/capacity-estimates.ts";
import { type MeasuredCapacity, scaleByMeasured } from "#agent/capacity/scale-by-measured.ts";
import type { ComputeGate, HealthCheck } from "#agent/serving/ports.ts";
import type { SloConfig } from "#agent/slo-config.ts";
import type { Clock } from "#platform/clock.ts";
import type { Logger } from "#platform/log.ts";
import type { MinutePower, MinuteTraffic, PowerModeProfile } from "#protocol/messages.ts";
import { type BoardFigures, createBoardFigures, type Memory } from "./calibration/board-figures.ts";
import { createDevice } from "./device/create-device.ts";
import type { Device, PowerSample } from "./device/device.ts";
import { energyByModel } from "./energy/attribute-energy.ts";
import { createEnergyAccount } from "./energy/energy-account.ts";
import { createEnergyMeter, type EnergyMeter } from "./energy/energy-meter.ts";
import { createIdleDraw } from "./energy/idle-draw.ts";
import { MinuteLessons } from "./minute-lessons.ts";
import { createForecastHeadroom } from "./mode/forecast-headroom.ts";
import { createModeWatch, type ModeWatch } from "./mode/mode-watch.ts";
import { createServiceTime } from "./mode/service-time.ts";
import { createSloBudget, type SloBudget } from "./mode/slo-budget.ts";
import type { PowerConfig } from "./power-config.ts";
import { createPowerFaults, type PowerFaults } from "./power-faults.ts";
import { type CurrentMode, type PowerCircumstances, PowerGovernor } from "./power-governor.ts";
import { registerPowerMetrics } from "./power-metrics.ts";

export type PowerStatus = ReturnType<Power["status"]>;

export interface PowerParts {
  readonly config: PowerConfig;
  readonly slo: SloConfig;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Registry;
  /** Directory of the board's profile, written by `thormesh calibrate`. */
  readonly stateDir: string;
  /** Id of the model whose profile applies. */
  readonly model: () => string;
  /** Keeps the corrections of the profile that were learnt in service. */
  readonly memory: Memory;
  /** Capacities of the model's modes that were measured in service. Default: none. */
  readonly measured?: () => readonly MeasuredCapacity[];
  readonly openDevice?: typeof createDevice;
}

const startWaitMs = 2_000;
/** Readings further apart than this have a gap between them. */
const maxGapMs = 10_000;
/** A reading is fresh for three gaps: a restart of the tool does not lose it. */
const staleGaps = 3;
const maxReasonLength = 512;

/** Measures and sets the board's power for the agent. */
export class Power {
  readonly #parts: PowerParts;
  readonly #gapMs: number;
  readonly #faults: PowerFaults;
  readonly #figures: BoardFigures;
  readonly #account = createEnergyAccount();
  readonly #headroom = createForecastHeadroom();
  readonly #service = createServiceTime();
  readonly #idleDraw = createIdleDraw();
  readonly #budget: SloBudget;
  readonly #watch: ModeWatch;
  readonly #meter: EnergyMeter;
  readonly #lessons: MinuteLessons;
  #started: { readonly device: Device; readonly governor: PowerGovernor } | undefined;
  #leftAlone: string | null = null;

  constructor(parts: PowerParts) {
    const { config, clock, log } = parts;
    this.#parts = parts;
    // Sensors are read once a second of the clock, or once in 100 real ms when the clock runs faster than that.
    this.#gapMs = Math.max(maxGapMs, 1000 * clock.speed);
    this.#faults = createPowerFaults(log, clock.nowMs);
    this.#figures = createBoardFigures(parts);
    this.#budget = createSloBudget(config.policy.upperQuantile, config.policy.sloBudget);
    this.#watch = createModeWatch(config.policy.targetUtilization);
    this.#meter = createEnergyMeter(this.#gapMs, () => this.#idleWatts());
    this.#lessons = new MinuteLessons({
      figures: this.#figures,
      idleDraw: this.#idleDraw,
      headroom: this.#headroom,
      budget: this.#budget,
      watch: this.#watch,
    });
  }

  async start(): Promise<void> {
    const { config, slo, clock, log, metrics, measured = () => [], openDevice = createDevice } = this.#parts;
    const device = await openDevice(config, clock, log, this.#faults);
    const governor = new PowerGovernor({
      control: device.control,
      policy: config.policy,
      slo,
      log,
      faults: this.#faults,
      applyFigures: (modes) => scaleByMeasured(this.#figures.apply(modes), measured()),
    });
    this.#started = { device, governor };
    registerPowerMetrics(metrics, {
      meter: this.#meter,
      account: this.#account,
      freshReading: () => this.#freshReading(),
      modeName: () => governor.currentMode?.name ?? null,
      switches: () => governor.switches,
      failedStepDowns: () => governor.failedStepDowns.count,
      setFailed: () => governor.lastFailure !== null,
      cappedBy: () => governor.lastDecision?.cap?.by ?? null,
      faults: this.#faults.list,
    });
    await this.#figures.refresh();
    await device.meter.start(this.#meter.add);
    // A tool that hangs must not keep the agent from serving: a late answer is taken in when it comes.
    await Promise.race([governor.start(), Bun.sleep(startWaitMs)]);
  }

  async stop(): Promise<void> {
    await this.#started?.device.meter.stop();
  }

  readonly gate: ComputeGate = {
    enter: (texts, signal) => this.#running.device.gate.enter(texts, signal),
    holds: () => this.#running.device.gate.holds?.() ?? true,
    msFor: (texts) => this.#running.device.gate.msFor?.(texts) ?? 0,
  };

  /**
   * Returns the power part of the minute's record, measured since the last call; null where nothing can be measured.
   * @param minutes served in that time
   */
  closeMinute(minutes: readonly MinuteTraffic[]): MinutePower | null {
    const mode = this.#running.governor.currentMode;
    const measured = this.#meter.take();
    const models = energyByModel(this.#account.enter(measured, minutes));
    this.#lessons.teach(measured, minutes, mode?.id ?? null);
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
  }

  /** Decides the power mode and sets it, unless a calibration uses the board. */
  async evaluate(
    circumstances: Omit<PowerCircumstances, "temperatureC" | "forecastUpperQps" | "servingForMs">,
  ): Promise<void> {
    const { governor } = this.#running;
    await this.#figures.refresh();
    this.#leftAlone = await this.#figures.busyReason();
    if (this.#leftAlone !== null) return this.#lessons.disturb();
    const before = governor.currentMode?.id;
    const { forecast, role, desiredMode, desiredModeCap, nowMs } = circumstances;
    this.#service.observe(role, nowMs);
    if (forecast !== null && this.#service.teaches(nowMs)) this.#headroom.note(forecast);
    await governor.evaluate({
      ...circumstances,
      servingForMs: this.#service.servingForMs(nowMs),
      forecastUpperQps: forecast === null ? null : this.#headroom.upperQps(forecast, this.#budget.quantile()),
      temperatureC: this.#freshReading()?.junctionTemperatureC ?? null,
    });
    if (governor.currentMode?.id !== before) this.#lessons.disturb();
    const noCap = desiredModeCap === null && governor.lastDecision?.thermalCap === 0;
    this.#watch.note({
      capacityQps: this.#currentProfile()?.capacityQps ?? null,
      chosen: role === "active" && desiredMode === null && noCap,
    });
  }

  /** Returns the board's reading of its GPU's load, 0 to 1; null: none. */
  gpuLoad(): number | null {
    return this.#freshReading()?.gpuUtilization ?? null;
  }

  get currentMode(): CurrentMode | null {
    return this.#running.governor.currentMode;
  }

  /** Returns the capacity of a mode with a model as it is known without service; null: unknown. */
  statedCapacity(model: string, modeName: string | null): StatedCapacity | null {
    const { kind, model: calibratedModel, calibratedAtMs } = this.#figures.origin();
    const mode = this.#figures.apply(this.#running.governor.boardModes).find(({ name }) => name === modeName);
    if (mode === undefined || mode.capacityQps === null || mode.capacityQps <= 0) return null;
    if (kind === "board") return { qps: mode.capacityQps, source: "profile", calibratedAtMs: null };
    return calibratedModel === model ? { qps: mode.capacityQps, source: "calibrated", calibratedAtMs } : null;
  }

  health(): HealthCheck {
    const { device, governor } = this.#running;
    const faults = this.#faults.list();
    if (faults.length > 0)
      return { status: "degraded", detail: faults.map(({ fault, reason }) => `${fault}: ${reason}`).join("; ") };
    if (device.kind === "none")
      return { status: "unused", detail: "not a Jetson: power is neither measured nor controlled" };
    const mode = governor.currentMode?.name ?? "an unknown mode";
    const reboots = governor.modesBehindReboot;
    const more = reboots.length === 0 ? "" : `; only after a reboot, which the agent never does: ${reboots.join(", ")}`;
    return { status: "healthy", detail: `${this.#leftAlone ?? `${device.name} in ${mode}`}${more}` };
  }

  /** Returns how the mode differs from the desired one, with the reason; null when it doesn't. */
  differs(): { readonly desired: string; readonly reported: string; readonly reason: string } | null {
    const { governor } = this.#running;
    const reported = governor.currentMode?.name ?? "unknown";
    const { lastDecision: decision, lastFailure: failure } = governor;
    if (decision?.refused)
      return { desired: decision.refused.mode, reported, reason: decision.refused.reason.slice(0, maxReasonLength) };
    if (decision?.passedOver !== undefined)
      return {
        desired: decision.passedOver.mode,
        reported,
        reason: decision.passedOver.reason.slice(0, maxReasonLength),
      };
    if (failure === null || decision?.kind !== "switch") return null;
    const wanted = governor.profile().find((mode) => mode.id === decision.modeId);
    const desired = wanted?.name ?? String(decision.modeId);
    return { desired, reported, reason: failure.reason.slice(0, maxReasonLength) };
  }

  /** Puts another name in the place of a tenant's. Returns the number of sums. */
  renameTenant(from: string, to: string): number {
    return this.#account.renameTenant(from, to);
  }

  status() {
    const { device, governor } = this.#running;
    return {
      board: device.kind,
      name: device.name,
      release: device.release,
      mode: governor.currentMode?.name ?? null,
      modes: governor.profile(),
      figures: this.#figures.origin(),
      lastDecision: governor.lastDecision,
      lastFailure: governor.lastFailure,
      faults: this.#faults.list(),
      /** Reason to leave the board alone at the moment; null without one. */
      leftAlone: this.#leftAlone,
      switches: governor.switches,
      failedStepDowns: governor.failedStepDowns,
      sample: this.#freshReading(),
      /** Share of coming peaks that a mode must carry at present, moved by the budget of missed minutes. */
      upperQuantile: this.#budget.quantile(),
      energy: {
        ...this.#meter.totals(),
        gapMs: this.#meter.gapMs(),
        recent: this.#account.recent(),
        /** Active energy of closed minutes by model and tenant. */
        attributed: this.#account.attributed(),
        unattributedJ: this.#account.unattributedJ(),
      },
    };
  }

  get #running() {
    if (this.#started === undefined) throw new Error("power was used before it was started. This is a bug.");
    return this.#started;
  }

  #currentProfile(): PowerModeProfile | undefined {
    const governor = this.#started?.governor;
    const mode = governor?.currentMode;
    return governor?.profile().find(({ id }) => id === mode?.id);
  }

  #idleWatts(): number | null {
    const mode = this.#started?.governor.currentMode ?? null;
    return mode === null ? null : (this.#currentProfile()?.idleWatts ?? this.#idleDraw.watts(mode.id));
  }

  /** Returns the last reading; null when it is too old to describe the present. */
  #freshReading(): PowerSample | null {
    const reading = this.#meter.latest();
    return reading === null || this.#parts.clock.nowMs() - reading.atMs > staleGaps * this.#gapMs ? null : reading;
  }
}
