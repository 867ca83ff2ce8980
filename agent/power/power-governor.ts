import type { SloConfig } from "#agent/slo-config.ts";
import { pathMaxQps } from "#forecast/median-peak.ts";
import { doublingDelayMs } from "#platform/doubling-delay.ts";
import type { Logger } from "#platform/log.ts";
import { dayMs, hourMs, minuteMs } from "#platform/time.ts";
import type { AgentRole, ForecastReport, PowerModeProfile } from "#protocol/messages.ts";
import type { PowerControl } from "./device/device.ts";
import { decidePowerMode } from "./mode/decide-power-mode.ts";
import { type ExplainedPowerMode, withReason } from "./mode/explain-power-mode.ts";
import { type FeltLoad, missedSlo } from "./mode/felt-load.ts";
import { StepDowns } from "./mode/step-downs.ts";
import type { PowerPolicy } from "./power-config.ts";
import type { PowerFaults } from "./power-faults.ts";

export interface PowerCircumstances {
  readonly forecast: ForecastReport | null;
  /** Upper bound of the peak; null without a forecast. */
  readonly forecastUpperQps: number | null;
  readonly liveQps: number | null;
  readonly role: AgentRole;
  /** See {@link decidePowerMode}. */
  readonly servingForMs: number | null;
  readonly desiredMode: string | null;
  readonly desiredModeCap: string | null;
  readonly desiredModeUntilMs: number | null;
  readonly desiredModeCapUntilMs: number | null;
  readonly temperatureC: number | null;
  /** Null: unknown. */
  readonly felt: FeltFigures | null;
  readonly nowMs: number;
}

/** Requests of the last seconds: see {@link FeltLoad}. */
export type FeltFigures = Pick<FeltLoad, "requests" | "refused" | "p95Ms">;

export interface PowerFailure {
  readonly atMs: number;
  readonly modeId: number;
  readonly reason: string;
}

/** Failed attempts at a mode since it last worked. */
interface ModeFailure extends PowerFailure {
  readonly inARow: number;
  /** False where the board does not say which mode it is in: it may be in this one. */
  readonly isRefused: boolean;
}

export interface CurrentMode {
  readonly id: number;
  readonly name: string;
}

export interface PowerGovernorParts {
  readonly control: PowerControl;
  readonly policy: PowerPolicy;
  readonly slo: SloConfig;
  readonly log: Logger;
  readonly faults: PowerFaults;
  /** Puts measured figures of the modes in place of those that the board states. */
  readonly applyFigures: (modes: readonly PowerModeProfile[]) => readonly PowerModeProfile[];
}

const firstRetryMs = 30_000;
const maxRetryMs = hourMs;
/** Period of asking the board for its mode while nothing is to be changed. */
const observeEveryMs = minuteMs;

const retryAtMs = ({ atMs, inARow }: ModeFailure) => atMs + doublingDelayMs(inARow, firstRetryMs, maxRetryMs);

/** Keeps the board in the mode that is decided for it. */
export class PowerGovernor {
  readonly #parts: PowerGovernorParts;
  #modes: readonly PowerModeProfile[] = [];
  #current: CurrentMode | null = null;
  #lastSwitchMs: number | null = null;
  #thermalCap = 0;
  #thermalCapChangedMs: number | null = null;
  #lastDecision: ExplainedPowerMode | null = null;
  #lastFailure: PowerFailure | null = null;
  readonly #failures = new Map<number, ModeFailure>();
  readonly #needReboot = new Map<number, string>();
  #switches = 0;
  #switchTimesMs: readonly number[] = [];
  #observedAtMs = Number.NEGATIVE_INFINITY;
  readonly #stepDowns = new StepDowns();
  #running: Promise<void> = Promise.resolve();

  constructor(parts: PowerGovernorParts) {
    this.#parts = parts;
  }

