import type { Forecaster } from "#forecast/forecaster.ts";
import type { NightTraining } from "#forecast/night/night-training.ts";
import type { StorageWatch } from "#platform/files/storage-watch.ts";
import { version } from "#platform/version.ts";
import type { BrokerRefusal } from "#protocol/mqtt/broker-refusals.ts";
import type { MqttBroker } from "#protocol/mqtt-broker.ts";
import type { FleetKeys } from "../access/fleet-keys.ts";
import type { AgentStatus } from "../agent-status.ts";
import { brokerStatus } from "../broker-status.ts";
import type { CapacityWatch } from "../capacity/capacity-watch.ts";
import type { AgentIdentity } from "../identity.ts";
import type { Membership } from "../mesh/membership.ts";
import type { Power } from "../power/power.ts";
import type { MinuteCycle } from "../traffic/minute-cycle.ts";
import type { TrafficRecord } from "../traffic/traffic-record.ts";
import type { UtilizationMeter } from "../utilization/utilization-meter.ts";
import type { Outbox } from "./outbox.ts";

/** Parts of the agent that its status tells of. */
export interface StatusParts {
  readonly identity: AgentIdentity;
  readonly startedAtMs: number;
  readonly nowMs: () => number;
  readonly brokerUrl: string;
  readonly broker: MqttBroker;
  /** Messages that the broker does not let this agent send or read. */
  readonly refused: () => readonly BrokerRefusal[];
  readonly membership: Membership;
  readonly record: Pick<TrafficRecord, "liveQps">;
  readonly capacity: Pick<CapacityWatch, "present">;
  readonly utilization: Pick<UtilizationMeter, "latest">;
  readonly cycle: Pick<MinuteCycle, "lastForecast">;
  readonly forecaster: Pick<Forecaster, "describe">;
  readonly accuracyOf: (window: "24h") => AgentStatus["forecastAccuracy"];
  readonly nightTraining: Pick<NightTraining, "status">;
  readonly power: Pick<Power, "status">;
  readonly outbox: Pick<Outbox, "size">;
  readonly storage: Pick<StorageWatch, "status">;
  readonly access: Pick<FleetKeys, "status">;
}

/** Counts the records that were lost since the start, whatever the cause. */
export function droppedRecords(storage: Pick<StorageWatch, "status">): number {
  return Object.values(storage.status().lost).reduce((sum, records) => sum + records, 0);
}

/** Collects what `/api/v1/status` tells. */
export function collectStatus(parts: StatusParts): AgentStatus {
  const { identity, startedAtMs, nowMs, brokerUrl, broker, membership, record, capacity, utilization } = parts;
  const { cycle, forecaster, accuracyOf, nightTraining, power, outbox, storage, access } = parts;
  const { agentId, fleet, bootId } = identity;
  return {
    agentId,
    fleet,
    bootId,
    version,
    nowMs: Math.round(nowMs()),
    startedAtMs: Math.round(startedAtMs),
    role: membership.decision,
    broker: brokerStatus(brokerUrl, broker, parts.refused()),
    controllerOnline: membership.controllerOnline,
    peers: membership.servingPeers(),
    liveQps: record.liveQps(nowMs()),
    capacity: capacity.present(),
    utilization: utilization.latest(),
    forecast: cycle.lastForecast,
    forecaster: forecaster.describe(),
    forecastAccuracy: accuracyOf("24h"),
    forecastTraining: nightTraining.status(),
    power: power.status(),
    outbox: {
      ...outbox.size(),
      droppedRecords: droppedRecords(storage),
    },
    storage: storage.status(),
    access: access.status(),
  };
}
