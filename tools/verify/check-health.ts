import { answerToText, type ServerClient } from "./server-client.ts";
import { fail, ok, type VerifyResult, warn } from "./verify-result.ts";

const healthy = new Set(["healthy", "unused"]);

/** Lists the parts that are not healthy, with their details. */
function ailing(json: Record<string, Record<string, unknown>>): string[] {
  return Object.entries(json["checks"] ?? {}).flatMap(([name, check]) => {
    const { status, detail } = (typeof check === "object" ? check : { status: check }) as Record<string, unknown>;
    if (healthy.has(String(status))) return [];
    return [`${name} ${status}: ${detail ?? json["details"]?.[name] ?? "no detail"}`];
  });
}

/** Checks `/health`: an agent's parts, or another server's status only. */
export async function checkHealth(server: ServerClient): Promise<VerifyResult> {
  const answer = await server.get("/health");
  const { status, json } = answer;
  if (status !== 200) {
    return fail(
      "health",
      `GET /health: ${answerToText(answer)}`,
      "Look at the server's log; is this the right address?",
    );
  }
  if (json?.checks === undefined) return ok("health", "GET /health answers 200, without details");
  const version = String(json.version ?? "of unknown version");
  if (json.status === "healthy") return ok("health", `healthy, version ${version}`);
  const parts = ailing(json).join("; ");
  return warn("health", `${json.status}, version ${version}: ${parts}`, "thormesh doctor on the device checks more.");
}

/**
 * Waits while an agent loads its default model, as one does that has just been started.
 * @param pause rests between two questions
 */
export async function waitWhileLoading(
  server: ServerClient,
  waitMs: number,
  pause: () => Promise<unknown> = () => Bun.sleep(500),
): Promise<void> {
  const deadlineMs = performance.now() + waitMs;
  while (performance.now() < deadlineMs) {
    const answer = await server.get("/readyz");
    if (answer.status !== 503 || !/ is loading/.test(answerToText(answer))) return;
    await pause();
  }
}

/** Readiness of an agent: null when it answers requests for vectors, otherwise the result to show instead. */
export async function checkReady(
  server: ServerClient,
): Promise<{ readonly ready: boolean; readonly result: VerifyResult }> {
  const answer = await server.get("/readyz");
  // Servers of another make have no such route.
  if (answer.status === 404) return { ready: true, result: ok("ready", "there is no /readyz: assumed ready") };
  if (answer.status === 200) return { ready: true, result: ok("ready", "requests for vectors are answered") };
  const reason = answerToText(answer);
  if (/standby/.test(reason)) {
    const detail = `${reason}; its vectors were not checked`;
    const advice = "Verify a serving agent, or override this one's role: POST /api/v1/agents/ID/override.";
    return { ready: false, result: warn("ready", detail, advice) };
  }
  return {
    ready: false,
    result: fail(
      "ready",
      `GET /readyz: ${reason}`,
      "Wait until its model is loaded; its log and /health say what is missing.",
    ),
  };
}