  start(): Promise<void> {
    this.#running = (async () => {
      this.#modes = await this.#parts.control.modes();
      this.#current = await this.#parts.control.currentMode();
    })();
    return this.#running;
  }

  /** Decides and acts, one call at a time; never rejects for a fault of the board. */
  evaluate(circumstances: PowerCircumstances): Promise<void> {
    // Two settings at once would verify each other's mode.
    this.#running = this.#running.then(() => this.#evaluate(circumstances));
    return this.#running;
  }

  get currentMode(): CurrentMode | null {
    return this.#current;
  }

  /** Modes as the board states them. */
  get boardModes(): readonly PowerModeProfile[] {
    return this.#modes;
  }

  profile(): readonly PowerModeProfile[] {
    return this.#parts.applyFigures(this.#modes);
  }

  get lastDecision(): ExplainedPowerMode | null {
    return this.#lastDecision;
  }

  /** Last attempt to set a mode, if it failed; null once one has worked. */
  get lastFailure(): PowerFailure | null {
    return this.#lastFailure;
  }

  /** Names of the modes that asked for a reboot, which is never confirmed. */
  get modesBehindReboot(): readonly string[] {
    return [...this.#needReboot.values()];
  }

  get switches(): number {
    return this.#switches;
  }

  /** Steps down that cost the SLO and were reversed, and the time until which no other is made. */
  get failedStepDowns(): { readonly count: number; readonly heldOffUntilMs: number | null } {
    return { count: this.#stepDowns.failed, heldOffUntilMs: this.#stepDowns.memory().heldOffUntilMs };
  }

  async #evaluate(circumstances: PowerCircumstances): Promise<void> {
    const { forecast, nowMs, felt, ...given } = circumstances;
    const { slo } = this.#parts;
    if (this.#modes.length === 0) this.#modes = await this.#parts.control.modes();
    if (this.#current === null || nowMs - this.#observedAtMs >= observeEveryMs) await this.#observe(nowMs);
    this.#switchTimesMs = this.#switchTimesMs.filter((atMs) => nowMs - atMs < dayMs && atMs <= nowMs);
    const decision = withReason(
      decidePowerMode({
        ...given,
        policy: this.#parts.policy,
        modes: this.profile(),
        currentModeId: this.#current?.id ?? null,
        lastSwitchMs: this.#lastSwitchMs,
        switchesInLastDay: this.#switchTimesMs.length,
        forecastPathMaxQps: forecast === null ? null : pathMaxQps(forecast),
        thermalCap: this.#thermalCap,
        thermalCapChangedMs: this.#thermalCapChangedMs,
        unreachable: [...this.#failures.values()].filter((failure) => failure.isRefused && nowMs < retryAtMs(failure)),
        ...(felt !== null && { felt: { ...felt, slo, ...this.#stepDowns.memory() } }),
        nowMs,
      }),
    );
    if (decision.thermalCap !== this.#thermalCap) {
      this.#thermalCap = decision.thermalCap;
      this.#thermalCapChangedMs = nowMs;
    }
    this.#lastDecision = decision;
    const before = this.#current;
    const switched = decision.kind === "switch" && (await this.#setMode(decision, nowMs));
    if ((switched || decision.kind === "hold") && decision.passedOver === undefined) {
      this.#lastFailure = null;
      this.#parts.faults.clear("mode-set");
    }
    this.#learn(decision, felt, switched ? before : null, nowMs);
  }

  /**
   * Remembers what users felt, and what a switch had to do with it.
   * @param left mode that was left; null: no switch
   */
  #learn(decision: ExplainedPowerMode, felt: FeltFigures | null, left: CurrentMode | null, nowMs: number): void {
    if (felt !== null && missedSlo({ ...felt, slo: this.#parts.slo }) !== null) this.#stepDowns.noteMissed(nowMs);
    else this.#stepDowns.noteKept(nowMs);
    if (left === null) return;
    if (decision.rule === "step-down-failed") {
      const holdOffMs = this.#stepDowns.noteFailed(nowMs);
      this.#parts.log.warn(
        { left: left.name, to: this.#current?.name, holdOffMs, missed: decision.missed },
        "a step down cost the SLO and was taken back",
      );
      return;
    }
    // Only steps that save power are judged: "carries" is the one rule that makes them.
    const saves = decision.rule === "carries" && decision.cap === null && decision.passedOver === undefined;
    this.#stepDowns.noteSwitch(saves ? left.id : null, nowMs);
  }

  /** Asks the board for its modes and its mode: both may have been changed from outside. */
  async #observe(nowMs: number): Promise<void> {
    const { control, log } = this.#parts;
    this.#observedAtMs = nowMs;
    const listed = await control.modes();
    // A list that can't be read at the moment leaves the known one.
    if (listed.length > 0) this.#modes = listed;
    const observed = await control.currentMode();
    if (observed !== null && this.#current !== null && observed.id !== this.#current.id)
      log.warn({ from: this.#current.name, to: observed.name }, "the power mode was changed from outside");
    this.#current = observed ?? this.#current;
  }

  /** Returns true when the mode was set. */
  async #setMode(decision: ExplainedPowerMode & { kind: "switch" }, nowMs: number): Promise<boolean> {
    const { control, log, faults } = this.#parts;
    const { modeId, reason, passedOver, fromModeId } = decision;
    const before = this.#failures.get(modeId);
    if (before !== undefined && nowMs < retryAtMs(before)) return false;
    // The mode may have been changed at the board, or the list of modes by an update: then the next evaluation decides anew.
    const wanted = this.#modes.find((mode) => mode.id === modeId);
    this.#modes = await control.modes();
    if (this.#modes.find((mode) => mode.id === modeId)?.name !== wanted?.name) return false;
    this.#current = await control.currentMode();
    const isElsewhere = passedOver !== undefined && this.#current?.id !== fromModeId;
    if (this.#current?.id === modeId || isElsewhere) return false;
    const from = this.#current?.name ?? null;
    const result = await control.setMode(modeId);
    // A board that failed to answer may have done what it was told.
    if (result.kind !== "set") this.#current = await control.currentMode();
    if (result.kind === "set" || this.#current?.id === modeId) {
      this.#current = { id: modeId, name: wanted?.name ?? String(modeId) };
      this.#observedAtMs = nowMs;
      this.#lastSwitchMs = nowMs;
      this.#failures.delete(modeId);
      this.#switches += 1;
      this.#switchTimesMs = [...this.#switchTimesMs, nowMs];
      log.info({ from, to: this.#current.name, reason }, "power mode set");
      return true;
    }
    if (result.kind === "reboot-required") {
      this.#needReboot.set(modeId, wanted?.name ?? String(modeId));
      this.#modes = await control.modes();
    }
    faults.raise("mode-set", result.reason, "the power mode can't be set; serving goes on");
    this.#lastFailure = { atMs: nowMs, modeId, reason: result.reason };
    const inARow = (before?.inARow ?? 0) + 1;
    this.#failures.set(modeId, { ...this.#lastFailure, inARow, isRefused: this.#current !== null });
    return false;
  }
}
