import type { Static } from "@sinclair/typebox";
import type { MeshStatus } from "#agent/mesh/mesh-routes.ts";
import type { DecisionDetail, DecisionList } from "#controller/api/schemas.ts";
import { explainAftermath } from "#controller/scaling/why/explain-aftermath.ts";
import { explainDecision } from "#controller/scaling/why/explain-decision.ts";
import { cleanText } from "#platform/clean-text.ts";
import { UsageError } from "#platform/errors.ts";
import {
  type Command,
  type OptionValues,
  optionalNumber,
  optionalString,
  optionalTime,
} from "#platform/terminal/command.ts";
import { askAgent, askController, controllerUrlOption } from "./run/ask-controller.ts";

/** One that was asked for by its number has its aftermath. */
type Decision = Static<typeof DecisionList>["decisions"][number] & Partial<Pick<DecisionDetail, "aftermath">>;

/** Writes a time to the second, in UTC like the option. */
const shownTime = (atMs: number) => new Date(atMs).toISOString().slice(0, 19).replace("T", " ");

/** Writes a decision as a paragraph: time, kind, reason, what each rule asked for, what limited it, and what came of it. */
export function decisionToText(decision: Decision): string {
  const { id, atMs, lastAtMs, repeats, kind, rule, reason, aftermath } = decision;
  const until = repeats > 1 ? ` to ${shownTime(lastAtMs)} (${repeats} times)` : "";
  return [
    `${shownTime(atMs)}${until}  ${kind} (${rule})  #${id}`,
    `  ${reason}`,
    ...explainDecision(decision).map(({ label, text }) => `  ${label === null ? "" : `${label}: `}${text}`),
    ...(aftermath === undefined ? [] : [`  what came: ${explainAftermath(aftermath)}`]),
  ]
    .map((line) => cleanText(line))
    .join("\n");
}

function query(values: OptionValues): URLSearchParams {
  const parameters = new URLSearchParams();
  const agent = optionalString(values, "agent");
  if (agent !== undefined) parameters.set("agent", agent);
  const atMs = optionalTime(values, "at");
  if (atMs !== undefined) {
    // A decision made in that very second was in force.
    parameters.set("untilMs", String(atMs + 1000));
  }
  if (values["changes"] === true) parameters.set("changes", "true");
  const limit = optionalNumber(values, "limit", { min: 1, max: 1000, integer: true }) ?? (atMs === undefined ? 10 : 1);
  parameters.set("limit", String(limit));
  return parameters;
}

/** Writes an agent's newest routes: when, for which model, who answered and why. */
export function routesToText({ routes }: MeshStatus, limit: number): string {
  if (routes.length === 0) return "no recent request of this agent had a choice of backends";
  return routes
    .slice(0, limit)
    .flatMap(({ atMs, model, attempts, reason }) => [
      `${shownTime(atMs)}  ${model}${attempts > 1 ? ` (${attempts} attempts)` : ""}`,
      `  ${reason}`,
    ])
    .map((line) => cleanText(line))
    .join("\n");
}

const idPattern = /^[1-9][0-9]{0,14}$/;

export const whyCommand: Command = {
  summary: "show the controller's decisions and their reasons, or an agent's routes, newest first",
  usage: "[DECISION] [--agent ID] [--at TIME] [--changes] [--limit N] [--route AGENT_URL] [--url URL] [--json]",
  examples: ["thormesh why", "thormesh why 1234", "thormesh why --agent thor-7 --at 2026-11-30T12:30Z"],
  options: {
    agent: { value: "ID", help: "only decisions that changed this agent" },
    at: { value: "TIME", help: "the decision in force at this time (ISO 8601), and the change before it" },
    changes: { help: "only decisions that changed something" },
    limit: { value: "N", help: "number of decisions (default: 10; with --at: 1)" },
    route: { value: "AGENT_URL", help: "show who answered this agent's newest requests, and why" },
    ...controllerUrlOption,
    json: { help: "print JSON, with all inputs" },
  },
  async run(values, positionals) {
    const [id, ...rest] = positionals;
    if (rest.length > 0) throw new UsageError(`unexpected argument "${rest[0]}"`);
    if (id !== undefined && !idPattern.test(id)) {
      throw new UsageError(`expected a decision's number such as 42 (shown after # in the list), got "${id}"`);
    }
    const route = optionalString(values, "route");
    if (route !== undefined) {
      const status = (await askAgent(values, "route", route, "/api/v1/mesh")) as MeshStatus;
      const limit = optionalNumber(values, "limit", { min: 1, max: 1000, integer: true }) ?? 10;
      const routes = status.routes.slice(0, limit);
      console.log(values["json"] === true ? JSON.stringify({ routes }, null, 2) : routesToText(status, limit));
      return 0;
    }
    const ask = async (parameters: URLSearchParams) =>
      ((await askController(values, `/api/v1/decisions?${parameters}`)) as Static<typeof DecisionList>).decisions;
    const decisions =
      id === undefined
        ? await ask(query(values))
        : [(await askController(values, `/api/v1/decisions/${id}`)) as Decision];
    const [newest] = decisions;
    // A hold says why nothing changed; the change before it made the fleet what it was.
    if (optionalString(values, "at") !== undefined && decisions.length === 1 && newest?.kind === "hold") {
      const parameters = query({ ...values, changes: true });
      decisions.push(...(await ask(parameters)));
    }
    if (values["json"] === true) console.log(JSON.stringify({ decisions }, null, 2));
    else
      console.log(
        decisions.length === 0 ? "no such decision is on record" : decisions.map(decisionToText).join("\n\n"),
      );
    return 0;
  },
};
