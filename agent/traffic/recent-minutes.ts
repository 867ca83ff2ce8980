import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { describeRoute } from "#platform/http/describe-route.ts";
import { orNull } from "#platform/schema-parts.ts";
import { AgentRole, type MinuteData } from "#protocol/messages.ts";
import { MinuteFigures, minuteFigures } from "#protocol/minute-figures.ts";

/** Minutes that are kept: two hours. */
const minutesKept = 120;

/** A minute of this agent, with its role and power mode. */
export interface RecentMinute extends MinuteFigures {
  readonly role: AgentRole;
  /** Null: not measured. */
  readonly powerMode: string | null;
}

/** The newest minutes of this run, in memory, for people who look at the agent. */
export class RecentMinutes {
  readonly #minutes: RecentMinute[] = [];

  add(data: Pick<MinuteData, "traffic" | "power" | "queueDepth" | "role">): void {
    this.#minutes.push({ ...minuteFigures(data), role: data.role, powerMode: data.power?.modeName ?? null });
    if (this.#minutes.length > minutesKept) this.#minutes.shift();
  }

  /** Lists them, oldest first. */
  list(): RecentMinute[] {
    return [...this.#minutes];
  }
}

const RecentView = Type.Object({
  nowMs: Type.Number({ description: "the agent's clock" }),
  minutes: Type.Array(
    Type.Object({
      ...MinuteFigures.properties,
      role: Type.Unsafe<AgentRole>(AgentRole),
      powerMode: orNull(Type.String(), "null: not measured"),
    }),
    { description: "minutes of this run, at most 120, oldest first" },
  ),
});

/** `GET /api/v1/minutes`: the newest minutes of this agent. */
export function minuteRoutes(recent: () => { readonly nowMs: number; readonly minutes: RecentMinute[] }) {
  return new Elysia().get("/api/v1/minutes", () => recent(), {
    detail: describeRoute({
      summary: "The agent's last two hours, minute by minute",
      tag: "agent",
      answer: {
        description: "Rates, latency, power, role and power mode of each minute of this run.",
        schema: RecentView,
        example: {
          nowMs: 1_795_000_000_000,
          minutes: [
            {
              ...{
                minuteStartMs: 1_794_999_900_000,
                qps: 41.2,
                offeredQps: 41.5,
                workQps: 41.5,
                requests: 2472,
                errors: 0,
                rejected: 18,
              },
              ...{
                queueDepth: 0,
                p95LatencyMs: 22,
                watts: 31.4,
                energyJ: 1884,
                maxTemperatureC: 52,
                gpuUtilization: 0.4,
              },
              ...{ role: "active", powerMode: "70W" },
            },
          ],
        },
      },
    }),
  });
}
