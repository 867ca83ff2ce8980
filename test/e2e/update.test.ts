import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { freePort } from "../fakes/free-port.ts";
import { createSigningKey, type ReleaseServer, releaseFiles, releaseTimeMs, serveReleases } from "../fakes/releases.ts";
import { createDevice, type Manner, type UpdatableDevice } from "../fakes/updatable-device.ts";
import { eventually, type Program, programCommand, startConfigured, temporaryDirectory } from "./program.ts";

/** Three real agents and a real controller; only the versions are made up, as one executable says that it is several. */
const names = ["thor-1", "thor-2", "thor-3"] as const;
const key = createSigningKey();
let directory: ReturnType<typeof temporaryDirectory>;
let server: ReleaseServer;
let controller: Program;
let api: string;
const devices = new Map<string, UpdatableDevice>();

const deviceOf = (name: string) => devices.get(name) as UpdatableDevice;

/** Publishes a version, under its name and as the newest; each device has its own, as the program names its port. */
function publish(version: string, manner: Manner, step: number): void {
  for (const name of names) {
    const executable = deviceOf(name).program(version, manner);
    const files = releaseFiles(key, { version, executable, releasedAtMs: releaseTimeMs + step * 1000 });
    for (const place of [name, `${name}/${version}`]) server.publish(files, place);
  }
}

async function ask(path: string, method = "GET", body?: object) {
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${api}${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer = (await response.json()) as Record<string, never>;
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
  return answer;
}

interface RolloutView {
  readonly state: string;
  readonly reason: string;
  readonly agents: Readonly<Record<string, number>>;
  readonly listed: readonly { readonly agentId: string; readonly progress: string; readonly reason: string | null }[];
}
const rollout = async () => (await ask("/api/v1/rollout"))["rollout"] as unknown as RolloutView;

const versionOf = async (name: string): Promise<string> =>
  ((await (await fetch(`${deviceOf(name).url}/health`)).json()) as { version: string }).version;

async function embeds(name: string): Promise<number> {
  const body = JSON.stringify({ inputs: [`is the gripper ready? ${Math.random()}`] });
  return (await fetch(`${deviceOf(name).url}/api/v1/embed`, { method: "POST", body })).status;
}

beforeAll(async () => {
  directory = temporaryDirectory();
  server = serveReleases();
  const brokerPort = await freePort();
  const config = {
    ...{ stateDir: join(directory.path, "controller"), api: { port: 0 }, broker: { port: brokerPort } },
    scaling: { minReplicas: 1, warmUpMs: 0 },
  };
  controller = await startConfigured("controller", config, directory.path);
  api = JSON.parse(await controller.untilLogged('"controller started"')).url;
  for (const name of names) {
    const own = join(directory.path, name);
    const agent = {
      ...{ id: name, region: name, stateDir: join(own, "state"), logLevel: "warn", power: { board: "none" } },
      broker: { url: `mqtt://127.0.0.1:${brokerPort}`, keyFile: join(directory.path, "controller", "broker.key") },
      serving: { grpc: { enabled: false } },
      update: {
        ...{ allowFleet: true, prefix: join(own, "lib") },
        command: [
          ...["sh", "-c"],
          `setsid ${own}/lib/current/thormesh update --order {order} --config ${own}/update.yaml >>${own}/update.log 2>&1 &`,
        ],
      },
    };
    const releases = `${server.url}/${name}`;
    devices.set(
      name,
      await createDevice(own, { releases, key, startWithinS: 60, agent: { command: programCommand, config: agent } }),
    );
    deviceOf(name).start();
  }
  for (const name of names)
    await eventually(
      () => embeds(name),
      (status) => status === 200,
    );
});

afterAll(async () => {
  for (const device of devices.values()) await device.stop();
  await controller.stop();
  server.stop();
  directory.remove();
});

test("a version is rolled out over three agents, two at a time, and each goes on serving", async () => {
  publish("0.2.0", "good", 1);
  await eventually(
    async () => (await ask("/api/v1/fleet"))["agents"] as unknown as { active: number },
    ({ active }) => active === 3,
  );
  await ask("/api/v1/rollout", "POST", {
    version: "0.2.0",
    waves: [{ share: 1, regions: ["thor-1"] }, { share: 1 }],
    soakS: 0,
  });
  const ended = await eventually(rollout, ({ state }) => state !== "running");
  expect(ended).toMatchObject({ state: "done", agents: { updated: 3, failed: 0, waiting: 0 } });
  for (const name of names) {
    expect({ name, version: await versionOf(name), inForce: deviceOf(name).inForce() }).toEqual({
      name,
      version: "0.2.0",
      inForce: "0.2.0",
    });
    expect(await embeds(name)).toBe(200);
  }
});

test("a version that one agent gives up halts the roll-out, and that agent serves as before", async () => {
  publish("0.3.0", "dead", 2);
  await ask("/api/v1/rollout", "POST", {
    version: "0.3.0",
    waves: [{ share: 1, regions: ["thor-2"] }, { share: 1 }],
    soakS: 0,
  });
  const ended = await eventually(rollout, ({ state }) => state !== "running");
  expect(ended).toMatchObject({ state: "halted", agents: { updated: 0, failed: 1, waiting: 2 } });
  expect(ended.listed[0]).toMatchObject({ agentId: "thor-2", progress: "failed" });
  expect(ended.listed[0]?.reason).toStartWith("0.3.0 was rolled back: ");
  await eventually(
    () => embeds("thor-2"),
    (status) => status === 200,
  );
  for (const name of names) expect({ name, version: await versionOf(name) }).toEqual({ name, version: "0.2.0" });
  expect(await ask("/api/v1/rollout/stop", "POST")).toMatchObject({ rollout: { state: "stopped" } });
});
