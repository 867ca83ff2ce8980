import { Counter, Gauge, type Registry } from "prom-client";
import type { ComputeGate } from "#agent/serving/ports.ts";
import type { Clock } from "#platform/clock.ts";
import type { Logger } from "#platform/log.ts";
import type { MinutePower, PowerModeProfile } from "#protocol/messages.ts";
import { createDevice } from "./create-device.ts";
import type { PowerModeDecision } from "./decide-power-mode.ts";
import type { Device, PowerSample } from "./device.ts";
import { createEnergyMeter, type EnergyMeter } from "./energy-meter.ts";
import type { PowerConfig } from "./power-config.ts";
import {
  createPowerGovernor,
  type PowerCircumstances,
  type PowerFailure,
  type PowerGovernor,
} from "./power-governor.ts";

export interface PowerStatus {
  readonly board: Device["kind"];
  readonly name: string;
  readonly mode: string | null;
  readonly modes: readonly PowerModeProfile[];
  readonly lastDecision: PowerModeDecision | null;
  readonly lastFailure: PowerFailure | null;
  readonly switches: number;
  readonly sample: PowerSample | null;
}

/** Everything about the board's power that the agent uses. */
export interface Power {
  start(): Promise<void>;
  stop(): Promise<void>;
  readonly kind: Device["kind"];
  readonly name: string;
  readonly gate: ComputeGate;
  /** The power part of the minute's record: what was measured since the last call; null where nothing can be. */
  closeMinute(): MinutePower | null;
  evaluate(circumstances: Omit<PowerCircumstances, "temperatureC">): Promise<void>;
  currentMode(): { readonly id: number; readonly name: string } | null;
  profile(): readonly PowerModeProfile[];
  /** How the mode differs from what the controller asks for, and why; null when it doesn't. */
  differs(): { readonly desired: string; readonly reported: string; readonly reason: string } | null;
  status(): PowerStatus;
}

const startWaitMs = 2_000;
/** Readings further apart than this have a gap between them. */
const longestGapMs = 10_000;
/** A reading counts as the present one for this many gaps: a tool that was started again has not lost it. */
const staleGaps = 3;

function registerMetrics(
  metrics: Registry,
  parts: () => { device: Device; governor: PowerGovernor },
  meter: EnergyMeter,
  freshReading: () => PowerSample | null,
) {
  let countedJ = 0;
  let countedSwitches = 0;
  new Gauge({
    name: "thormesh_power_watts",
    help: "Input power of the board",
    registers: [metrics],
    collect() {
      const milliwatts = freshReading()?.inputPowerMw ?? null;
      if (milliwatts === null) this.remove();
      else this.set(milliwatts / 1000);
    },
  });
  new Gauge({
    name: "thormesh_junction_temperature_celsius",
    help: "Temperature of the board's hottest junction",
    registers: [metrics],
    collect() {
      const celsius = freshReading()?.junctionTemperatureC ?? null;
      if (celsius === null) this.remove();
      else this.set(celsius);
    },
  });
  new Gauge({
    name: "thormesh_power_mode",
    help: "1 for the power mode the board is in",
    labelNames: ["mode"],
    registers: [metrics],
    collect() {
      this.reset();
      const mode = parts().governor.currentMode();
      if (mode !== null) this.set({ mode: mode.name }, 1);
    },
  });
  new Counter({
    name: "thormesh_energy_joules_total",
    help: "Energy that was measured",
    registers: [metrics],
    collect() {
      this.inc(meter.totalJ() - countedJ);
      countedJ = meter.totalJ();
    },
  });
  new Counter({
    name: "thormesh_power_mode_switches_total",
    help: "Times the power mode was changed",
    registers: [metrics],
    collect() {
      this.inc(parts().governor.switches - countedSwitches);
      countedSwitches = parts().governor.switches;
    },
  });
  new Gauge({
    name: "thormesh_power_mode_failed",
    help: "1 while the last attempt to set the power mode failed",
    registers: [metrics],
    collect() {
      this.set(parts().governor.lastFailure === null ? 0 : 1);
    },
  });
}

export function createPower(deps: {
  readonly config: PowerConfig;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Registry;
}): Power {
  const { config, clock, log } = deps;
  // Sensors are read once a second of the clock, or once in 100 real ms when the clock runs faster than that.
  const gapMs = Math.max(longestGapMs, 1000 * clock.speed);
  const meter = createEnergyMeter(gapMs);
  /** The last reading, unless it is too old to say anything of now. */
  const freshReading = () => {
    const reading = meter.latest();
    return reading === null || clock.nowMs() - reading.atMs > staleGaps * gapMs ? null : reading;
  };
  let started: { device: Device; governor: PowerGovernor } | undefined;
  const parts = () => {
    if (started === undefined) throw new Error("power is used before it is started. This is a bug.");
    return started;
  };

  return {
    async start() {
      const device = await createDevice(config, clock, log);
      const governor = createPowerGovernor(device.control, config.policy, log);
      started = { device, governor };
      registerMetrics(deps.metrics, parts, meter, freshReading);
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
    gate: { enter: (texts, signal) => parts().device.gate.enter(texts, signal) },
    closeMinute() {
      const measured = meter.take();
      const mode = parts().governor.currentMode();
      if (mode === null && measured.measuredMs === 0) return null;
      return { modeId: mode?.id ?? 0, modeName: mode?.name ?? "unknown", ...measured };
    },
    evaluate: (circumstances) =>
      parts().governor.evaluate({ ...circumstances, temperatureC: freshReading()?.junctionTemperatureC ?? null }),
    currentMode: () => parts().governor.currentMode(),
    profile: () => parts().governor.profile(),
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
        mode: governor.currentMode()?.name ?? null,
        modes: governor.profile(),
        lastDecision: governor.lastDecision,
        lastFailure: governor.lastFailure,
        switches: governor.switches,
        sample: freshReading(),
      };
    },
  };
}
