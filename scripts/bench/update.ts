/** Measures updates that are killed. Usage: see scripts/bench/update. */
import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { faultPoints } from "#tools/update/fault-points.ts";
import { eventually, programCommand, temporaryDirectory } from "../../test/e2e/program.ts";
import { createSigningKey, releaseFiles, releaseTimeMs, serveReleases } from "../../test/fakes/releases.ts";
import { createDevice, type Manner, type UpdatableDevice } from "../../test/fakes/updatable-device.ts";

/** Time within which a device must serve again after a kill. */
const serveWithinMs = 60_000;
const longestUpdateMs = 4_000;
const maxReturnS = 60;

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "100" },
    seed: { type: "string", default: "1" },
    json: { type: "boolean", default: false },
  },
});

/** Numbers from 0 to 1 by a seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const key = createSigningKey();
const directory = temporaryDirectory();
const server = serveReleases();
const agent = {
  command: programCommand,
  config: {
    ...{ stateDir: join(directory.path, "state"), logLevel: "error", power: { board: "none" } },
    ...{ broker: { url: "mqtt://127.0.0.1:1" }, serving: { grpc: { enabled: false } } },
  },
};

async function embeds(device: UpdatableDevice): Promise<string> {
  const body = JSON.stringify({ input: `does it serve? ${Math.random()}` });
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${device.url}/v1/embeddings`, { method: "POST", body, headers });
  const answer = (await response.json()) as { data?: readonly { embedding: readonly number[] }[] };
  if (response.status !== 200 || (answer.data?.[0]?.embedding.length ?? 0) < 1)
    throw new Error(`got ${response.status}`);
  return ((await (await fetch(`${device.url}/health`)).json()) as { version: string }).version;
}

/** Version that serves; null: none does in time, which is a device without a working version. */
const served = (device: UpdatableDevice): Promise<string | null> =>
  eventually(
    () => embeds(device),
    () => true,
    serveWithinMs,
  ).catch(() => null);

let released = 1;
function release(device: UpdatableDevice, manner: Manner): string {
  released += 1;
  const version = `0.${released}.0`;
  const executable = device.program(version, manner);
  server.publish(releaseFiles(key, { version, executable, releasedAtMs: releaseTimeMs + released * 1000 }));
  return version;
}

interface Kill {
  readonly at: string;
  readonly manner: Manner;
  readonly serves: string | null;
  readonly afterResume: string | null;
  readonly servesAfterMs: number;
}

async function killOnce(device: UpdatableDevice, index: number, random: () => number): Promise<Kill | null> {
  const manner: Manner = random() < 0.6 ? "good" : random() < 0.5 ? "dead" : "unready";
  const point = index % 2 === 0 ? faultPoints[(index / 2) % faultPoints.length] : undefined;
  release(device, manner);
  const afterMs = point === undefined ? Math.round(random() * longestUpdateMs) : undefined;
  const { exitCode } = await device.update(["update"], point, afterMs);
  if (exitCode !== 137) return null;
  const startedMs = performance.now();
  // While a version is on trial that does not serve, what follows is the updater's work: the next start of the machine brings it.
  if (!/^thormesh 0\.\d+\.0 /.test(await device.says()))
    return { at: point ?? `${afterMs} ms`, manner, serves: null, afterResume: null, servesAfterMs: 0 };
  await device.update(["update", "--resume"]);
  const afterResume = await served(device);
  return {
    at: point ?? `${afterMs} ms`,
    manner,
    serves: device.inForce(),
    afterResume,
    servesAfterMs: performance.now() - startedMs,
  };
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return (performance.now() - startedMs) / 1000;
}

const random = seeded(Number(values.seed));
const device = await createDevice(join(directory.path, "device"), {
  releases: server.url,
  key,
  startWithinS: 4,
  agent,
});
device.start();
const kills: Kill[] = [];
try {
  if ((await served(device)) === null) throw new Error("the device does not serve before the first kill");
  for (let index = 0; kills.length < Number(values.kills); index += 1) {
    const kill = await killOnce(device, index, random);
    if (kill === null) continue;
    kills.push(kill);
    if (!values.json && kills.length % 10 === 0)
      console.error(`${kills.length} kills, ${kills.filter(({ afterResume }) => afterResume === null).length} bricked`);
  }
} finally {
  await device.stop();
}

const patient = await createDevice(join(directory.path, "patient"), {
  ...{ releases: server.url, key, windowS: 30, startWithinS: 20 },
  agent: { ...agent, config: { ...agent.config, stateDir: join(directory.path, "patient-state") } },
});
patient.start();
await served(patient);
release(patient, "good");
const updateS = await seconds(() => patient.update(["update"]));
const times: Record<string, number> = {};
for (const manner of ["dead", "unready", "no-vectors"] as const) {
  release(patient, manner);
  times[manner] = await seconds(async () => {
    await patient.update(["update"]);
    if ((await served(patient)) === null)
      throw new Error(`the device does not serve after a version that was ${manner}`);
  });
}
const rollbackS = await seconds(async () => {
  await patient.update(["rollback"]);
  await served(patient);
});
await patient.stop();
server.stop();
directory.remove();

const bricked = kills.filter(({ afterResume }) => afterResume === null);
const slowest = Math.max(...kills.map(({ servesAfterMs }) => servesAfterMs)) / 1000;
const worstReturnS = Math.max(...Object.values(times));
const result = {
  machine: `${cpus().length} x ${cpus()[0]?.model ?? "?"}`,
  kills: kills.length,
  bricked,
  slowestS: slowest,
  updateS,
  givenUpS: times,
  rollbackS,
};
if (values.json) console.log(JSON.stringify(result, null, 2));
else {
  console.log(
    `${result.kills} kills on ${result.machine}: ${bricked.length} bricked; slowest to serve again, resuming included: ${slowest.toFixed(1)} s`,
  );
  console.log(`update with a window of 30 s: ${updateS.toFixed(1)} s; rollback: ${rollbackS.toFixed(1)} s`);
  for (const [manner, s] of Object.entries(times))
    console.log(`update to a version that is ${manner}, until the one before serves again: ${s.toFixed(1)} s`);
}
process.exit(bricked.length > 0 || worstReturnS > maxReturnS ? 1 : 0);
