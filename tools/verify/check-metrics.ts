import { parseMetrics } from "./parse-metrics.ts";
import { answerToText, type ServerClient } from "./server-client.ts";
import { fail, ok, type VerifyResult, warn } from "./verify-result.ts";

/** Checks that `/metrics` is Prometheus' text format. @param expected metric that this kind of server has; undefined: any */
export async function checkMetrics(server: ServerClient, expected: string | undefined): Promise<VerifyResult> {
  const name = "metrics";
  const answer = await server.get("/metrics");
  if (answer.status === 404) return warn(name, "there is no /metrics", "Prometheus can't watch this server.");
  if (answer.status !== 200)
    return fail(name, `GET /metrics: ${answerToText(answer)}`, "Prometheus needs the key too.");
  let families: ReturnType<typeof parseMetrics>;
  try {
    families = parseMetrics(answer.text);
  } catch (error) {
    return fail(name, `GET /metrics is not Prometheus' text format: ${(error as Error).message}`, "Report it.");
  }
  if (expected !== undefined && !families.has(expected))
    return fail(name, `GET /metrics lacks ${expected}`, "Is this address the agent's or controller's own?");
  const samples = [...families.values()].reduce((sum, family) => sum + family.samples.length, 0);
  return ok(name, `${families.size} metrics, ${samples} samples`);
}
