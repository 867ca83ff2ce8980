/** See scripts/chaos. */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { formatTable } from "#platform/terminal/format-table.ts";
import { minuteMs, secondMs } from "#platform/time.ts";
import { temporaryDirectory } from "../../test/e2e/program.ts";
import { mayMountDisks, mountSmallDisk, type SmallDisk } from "../../test/e2e/small-disk.ts";
import { fastClock } from "../../test/fakes/fast-clock.ts";
import { createRandom } from "../fuzz/random.ts";
import { documentsOfNobody, ordersOfTwoLeaders } from "./check-orders.ts";
import { checkRecords, wrongDecisions } from "./check-records.ts";
import { FaultFleet, replicaLimits, serverName } from "./fault-fleet.ts";
import { type FaultScene, faultLasts, faults } from "./faults.ts";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    broker: { type: "string", default: "embedded" },
    store: { type: "string", default: "sqlite" },
    agents: { type: "string", default: "2" },
    kills: { type: "string" },
    only: { type: "string" },
    seed: { type: "string" },
    speed: { type: "string", default: "60" },
    json: { type: "boolean", default: false },
  },
});
const { broker, store } = values;
if (broker !== "embedded" && broker !== "mosquitto")
  throw new Error(`--broker: expected embedded or mosquitto, got "${broker}"`);
