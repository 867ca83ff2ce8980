import type { ServerClient } from "./server-client.ts";
import { freshText, vectorsOf } from "./vectors.ts";
import { ok, type VerifyResult, warn } from "./verify-result.ts";

const requests = 21;
/** p95 beyond which users are not given what a controller promises by default. */
const maxP95Ms = 1_000;

/** Measures the latency of lone texts, one after the other; the first warms up. */
export async function checkLatency(server: ServerClient, model: string): Promise<VerifyResult> {
  const latencies: number[] = [];
  for (let count = 0; count < requests; count += 1) {
    const answer = await server.post("/v1/embeddings", { model, input: [freshText("how long does this take")] });
    vectorsOf(answer, 1);
    if (count > 0) latencies.push(answer.latencyMs);
  }
  latencies.sort((a, b) => a - b);
  const at = (share: number) => latencies[Math.ceil(share * latencies.length) - 1] as number;
  const [p50, p95] = [at(0.5), at(0.95)];
  const detail = `p50 ${p50.toFixed(1)} ms, p95 ${p95.toFixed(1)} ms over ${latencies.length} lone texts`;
  if (p95 <= maxP95Ms) return ok("latency", detail);
  return warn(
    "latency",
    detail,
    "Is something else using the device? thormesh load --find-limit measures what it carries.",
  );
}
