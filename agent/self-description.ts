import type { TrainingStatus } from "#forecast/night/training-status.ts";
import { version } from "#platform/version.ts";
import { type Birth, maxRefusals, type Presence, type Reported } from "#protocol/messages.ts";
import type { BrokerRefusal } from "#protocol/mqtt/broker-refusals.ts";
import type { AgentConfig } from "./config.ts";
import type { FleetOrders } from "./enrolment/fleet-orders.ts";
import type { AgentIdentity } from "./identity.ts";
import type { Membership } from "./mesh/membership.ts";
import type { Power } from "./power/power.ts";
import type { Serving } from "./serving/serving.ts";

export interface SelfDescriptionParts {
  readonly identity: AgentIdentity;
  readonly config: Pick<AgentConfig, "advertiseUrl" | "prices" | "tags">;
  readonly serving: Pick<Serving, "url" | "loadedModels">;
  readonly power: Pick<Power, "status" | "differs">;
  readonly membership: Pick<Membership, "decision" | "desired">;
  /** Facts that other agents need to send requests here. Default: nothing, and they send none. */
  readonly mesh?: () => NonNullable<Presence["mesh"]>;
  /** Last order of the past hour that was not obeyed; null: none. */
  readonly orderRefused?: () => ReturnType<FleetOrders["recentRefusal"]>;
  /** Jobs with tenants' data that are done here. */
  readonly tenantJobs?: () => NonNullable<Reported["tenantJobs"]>;
  /** Updates of this device by the fleet. */
  readonly updates?: () => NonNullable<Reported["update"]>;
  /** Training of this device's forecasting model. */
  readonly training?: () => Pick<TrainingStatus, "state" | "reason" | "last">;
  /** Topics and filters that the broker denies this agent. */
  readonly refused?: () => readonly BrokerRefusal[];
  readonly nowMs: () => number;
}

export type SelfDescription = ReturnType<typeof createSelfDescription>;

function trainingReport({ state, reason, last }: Pick<TrainingStatus, "state" | "reason" | "last">) {
  const ended = last && {
    ...{ kind: last.kind, reason: last.reason.slice(0, 512), endedAtMs: Math.round(last.endedAtMs) },
  };
  return { state, reason: reason.slice(0, 512), last: ended };
}

/** Makes the messages in which the agent describes itself, from the present state of its parts. */
export function createSelfDescription(parts: SelfDescriptionParts) {
  const { identity, config, serving, power, membership } = parts;
  const envelope = () => ({
    v: 1 as const,
    agentId: identity.agentId,
    bootId: identity.bootId,
    sentAtMs: Math.round(parts.nowMs()),
  });
  const url = () => config.advertiseUrl ?? serving.url;

  return {
    presence: (status: Presence["status"]): Presence => ({
      ...envelope(),
      status,
      role: membership.decision.role,
      url: url(),
      region: identity.region,
      version,
      models: serving.loadedModels().map(({ id }) => id),
      ...(parts.mesh === undefined ? {} : { mesh: parts.mesh() }),
    }),

    /** Last will: it is written before anything runs, so it holds little more than the id. */
    will: (): Presence => ({
      ...envelope(),
      status: "offline",
      role: "standby",
      url: "",
      region: identity.region,
      version,
      models: [],
    }),

    birth: (): Birth => {
      const { board: kind, name, release, modes, figures, faults } = power.status();
      const { corrections, ...origin } = figures;
      return {
        ...envelope(),
        url: url(),
        region: identity.region,
        version,
        board: {
          ...{ kind, name },
          ...(release === null ? {} : { release }),
          powerModes: [...modes],
          figures: origin,
          faults: faults.map(({ fault, reason }) => ({ fault, reason: reason.slice(0, 512) })),
        },
        models: serving.loadedModels().map(({ id, dimension, revision }) => ({ id, dimension, revision })),
        prices: config.prices,
        tags: config.tags,
      };
    },

    reported: (): Reported => {
      const { desired, decision: role } = membership;
      const differs: Reported["differs"] = [];
      if (desired !== null && desired.role !== role.role) {
        differs.push({ field: "role", desired: desired.role, reported: role.role, reason: role.reason.slice(0, 512) });
      }
      const refused = (parts.refused?.() ?? []).slice(0, maxRefusals).map(({ action, topic, reason }) => ({
        action,
        topic: topic.slice(0, 256),
        reason: reason.slice(0, 512),
      }));
      const orderRefused = parts.orderRefused?.() ?? null;
      const done = parts.tenantJobs?.() ?? [];
      const powerDiffers = power.differs();
      if (powerDiffers !== null) differs.push({ field: "powerMode", ...powerDiffers });
      return {
        ...envelope(),
        desiredVersion: desired?.version ?? null,
        role: role.role,
        powerMode: power.status().mode,
        differs,
        ...(orderRefused === null ? {} : { orderRefused: { ...orderRefused, atMs: Math.round(orderRefused.atMs) } }),
        ...(refused.length === 0 ? {} : { brokerRefuses: refused }),
        ...(done.length === 0 ? {} : { tenantJobs: done }),
        ...(parts.updates === undefined ? {} : { update: parts.updates() }),
        ...(parts.training === undefined ? {} : { training: trainingReport(parts.training()) }),
      };
    },
  };
}
