/** See scripts/bench/tracing. */
import { type AskedAgent, type Measured, readRoundOptions, startAskedAgent, textKinds } from "./asked-agent.ts";
import { median } from "./median.ts";
import { printRows } from "./print-rows.ts";

const { binary, rounds, json } = readRoundOptions(5);
const runMs = 2_000;

let receivedBytes = 0;
const collector = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  async fetch(request) {
    receivedBytes += (await request.bytes()).byteLength;
    return new Response(null, { status: 200 });
  },
});
const agents: { readonly tracing: "off" | "on"; readonly agent: AskedAgent }[] = [];
try {
  agents.push({ tracing: "off", agent: await startAskedAgent(binary) });
  const environment = { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.port}` };
  agents.push({ tracing: "on", agent: await startAskedAgent(binary, environment) });
  const rows = [];
  for (const text of textKinds) {
    const results: Record<"off" | "on", Measured[]> = { off: [], on: [] };
    for (let round = -1; round < rounds; round += 1) {
      // The order alternates, because the second finds the machine as the first left it.
      for (const { tracing, agent } of round % 2 === 0 ? agents : agents.toReversed()) {
        const result = await agent.measure("http base64", text, runMs);
        if (round >= 0) results[tracing].push(result); // the first one warms up
      }
    }
    const of = (tracing: "off" | "on", field: keyof Measured) => median(results[tracing].map((each) => each[field]));
    const ratio = (field: keyof Measured) => Number((of("on", field) / of("off", field)).toFixed(3));
    rows.push({
      text,
      callsPerSOff: of("off", "callsPerS"),
      callsPerSOn: of("on", "callsPerS"),
      callsRatio: ratio("callsPerS"),
      cpuUsPerCallOff: of("off", "agentCpuUsPerCall"),
      cpuUsPerCallOn: of("on", "agentCpuUsPerCall"),
      cpuRatio: ratio("agentCpuUsPerCall"),
    });
  }
  if (receivedBytes === 0) throw new Error("no trace came to the collector");
  printRows(rows, json);
} finally {
  await Promise.all(agents.map(({ agent }) => agent.stop()));
  await collector.stop(true);
}
