import { doublingDelayMs } from "#platform/doubling-delay.ts";
import type { Logger } from "#platform/log.ts";
import type { AgentRole, ForecastReport, PowerModeProfile } from "#protocol/messages.ts";
import type { PowerControl } from "./device/device.ts";
import { decidePowerMode, type PowerModeDecision } from "./mode/decide-power-mode.ts";
import type { PowerPolicy } from "./power-config.ts";
import type { PowerFaults } from "./power-faults.ts";

export interface PowerCircumstances {
  readonly forecast: ForecastReport | null;
  /** What the rate will hardly exceed over the forecast's time; null without a forecast. */
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
  readonly nowMs: number;
}

/** What can be entered, with what is known of it. */
export type ApplyFigures = (modes: readonly PowerModeProfile[]) => readonly PowerModeProfile[];

export interface PowerFailure {
  readonly atMs: number;
  readonly modeId: number;
  readonly reason: string;
}

export interface PowerGovernor {
  /** Learns the modes and the mode the board is in. */
  start(): Promise<void>;
  /** Decides and acts; never rejects for what a board can do wrong. */
  evaluate(circumstances: PowerCircumstances): Promise<void>;
  currentMode(): { readonly id: number; readonly name: string } | null;
  profile(): readonly PowerModeProfile[];
  readonly lastDecision: PowerModeDecision | null;
  /** The last attempt to set a mode failed; null once one has worked. */
  readonly lastFailure: PowerFailure | null;
  readonly switches: number;
}

const firstRetryMs = 30_000;
const longestRetryMs = 3_600_000;
/** How often the board is asked which mode it is in while nothing is to be changed. */
const observeEveryMs = 60_000;
const dayMs = 24 * 3_600_000;

/**
 * Keeps the board in the mode that is decided for it.
 * @param applyFigures puts what was measured of the modes in the place of what the board says of them.
 */
export function createPowerGovernor(
  control: PowerControl,
  policy: PowerPolicy,
  log: Logger,
  faults: PowerFaults,
  applyFigures: ApplyFigures = (modes) => modes,
): PowerGovernor {
  let modes: readonly PowerModeProfile[] = [];
  let current: { readonly id: number; readonly name: string } | null = null;
  let lastSwitchMs: number | null = null;
  let thermalCap = 0;
  let thermalCapChangedMs: number | null = null;
  let lastDecision: PowerModeDecision | null = null;
  let lastFailure: PowerFailure | null = null;
  let failuresInARow = 0;
  let switches = 0;
  let switchTimesMs: number[] = [];
  let observedAtMs = Number.NEGATIVE_INFINITY;
  let running: Promise<void> = Promise.resolve();

  const forecastPeak = ({ forecast }: PowerCircumstances) => (forecast === null ? null : Math.max(...forecast.qps));

  const setMode = async (modeId: number, reason: string, nowMs: number) => {
    const retryMs = doublingDelayMs(failuresInARow, firstRetryMs, longestRetryMs);
    if (lastFailure?.modeId === modeId && nowMs - lastFailure.atMs < retryMs) return;
    // Somebody at the board may have changed the mode, or an update the list of modes: then the next evaluation decides anew.
    const wanted = modes.find((mode) => mode.id === modeId);
    modes = await control.modes();
    if (modes.find((mode) => mode.id === modeId)?.name !== wanted?.name) return;
    current = await control.currentMode();
    if (current?.id === modeId) return;
    const from = current?.name ?? null;
    const result = await control.setMode(modeId);
    switch (result.kind) {
      case "set":
        current = { id: modeId, name: wanted?.name ?? String(modeId) };
        observedAtMs = nowMs;
        lastSwitchMs = nowMs;
        lastFailure = null;
        faults.clear("mode-set");
        failuresInARow = 0;
        switches += 1;
        switchTimesMs.push(nowMs);
        log.info({ from, to: current.name, reason }, "power mode set");
        return;
      case "reboot-required":
        modes = await control.modes();
        break;
      case "failed":
        break;
      default:
        throw new Error(`unknown result ${result satisfies never}. This is a bug.`);
    }
    faults.raise("mode-set", result.reason, "the power mode can't be set; serving goes on");
    failuresInARow += 1;
    lastFailure = { atMs: nowMs, modeId, reason: result.reason };
    current = await control.currentMode();
  };

  const evaluate = async (circumstances: PowerCircumstances) => {
    const { nowMs } = circumstances;
    if (modes.length === 0) modes = await control.modes();
    if (nowMs - observedAtMs >= observeEveryMs) {
      observedAtMs = nowMs;
      // An update may change the list; one that can't be read for the moment leaves the one that is known.
      const listed = await control.modes();
      if (listed.length > 0) modes = listed;
      const observed = await control.currentMode();
      if (observed !== null && current !== null && observed.id !== current.id)
        log.warn({ from: current.name, to: observed.name }, "the power mode was changed by someone else");
      current = observed ?? current;
    }
    switchTimesMs = switchTimesMs.filter((atMs) => nowMs - atMs < dayMs && atMs <= nowMs);
    const decision = decidePowerMode({
      policy,
      modes: applyFigures(modes),
      currentModeId: current?.id ?? null,
      lastSwitchMs,
      switchesInLastDay: switchTimesMs.length,
      role: circumstances.role,
      servingForMs: circumstances.servingForMs,
      forecastPeakQps: forecastPeak(circumstances),
      forecastUpperQps: circumstances.forecastUpperQps,
      liveQps: circumstances.liveQps,
      desiredMode: circumstances.desiredMode,
      desiredModeCap: circumstances.desiredModeCap,
      desiredModeUntilMs: circumstances.desiredModeUntilMs,
      desiredModeCapUntilMs: circumstances.desiredModeCapUntilMs,
      temperatureC: circumstances.temperatureC,
      thermalCap,
      thermalCapChangedMs,
      nowMs,
    });
    if (decision.thermalCap !== thermalCap) {
      thermalCap = decision.thermalCap;
      thermalCapChangedMs = nowMs;
    }
    lastDecision = decision;
    if (decision.kind === "switch") await setMode(decision.modeId, decision.reason, nowMs);
  };

  return {
    start() {
      running = (async () => {
        modes = await control.modes();
        current = await control.currentMode();
      })();
      return running;
    },
    evaluate(circumstances) {
      // One at a time: two settings at once would verify each other's mode.
      running = running.then(() => evaluate(circumstances));
      return running;
    },
    currentMode: () => current,
    profile: () => applyFigures(modes),
    get lastDecision() {
      return lastDecision;
    },
    get lastFailure() {
      return lastFailure;
    },
    get switches() {
      return switches;
    },
  };
}
