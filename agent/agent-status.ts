import { type TSchema, Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import type { ForecasterDescription } from "#forecast/forecaster.ts";
import type { NightTraining } from "#forecast/night/night-training.ts";
import type { StorageStatus } from "#platform/files/storage-watch.ts";
import {
  AgentRole,
  CapacityEstimate,
  ForecastAccuracy,
  ForecastReport,
  PowerModeProfile,
  Utilization,
} from "#protocol/messages.ts";
import type { AccessStatus } from "./access/fleet-keys.ts";
import { exampleStatus } from "./agent-status-example.ts";
import type { BrokerStatus } from "./broker-status.ts";
import type { ExplainedRole } from "./mesh/membership.ts";
import type { PowerStatus } from "./power/power.ts";
import type { ServingPeer } from "./serving/ports.ts";

export interface AgentStatus {
  readonly agentId: string;
  readonly fleet: string;
  readonly bootId: string;
  readonly version: string;
  readonly nowMs: number;
  readonly startedAtMs: number;
  readonly role: ExplainedRole;
  readonly broker: BrokerStatus;
  readonly controllerOnline: boolean;
  readonly peers: readonly ServingPeer[];
  readonly liveQps: number | null;
  readonly capacity: readonly CapacityEstimate[];
  readonly utilization: Utilization;
  readonly forecast: ForecastReport | null;
  readonly forecaster: ForecasterDescription;
  readonly forecastAccuracy: ForecastAccuracy;
  readonly forecastTraining: ReturnType<NightTraining["status"]>;
  readonly power: PowerStatus;
  readonly outbox: { readonly entries: number; readonly bytes: number; readonly droppedRecords: number };
  readonly storage: StorageStatus;
  readonly access: AccessStatus;
}

/** Parts whose figures depend on the decision or the board: more fields may come. */
const open = { additionalProperties: true } as const;
const orNull = <T extends TSchema>(schema: T, description: string) =>
  Type.Union([schema, Type.Null()], { description });
const text = (description: string) => Type.String({ description });
const number = (description: string) => Type.Number({ description });

const Power = Type.Object(
  {
    board: text("jetson, simulated or none"),
    name: text("type of the board"),
    release: orNull(Type.String(), "version of the board's system software; null: unknown"),
    mode: orNull(Type.String(), "name of the present power mode; null: unknown"),
    modes: Type.Array(PowerModeProfile, { description: "the most capable first" }),
    figures: Type.Object({ kind: Type.String() }, { ...open, description: "source of the modes' figures" }),
    lastDecision: orNull(
      Type.Object({ kind: Type.String() }, open),
      "last choice of a mode, with its rule and figures; null: none yet",
    ),
    lastFailure: orNull(
      Type.Object({ atMs: Type.Number(), modeId: Type.Number(), reason: Type.String() }, open),
      "last failed attempt to set a mode; null: none, or one has worked since",
    ),
    faults: Type.Array(Type.Object({ fault: Type.String(), reason: Type.String(), sinceMs: Type.Number() }, open), {
      description: "what does not work in the board's power control",
    }),
    leftAlone: orNull(Type.String(), "reason why the board is left alone, e.g. during a calibration; null: it is not"),
    switches: Type.Integer({ description: "changes of the mode since the start" }),
    failedStepDowns: Type.Object(
      {
        count: Type.Integer(),
        heldOffUntilMs: orNull(Type.Number(), "no step down before this time; null: no restriction"),
      },
      { description: "steps to a less capable mode that missed the SLO and were reversed" },
    ),
    sample: orNull(Type.Object({ atMs: Type.Number() }, open), "newest reading of power and temperature; null: none"),
    upperQuantile: number("share of the coming peaks that the mode must carry"),
    energy: Type.Object(
      {
        idleJ: number("joules of the modes' idle draw"),
        activeJ: number("joules above that"),
        unsplitJ: number("joules while the mode's idle draw was unknown"),
        gapMs: number("milliseconds without readings"),
        unattributedJ: number("joules of activeJ in minutes without any computation"),
      },
      { ...open, description: "since the start" },
    ),
  },
  open,
);

const Status = Type.Unsafe<AgentStatus>(
  Type.Object(
    {
      agentId: text("this agent"),
      fleet: text("its fleet"),
      bootId: text("this run of the agent"),
      version: text("of the program"),
      nowMs: number("the agent's clock"),
      startedAtMs: number("start of this run"),
      role: Type.Object(
        { role: AgentRole, source: Type.String(), reason: Type.String() },
        { ...open, description: "the present role and the rule behind it" },
      ),
      broker: Type.Object(
        {
          url: Type.String(),
          connected: Type.Boolean(),
          protocol: orNull(Type.String(), "version of MQTT: 5 or 3.1.1; null: not connected"),
          problem: orNull(Type.String(), "what ends or disturbs the connection; null: nothing known"),
          refused: Type.Array(Type.Object({ action: Type.String(), topic: Type.String(), reason: Type.String() }), {
            description: "what the broker refuses to let this agent publish or subscribe to, as far as it reports that",
          }),
        },
        { description: "the connection to the fleet's broker" },
      ),
      controllerOnline: Type.Boolean({ description: "true: a controller manages the fleet" }),
      peers: Type.Array(Type.Object({ agentId: Type.String(), url: Type.String() }), {
        description: "other agents that serve",
      }),
      liveQps: orNull(Type.Number(), "texts per second of the last minute; null: no whole minute yet"),
      capacity: Type.Array(CapacityEstimate, {
        description: "rates that the device carries in the present power mode",
      }),
      utilization: Utilization,
      forecast: orNull(ForecastReport, "the latest forecast; null: none yet"),
      forecaster: Type.Object(
        { model: Type.String(), backend: Type.String(), reason: Type.String() },
        { ...open, description: "the forecasting model in use" },
      ),
      forecastAccuracy: { ...ForecastAccuracy, description: "over the last 24 hours" },
      forecastTraining: Type.Object(
        { state: Type.String(), reason: Type.String() },
        { ...open, description: "as in GET /api/v1/forecast/training" },
      ),
      power: Power,
      outbox: Type.Object(
        { entries: Type.Integer(), bytes: Type.Number(), droppedRecords: Type.Integer() },
        { description: "records waiting to be sent, and dropped ones" },
      ),
      access: Type.Object(
        {
          tenants: Type.Integer({ description: "tenants known from the controller" }),
          keys: Type.Integer({ description: "their keys" }),
          audit: orNull(
            Type.Object({ seq: Type.Integer(), hash: Type.String() }),
            "newest entry of the controller's audit log that this agent has recorded; null: none",
          ),
          auditProblem: orNull(
            Type.String(),
            "reason why the controller's log contradicts that entry; null: it does not",
          ),
        },
        { description: "as reported by the controller" },
      ),
      storage: Type.Object(
        {
          failing: orNull(Type.Object({ sinceMs: Type.Number(), reason: Type.String() }), "null: the disk works"),
          waiting: Type.Object({ records: Type.Integer(), bytes: Type.Number() }),
          lost: Type.Record(Type.String(), Type.Integer(), { description: "by cause" }),
        },
        { description: "the state on disk" },
      ),
    },
    open,
  ),
);

/** `GET /api/v1/status`: the state of the agent, for people and for `thormesh status`. */
export function statusRoutes(status: () => AgentStatus) {
  return new Elysia().get("/api/v1/status", () => status(), {
    response: { ...Status, example: exampleStatus },
    detail: {
      summary: "State of this agent, with reasons",
      description:
        "Role with its reason, broker and controller, power mode with the last decision, forecast, peers, outbox.",
      tags: ["agent"],
    },
  });
}
