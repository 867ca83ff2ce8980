import type { Registry } from "prom-client";
import { registerGauges } from "#platform/fetch/scraped-metrics.ts";
import type { Device } from "../store/store.ts";

const states = ["pending", "joined", "revoked"] as const;

export function registerIdentityMetrics(registry: Registry, devices: () => readonly Device[]): void {
  registerGauges(
    registry,
    "thormesh_devices",
    "Devices that have joined, wait for approval, or were revoked",
    ["state"],
    () => states.map((state) => [{ state }, devices().filter((device) => device.state === state).length] as const),
  );
}
