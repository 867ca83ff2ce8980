/** See scripts/bench/telemetry. */
import { parseArgs } from "node:util";
import { eventually } from "../../test/e2e/program.ts";
import { createFakeBoard } from "../../test/fakes/jetson/board.ts";
import { cpuSeconds, hostBinary, startAgent } from "./start-agent.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "120" },
    binary: { type: "string", default: hostBinary },
    json: { type: "boolean", default: false },
  },
});
const seconds = Number(values.seconds);
if (!(seconds >= 10)) throw new Error(`--seconds: expected a number from 10, got "${values.seconds}"`);
/** Loading and warming up are not what is measured. */
const settleMs = 20_000;

async function startOn(kind: "jetson" | "none") {
  const board = createFakeBoard();
  board.write("interval", "1");
  const config = {
    id: kind,
    broker: { url: "mqtt://127.0.0.1:1" },
    serving: { grpc: { enabled: false } },
    power: { board: kind, jetson: board.config },
  };
  const agent = await startAgent(values.binary, { config });
  return {
    pid: agent.pid,
    readings: () => board.read("tegrastats-starts").trim(),
    async stop() {
      await agent.stop();
      board.dispose();
    },
  };
}

const agents = { jetson: await startOn("jetson"), none: await startOn("none") };
try {
  await eventually(
    async () => agents.jetson.readings(),
    (starts) => starts !== "",
  );
  await Bun.sleep(settleMs);
  const before = { jetson: cpuSeconds(agents.jetson.pid), none: cpuSeconds(agents.none.pid) };
  await Bun.sleep(seconds * 1000);
  const share = (name: keyof typeof agents) => (cpuSeconds(agents[name].pid) - before[name]) / seconds;
  const figures = { withTelemetry: share("jetson"), without: share("none") };
  const cost = figures.withTelemetry - figures.without;
  const percent = (of: number) => `${(100 * of).toFixed(2)} %`;
  if (values.json) console.log(JSON.stringify({ seconds, ...figures, cost }, null, 2));
  else {
    console.log(
      `of one core over ${seconds} s: ${percent(figures.withTelemetry)} with a board's sensors, ${percent(figures.without)} without`,
    );
    console.log(`telemetry costs ${percent(cost)} of one core`);
  }
  if (cost > 0.01) process.exitCode = 1;
} finally {
  await Promise.all(Object.values(agents).map((agent) => agent.stop()));
}