if (store !== "sqlite" && store !== "postgres") throw new Error(`--store: expected sqlite or postgres, got "${store}"`);
const kills = Number(values.kills ?? (values.quick || values.only !== undefined ? 0 : 200));
const seed = Number(values.seed ?? crypto.getRandomValues(new Uint32Array(1))[0]);
const maxRecoveryS = 30;
/** Time after which a fleet that has not recovered is given up. */
const givenUpMs = 120 * secondMs;
const say = (line: string) => void process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`);

interface Tried {
  readonly fault: string;
  times: number;
  recoveryS: number;
  trouble: string | null;
}

const directory = temporaryDirectory();
const disks = new Map<string, SmallDisk>();
const stateDirs: Record<string, string> = {};
if (mayMountDisks())
  for (const name of ["thor-1", "controller"]) {
    const disk = mountSmallDisk(join(directory.path, `disk-${name}`), 24);
    disks.set(name, disk);
    stateDirs[name] = join(disk.path, "state");
  }
const clock = fastClock(Number(values.speed));
const fleet = new FaultFleet({
  ...{ directory: directory.path, agents: Number(values.agents), broker, store, clock, stateDirs },
});
const randomSource = createRandom(seed);
const random = () => randomSource.below(1_000_000) / 1_000_000;
const complaints: string[] = [];
const complain = (what: string) => void complaints.push(what);
const scene: FaultScene = { fleet, disks, aWhileMs: faultLasts / clock.speed, random, setAside: [], complain };

/** Waits until the fleet has recovered; resolves with the seconds it took and what is still wrong. */
async function recover(): Promise<{ readonly seconds: number; readonly trouble: string | null }> {
  const startMs = performance.now();
  for (;;) {
    const trouble = await fleet.trouble();
    const tookMs = performance.now() - startMs;
    if (trouble === null || tookMs > givenUpMs) return { seconds: tookMs / 1000, trouble };
    await Bun.sleep(100);
  }
}

const tried = new Map<string, Tried>();
async function attempt(name: string, inflict: () => Promise<void>): Promise<void> {
  await inflict();
  const { seconds, trouble: left } = await recover();
  const trouble = left ?? (complaints.splice(0).join("; ") || null);
  const row = tried.get(name) ?? { fault: name, times: 0, recoveryS: 0, trouble: null };
  row.times += 1;
  row.recoveryS = Math.max(row.recoveryS, seconds);
  row.trouble ??= trouble;
  tried.set(name, row);
  say(`${name}: ${trouble ?? `recovered after ${seconds.toFixed(1)} s`}`);
}

async function cleanUp(): Promise<void> {
  await fleet.dispose();
  for (const disk of disks.values()) disk.unmount();
  directory.remove();
}
// Ended from outside, it must leave neither processes nor disks behind.
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => void cleanUp().finally(() => process.exit(130)));

let exitCode = 0;
try {
  say(
    `${values.agents} agents, ${broker} broker, records in ${store}, a minute in ${(minuteMs / clock.speed / 1000).toFixed(2)} s, --seed ${seed}`,
  );
  await fleet.start();
  const { trouble } = await recover();
  if (trouble !== null) throw new Error(`the fleet does not run: ${trouble}`);
  const chosen = faults.filter(({ name, isLong }) =>
    values.only === undefined
      ? !(values.quick && isLong === true)
      : values.only.split(",").some((part) => name.includes(part)),
  );
  const skipped: string[] = [];
  for (const fault of chosen) {
    const why = fault.skipped?.(scene) ?? null;
    if (why === null) await attempt(fault.name, () => fault.inflict(scene));
    else skipped.push(`${fault.name}: ${why}`);
  }
  for (let kill = 0; kill < kills; kill += 1) {
    const names = [...fleet.agentIds, "broker", "controller", ...(fleet.hasServer ? [serverName] : [])];
    const name = names[Math.floor(random() * names.length)] as string;
    await attempt(`random kill -9 of ${name}`, async () => {
      // At any step: right after a start, within a minute, or as it ends.
      await Bun.sleep((random() * 2 * minuteMs) / clock.speed);
      await fleet.kill(name);
      await fleet.restart(name);
    });
  }
  await fleet.stop();
  const controllers = [await fleet.recordsOfController(), ...scene.setAside];
  const agents = fleet.agentIds.map((agentId) => ({ agentId, stateDir: fleet.stateDirOf(agentId) }));
  const check = checkRecords(agents, controllers, fleet.wrongClocks);
  const wrong = wrongDecisions(controllers, replicaLimits);
  const { orders, unreadable } = fleet.record;
  const twoLeaders = [...ordersOfTwoLeaders(orders), ...documentsOfNobody(agents, controllers), ...unreadable];
  const rows = [...tried.values()];
  const { recorded, stored, setAside, lost, doubled, changed } = check;
  const sums = {
    recorded,
    stored,
    setAside,
    lost: lost.length,
    doubled: doubled.length,
    changed: changed.length,
    wrong: wrong.length,
    orders: orders.length,
    twoLeaders: twoLeaders.length,
  };
  if (values.json) console.log(JSON.stringify({ seed, rows, skipped, ...sums }));
  else {
    console.log(
      formatTable(
        ["fault", "times", "recovered within s", "trouble"],
        rows.map(({ fault, times, recoveryS, trouble: left }) => [
          fault,
          String(times),
          recoveryS.toFixed(1),
          left ?? "",
        ]),
      ),
    );
    for (const each of skipped) console.log(`skipped: ${each}`);
    console.log(
      `minutes on the agents' record ${recorded}, stored ${stored}, set aside ${setAside}, lost ${lost.length}, doubled ${doubled.length}, changed ${changed.length}; wrong decisions ${wrong.length}; orders seen ${orders.length}, of a second leader ${twoLeaders.length}`,
    );
  }
  const faulty = [...lost, ...doubled, ...changed, ...wrong, ...twoLeaders];
  for (const each of faulty.slice(0, 20)) say(each);
  const slow = rows.filter(({ recoveryS, trouble: left }) => recoveryS > maxRecoveryS || left !== null);
  if (faulty.length + slow.length > 0) exitCode = 1;
} catch (error) {
  for (const name of [...fleet.agentIds, "controller"]) say(`log of ${name}:\n${fleet.logOf(name).slice(-3000)}`);
  throw error;
} finally {
  await cleanUp();
}
process.exit(exitCode);
