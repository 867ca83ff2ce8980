import type { Registry } from "prom-client";
import { registerGauge, registerGauges, registerTotal, registerTotals } from "#platform/fetch/scraped-metrics.ts";
import type { PowerSample } from "./device/device.ts";
import type { AttributedEnergy } from "./energy/attribute-energy.ts";
import type { EnergyAccount } from "./energy/energy-account.ts";
import type { EnergyMeter } from "./energy/energy-meter.ts";
import type { PowerModeCap } from "./mode/decide-power-mode.ts";
import type { PowerFault } from "./power-faults.ts";

export interface PowerFigures {
  readonly meter: Pick<EnergyMeter, "totals" | "gapMs">;
  readonly account: Pick<EnergyAccount, "attributed" | "unattributedJ" | "recent">;
  /** Returns the last reading; null when it is too old to describe the present. */
  freshReading(): PowerSample | null;
  modeName(): string | null;
  switches(): number;
  failedStepDowns(): number;
  setFailed(): boolean;
  /** Bound that keeps the board out of the mode that was chosen; null: none. */
  cappedBy(): PowerModeCap["by"] | null;
  faults(): readonly PowerFault[];
}

function joulesBy(
  parts: readonly AttributedEnergy[],
  labelsOf: (part: AttributedEnergy) => Record<string, string>,
): [Record<string, string>, number][] {
  const groups = Map.groupBy(parts, (part) => JSON.stringify(labelsOf(part)));
  return [...groups].map(([labels, group]) => [
    JSON.parse(labels),
    group.reduce((sum, { energyJ }) => sum + energyJ, 0),
  ]);
}

/** Registers each figure of the board's sensors under the board's own names. */
function registerSensors(metrics: Registry, reading: () => PowerSample | null): void {
  registerGauges(metrics, "thormesh_power_rail_watts", "Power of each rail, by the board's own names", ["rail"], () =>
    Object.entries(reading()?.details?.railsMw ?? {}).map(([rail, milliwatts]) => [{ rail }, milliwatts / 1000]),
  );
  registerGauges(
    metrics,
    "thormesh_temperature_celsius",
    "Temperature of each of the board's sensors",
    ["sensor"],
    () => Object.entries(reading()?.details?.temperaturesC ?? {}).map(([sensor, celsius]) => [{ sensor }, celsius]),
  );
  registerGauges(metrics, "thormesh_board_cpu_load_ratio", "Load of each core that is on, 0 to 1", ["core"], () =>
    (reading()?.details?.cpuLoads ?? []).flatMap((load, core) =>
      load === null ? [] : [[{ core: String(core) }, load] as const],
    ),
  );
  registerGauges(metrics, "thormesh_board_memory_bytes", "The board's memory, used and total", ["kind"], () => {
    const { ramUsedMb = null, ramTotalMb = null } = reading() ?? {};
    const figures = [["used", ramUsedMb] as const, ["size", ramTotalMb] as const];
    return figures.flatMap(([kind, mebibytes]) =>
      mebibytes === null ? [] : [[{ kind }, mebibytes * 2 ** 20] as const],
    );
  });
}

export function registerPowerMetrics(metrics: Registry, figures: PowerFigures): void {
  const watts = () => figures.freshReading()?.inputPowerMw ?? null;
  registerGauge(metrics, "thormesh_power_watts", "Input power of the board", () => {
    const milliwatts = watts();
    return milliwatts === null ? null : milliwatts / 1000;
  });
  registerSensors(metrics, () => figures.freshReading());
  registerGauge(
    metrics,
    "thormesh_junction_temperature_celsius",
    "Temperature of the board's hottest junction",
    () => figures.freshReading()?.junctionTemperatureC ?? null,
  );
  registerGauge(
    metrics,
    "thormesh_energy_joules_per_1000_requests",
    "Energy per answered request over the last 15 fully measured minutes, including idle energy",
    () => figures.account.recent().joulesPer1000Requests,
  );
  registerGauge(metrics, "thormesh_power_mode_failed", "1 while the last attempt to set the power mode failed", () =>
    figures.setFailed() ? 1 : 0,
  );
  registerGauges(metrics, "thormesh_power_mode", "1 for the power mode the board is in", ["mode"], () => {
    const mode = figures.modeName();
    return mode === null ? [] : [[{ mode }, 1]];
  });
  registerGauges(
    metrics,
    "thormesh_power_capped",
    "1 while heat or the controller keeps the board out of a mode",
    ["by"],
    () => {
      const by = figures.cappedBy();
      return (["heat", "controller"] as const).map((bound) => [{ by: bound }, by === bound ? 1 : 0] as const);
    },
  );
  registerGauges(
    metrics,
    "thormesh_power_fault",
    "1 for each part of the board's power control that does not work",
    ["fault"],
    () => figures.faults().map(({ fault }) => [{ fault }, 1] as const),
  );
  registerTotals(
    metrics,
    "thormesh_energy_joules_total",
    "Measured energy: idle, active (above the mode's idle draw), unsplit (the idle draw was unknown)",
    ["kind"],
    () => {
      const { idleJ, activeJ, unsplitJ } = figures.meter.totals();
      return [
        [{ kind: "idle" }, idleJ],
        [{ kind: "active" }, activeJ],
        [{ kind: "unsplit" }, unsplitJ],
      ];
    },
  );
  registerTotals(
    metrics,
    "thormesh_model_energy_joules_total",
    "Active energy by the models' shares of compute time",
    ["model"],
    () => joulesBy(figures.account.attributed(), ({ model }) => ({ model })),
  );
  registerTotals(
    metrics,
    "thormesh_tenant_energy_joules_total",
    "Active energy by the shares of compute time of models and tenants; tenant default: requests without a tenant's key",
    ["model", "tenant"],
    () => joulesBy(figures.account.attributed(), ({ model, tenant }) => ({ model, tenant })),
  );
  registerTotal(
    metrics,
    "thormesh_unattributed_energy_joules_total",
    "Active energy of minutes in which no model computed anything: other programs caused it",
    figures.account.unattributedJ,
  );
  registerTotal(
    metrics,
    "thormesh_energy_gap_seconds_total",
    "Time whose energy is unknown",
    () => figures.meter.gapMs() / 1000,
  );
  registerTotal(
    metrics,
    "thormesh_power_mode_returns_total",
    "Steps to a less capable mode that missed the SLO and were reversed",
    figures.failedStepDowns,
  );
  registerTotal(metrics, "thormesh_power_mode_switches_total", "Changes of the power mode", figures.switches);
}
