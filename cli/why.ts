import type { Static } from "@sinclair/typebox";
import type { DecisionList } from "#controller/api/schemas.ts";
import { UsageError } from "#platform/errors.ts";
import { askController, controllerUrlOption } from "./ask-controller.ts";
import { type Command, type OptionValues, optionalNumber, optionalString } from "./command.ts";

type Decision = Static<typeof DecisionList>["decisions"][number];

const shownTime = (atMs: number) => new Date(atMs).toISOString().slice(0, 19).replace("T", " ");

/** One decision in a paragraph: when, what, why, and what came of it. */
export function describeDecision({ atMs, lastAtMs, repeats, kind, rule, reason, outcome }: Decision): string {
  const until = repeats > 1 ? ` to ${shownTime(lastAtMs)} (${repeats} times)` : "";
  const lines = [`${shownTime(atMs)}${until}  ${kind} (${rule})`, `  ${reason}`];
  if (outcome.activated.length > 0) lines.push(`  activated: ${outcome.activated.join(", ")}`);
  if (outcome.stoodBy.length > 0) lines.push(`  put on standby: ${outcome.stoodBy.join(", ")}`);
  for (const { agentId, reason: why } of outcome.skipped) lines.push(`  not done for ${agentId}: ${why}`);
  return lines.join("\n");
}

function query(values: OptionValues): string {
  const parameters = new URLSearchParams();
  const agent = optionalString(values, "agent");
  if (agent !== undefined) parameters.set("agent", agent);
  const at = optionalString(values, "at");
  if (at !== undefined) {
    const atMs = Date.parse(at);
    if (Number.isNaN(atMs)) throw new UsageError(`--at: expected a time like 2026-05-04T12:30:00Z, got "${at}"`);
    parameters.set("untilMs", String(atMs));
  }
  const limit = optionalNumber(values, "limit", { min: 1, max: 1000, integer: true }) ?? (at === undefined ? 10 : 1);
  parameters.set("limit", String(limit));
  return parameters.toString();
}

export const whyCommand: Command = {
  summary: "why the fleet is as it is: the controller's decisions with their reasons, newest first",
  usage: "[--agent ID] [--at TIME] [--limit N] [--url URL] [--json]",
  options: {
    agent: { type: "string", value: "ID", help: "only decisions that changed this agent" },
    at: { type: "string", value: "TIME", help: "what was in force at this time (ISO 8601)" },
    limit: { type: "string", value: "N", help: "how many (default: 10; with --at: 1)" },
    ...controllerUrlOption,
    json: { type: "boolean", help: "print JSON, with all inputs" },
  },
  async run(values) {
    const { decisions } = (await askController(values, `/api/v1/decisions?${query(values)}`)) as Static<
      typeof DecisionList
    >;
    if (values["json"] === true) console.log(JSON.stringify({ decisions }, null, 2));
    else
      console.log(
        decisions.length === 0 ? "no decision is on record for that" : decisions.map(describeDecision).join("\n\n"),
      );
    return 0;
  },
};
