import { describeError } from "#platform/errors.ts";
import { checkAgents, checkControllerHealth, checkDecision, checkServing, readFleet } from "./check-controller.ts";
import { checkHealth, checkReady, waitWhileLoading } from "./check-health.ts";
import { checkEmptyText, checkLongText } from "./check-inputs.ts";
import { checkKey } from "./check-key.ts";
import { checkLatency } from "./check-latency.ts";
import { checkMetrics } from "./check-metrics.ts";
import { checkModels } from "./check-models.ts";
import { checkRoutes } from "./check-routes.ts";
import { checkBase64, checkBatch, checkDeterministic, checkKnownVectors, checkNormalised } from "./check-vectors.ts";
import type { ServerClient } from "./server-client.ts";
import { fail, type VerifyResult, warn } from "./verify-result.ts";

export type ServerKind = "agent" | "controller" | "other server" | "unknown";

export interface Verification {
  readonly kind: ServerKind;
  readonly checks: readonly VerifyResult[];
}

const otherwise = "Look at the server's log.";

/** Runs a check; what it throws is a failure of it. */
async function attempt(name: string, check: () => Promise<VerifyResult> | VerifyResult): Promise<VerifyResult> {
  try {
    return await check();
  } catch (error) {
    return fail(name, describeError(error), otherwise);
  }
}

async function verifyController(server: ServerClient, health: unknown): Promise<VerifyResult[]> {
  const checks = [
    await attempt("health", () => checkControllerHealth(health as Parameters<typeof checkControllerHealth>[0])),
    await attempt("key", () => checkKey(server, "/api/v1/fleet")),
  ];
  if (checks.at(-1)?.status === "fail") return checks;
  try {
    const { fleet, agents } = await readFleet(server);
    checks.push(
      await attempt("agents", () => checkAgents(agents)),
      await attempt("fleet", () => checkServing(fleet)),
      await attempt("decisions", () => checkDecision(fleet)),
    );
  } catch (error) {
    checks.push(fail("fleet", describeError(error), otherwise));
  }
  checks.push(await attempt("metrics", () => checkMetrics(server, "thormesh_controller_messages_total")));
  return checks;
}

async function verifyVectors(server: ServerClient, wanted: string | undefined): Promise<VerifyResult[]> {
  const { model, result } = await checkModels(server, wanted).catch((error: unknown) => ({
    model: null,
    result: fail("models", describeError(error), otherwise),
  }));
  if (model === null) return [result];
  if (model.isReranker)
    return [
      result,
      warn("vectors", `not checked: ${model.id} is a reranker`, "--model chooses another of its models."),
    ];
  const { id } = model;
  const checks = [result];
  for (const [name, check] of [
    ["known texts", () => checkKnownVectors(server, id)],
    ["normalised", () => checkNormalised(server, id)],
    ["deterministic", () => checkDeterministic(server, id)],
    ["batch = single", () => checkBatch(server, id)],
    ["base64 = float", () => checkBase64(server, id)],
    ["routes", () => checkRoutes(server, id)],
    ["long text", () => checkLongText(server, model)],
    ["empty text", () => checkEmptyText(server, id)],
    ["latency", () => checkLatency(server, id)],
  ] as const)
    checks.push(await attempt(name, check));
  return checks;
}

async function verifyAgent(
  server: ServerClient,
  isAgent: boolean,
  wanted: string | undefined,
): Promise<VerifyResult[]> {
  const checks = [
    await attempt("health", () => checkHealth(server)),
    await attempt("key", () => checkKey(server, "/v1/models")),
  ];
  if (checks.at(-1)?.status === "fail") return checks;
  const { ready, result } = await checkReady(server).catch((error: unknown) => ({
    ready: false,
    result: fail("ready", describeError(error), otherwise),
  }));
  checks.push(result);
  if (ready) checks.push(...(await verifyVectors(server, wanted)));
  checks.push(await attempt("metrics", () => checkMetrics(server, isAgent ? "akidb_embed_requests_total" : undefined)));
  return checks;
}

/**
 * Verifies a running agent, controller or other embedding server. Never rejects: what goes wrong is a failed check.
 * @param model id or alias; undefined: the server's default
 * @param waitMs how long a model that is being loaded is waited for
 */
export async function verifyServer(server: ServerClient, model: string | undefined, waitMs = 0): Promise<Verification> {
  try {
    const healthz = await server.get("/healthz");
    if (typeof healthz.json?.brokerConnected === "boolean")
      return { kind: "controller", checks: await verifyController(server, healthz.json) };
    await waitWhileLoading(server, waitMs);
    const health = await server.get("/health");
    const isAgent = health.json?.checks?.embedding_provider !== undefined;
    return { kind: isAgent ? "agent" : "other server", checks: await verifyAgent(server, isAgent, model) };
  } catch (error) {
    const advice =
      "Is it running, and is this its address? systemctl status thormesh-agent; journalctl -u thormesh-agent";
    return { kind: "unknown", checks: [fail("reachable", describeError(error), advice)] };
  }
}
