import { parseArgs } from "node:util";
import { turnOverModels } from "../../test/agent/serving/residency/turn-over-models.ts";
import { median } from "./median.ts";

const { values } = parseArgs({
  options: { loads: { type: "string", default: "50" }, json: { type: "boolean", default: false } },
});
const loads = Number(values.loads);
if (!Number.isInteger(loads) || loads < 10) {
  console.error(`--loads: expected a whole number from 10, got "${values.loads}"`);
  process.exit(2);
}

const mb = (bytes: number) => Math.round(bytes / 1e6);

const { before, afterLoad, after, loadMs } = await turnOverModels(loads);
const rss = afterLoad.map(({ memoryBytes }) => memoryBytes);
const [first, last] = [median(rss.slice(0, 5)), median(rss.slice(-5))];
const growth = last / first - 1;
const report = {
  loads,
  beforeMb: mb(before.memoryBytes),
  firstFiveMb: mb(first),
  lastFiveMb: mb(last),
  mostMb: mb(Math.max(...rss)),
  growthPercent: Number((growth * 100).toFixed(1)),
  afterKeepAliveMb: mb(after.memoryBytes),
  mostProcesses: Math.max(...afterLoad.map(({ processes }) => processes)),
  loadP50Ms: Math.round(median(loadMs)),
  loadMostMs: Math.round(Math.max(...loadMs)),
};
if (values.json) console.log(JSON.stringify(report));
else for (const [name, figure] of Object.entries(report)) console.log(`${name.padEnd(16)} ${figure}`);
process.exit(growth > 0.1 ? 1 : 0);
