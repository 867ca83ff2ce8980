/** See scripts/bench/apis. */
import { parseArgs } from "node:util";
import { apis, startAskedAgent, textKinds } from "./asked-agent.ts";
import { printRows } from "./print-rows.ts";
import { hostBinary } from "./start-agent.ts";

const { values } = parseArgs({
  options: {
    binary: { type: "string", default: hostBinary },
    json: { type: "boolean", default: false },
  },
});
const warmUpMs = 1_500;
const runMs = 3_000;

const agent = await startAskedAgent(values.binary);
try {
  const rows = [];
  for (const text of textKinds) {
    for (const api of apis) {
      await agent.measure(api, text, warmUpMs);
      rows.push({ api, text, ...(await agent.measure(api, text, runMs)) });
    }
  }
  printRows(rows, values.json);
} finally {
  await agent.stop();
}
