import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pino from "pino";
import { decodeMessage, encodeMessage } from "#protocol/codec.ts";
import { ControllerState, MinuteData } from "#protocol/messages.ts";
import { MqttBroker } from "#protocol/mqtt-broker.ts";
import { agentTopic, controllerStateTopic } from "#protocol/topics.ts";
import { createMosquitto, type Mosquitto } from "../fakes/mosquitto.ts";
import { untilConnected } from "../protocol/broker-contract.ts";
import { eventually, type Program, startProgram, temporaryDirectory } from "./program.ts";

// A minute of the agent's clock passes in 250 ms: an hour in 15 s.
const clock = { speed: 240, anchorRealMs: Date.now(), startMs: Date.UTC(2026, 0, 5) };
const silent = pino({ level: "silent" });

function mountDisk(path: string, ...options: string[]): boolean {
  mkdirSync(path, { recursive: true });
  return Bun.spawnSync(["mount", "-t", "tmpfs", "-o", ["size=2m", ...options].join(","), "tmpfs", path]).exitCode === 0;
}
const remount = (path: string, how: "ro" | "rw") =>
  expect(Bun.spawnSync(["mount", "-o", `remount,${how}`, path]).exitCode).toBe(0);

const probe = temporaryDirectory();
const mayMount = mountDisk(join(probe.path, "disk"));
Bun.spawnSync(["umount", join(probe.path, "disk")]);
probe.remove();
if (!mayMount) console.warn("full-disk tests are skipped: this user can't mount a small disk (tmpfs)");

let mosquitto: Mosquitto;
let directory: ReturnType<typeof temporaryDirectory>;
let disk: string;
let program: Program | undefined;

describe.skipIf(!mayMount)("an agent whose disk fails", () => {
  beforeAll(async () => {
    mosquitto = await createMosquitto();
  });
  afterAll(() => mosquitto.dispose());
  beforeEach(() => {
    directory = temporaryDirectory();
    disk = join(directory.path, "disk");
    expect(mountDisk(disk)).toBe(true);
  });
  afterEach(async () => {
    await program?.stop("SIGKILL");
    Bun.spawnSync(["umount", "-l", disk]);
    directory.remove();
  });

  async function startAgent(env: Record<string, string> = {}) {
    const config = {
      fleet: "disk",
      id: "thor-1",
      stateDir: join(disk, "state"),
      broker: { url: mosquitto.url, keepAliveS: 2 },
      serving: { host: "127.0.0.1", port: 0, cacheBytes: 0 },
      power: { board: "none" },
      clock,
    };
    const path = join(directory.path, "agent.json");
    await Bun.write(path, JSON.stringify(config));
    const started = startProgram(["agent", "--config", path], directory.path, env);
    program = started;
    const { url } = JSON.parse(await started.untilLogged('"agent started"')) as { url: string };
    await eventually(
      async () => (await fetch(`${url}/readyz`)).status,
      (status) => status === 200,
    );
    return { program: started, url };
  }

  /** What a controller that listens gets. */
  async function collect() {
    const records = new Map<string, MinuteData>();
    const broker = new MqttBroker(
      { url: mosquitto.url, clientId: `collector-${crypto.randomUUID()}`, cleanSession: false },
      silent,
    );
    broker.subscribe(agentTopic("disk", "thor-1", "data"), ({ payload }) => {
      const decoded = decodeMessage(MinuteData, payload);
      if (!decoded.ok) throw new Error(decoded.reason);
      records.set(`${decoded.message.bootId}/${decoded.message.seq}`, decoded.message);
    });
    const say = (status: "online" | "offline") => {
      const state: ControllerState = { v: 1, status, instanceId: "collector", version: "test", sentAtMs: 1 };
      return broker.publish(controllerStateTopic("disk"), encodeMessage(ControllerState, state), { retain: true });
    };
    await broker.start();
    await untilConnected(broker);
    const requests = () =>
      [...records.values()].reduce(
        (sum, { traffic }) => sum + traffic.models.reduce((models, model) => models + model.requests, 0),
        0,
      );
    return { records, say, requests, stop: () => broker.stop() };
  }

  const embed = async (url: string, count: number) => {
    for (let index = 0; index < count; index += 1) {
      const body = JSON.stringify({ inputs: [`gripper ${index} reports torque ${Math.random()}`] });
      const response = await fetch(`${url}/api/v1/embed`, { method: "POST", body });
      expect(response.status).toBe(200);
      await response.arrayBuffer();
    }
  };
  const storage = async (url: string) => {
    const health = (await (await fetch(`${url}/health`)).json()) as {
      checks: { storage: { status: string; detail: string } };
    };
    return health.checks.storage;
  };
  const status = async (url: string) =>
    (await (await fetch(`${url}/api/v1/status`)).json()) as {
      nowMs: number;
      outbox: { entries: number; droppedRecords: number };
      storage: { failing: object | null; waiting: { records: number } };
    };
  const fill = () => {
    try {
      for (let file = 0; ; file += 1) writeFileSync(join(disk, `filler-${file}`), new Uint8Array(4_096));
    } catch (error) {
      expect((error as NodeJS.ErrnoException).code).toBe("ENOSPC");
    }
  };
  const empty = () => {
    for (const name of new Bun.Glob("filler-*").scanSync(disk)) rmSync(join(disk, name));
  };

  test.each(["online", "offline"] as const)(
    "full for an hour while the controller is %s: said, and not one request is missing from the record",
    async (controller) => {
      const { program, url } = await startAgent();
      const collector = await collect();
      await collector.say("online");
      await embed(url, 5);
      await eventually(
        async () => collector.requests(),
        (requests) => requests === 5,
      );
      expect((await storage(url)).status).toBe("healthy");
      await collector.say(controller);
      fill();
      const fromMs = (await status(url)).nowMs;
      let asked = 5;
      while ((await status(url)).nowMs - fromMs < 3_600_000) {
        await embed(url, 5);
        asked += 5;
        await Bun.sleep(50);
      }
      expect(await storage(url)).toMatchObject({
        status: "degraded",
        detail: expect.stringMatching(/not written since .*full.*waiting in memory/),
      });
      expect((await fetch(`${url}/readyz`)).status).toBe(200);
      expect((await status(url)).outbox.droppedRecords).toBe(0);
      expect(await (await fetch(`${url}/metrics`)).text()).toMatch(/^thormesh_storage_failing 1$/m);
      if (controller === "online")
        // From memory, while the disk is still full.
        await eventually(
          async () => collector.requests(),
          (requests) => requests === asked,
        );
      empty();
      await eventually(
        () => storage(url),
        (check) => check.status === "healthy",
      );
      await collector.say("online");
      await embed(url, 5);
      expect(await program.stop("SIGTERM")).toBe(0);
      await eventually(
        async () => collector.requests(),
        (requests) => requests === asked + 5,
      );
      const seqs = [...collector.records.values()].map(({ seq }) => seq).sort((a, b) => a - b);
      expect(seqs).toEqual(seqs.map((_, index) => index + 1));
      await collector.stop();
    },
    120_000,
  );

  test.each<{ name: string; spoil: () => void; mend: () => void }>([
    { name: "full", spoil: fill, mend: empty },
    { name: "read-only", spoil: () => remount(disk, "ro"), mend: () => remount(disk, "rw") },
  ])(
    "$name at the start: it serves, says so, records in memory, and on disk once it can",
    async ({ spoil, mend }) => {
      spoil();
      const { program, url } = await startAgent();
      const collector = await collect();
      await collector.say("offline");
      await embed(url, 5);
      await eventually(
        () => status(url),
        ({ outbox }) => outbox.entries >= 3,
      );
      expect((await storage(url)).status).toBe("degraded");
      mend();
      await eventually(
        () => storage(url),
        (check) => check.status === "healthy",
      );
      // Killed now, what it counted is on disk.
      await program.stop("SIGKILL");
      const second = await startAgent();
      await collector.say("online");
      await eventually(
        async () => collector.requests(),
        (requests) => requests === 5,
      );
      expect(await second.program.stop("SIGTERM")).toBe(0);
      await collector.stop();
    },
    120_000,
  );

  test("all of the machine's disk is full, the directory for temporary files too: it serves", async () => {
    const [HOME, TMPDIR] = [join(disk, "home"), join(disk, "tmp")];
    for (const path of [HOME, TMPDIR]) mkdirSync(path);
    fill();
    const { program, url } = await startAgent({ HOME, TMPDIR, XDG_CACHE_HOME: "" });
    await embed(url, 5);
    expect((await storage(url)).status).toBe("degraded");
    expect(await program.stop("SIGTERM")).toBe(0);
  }, 120_000);

  test("its directory is deleted while it runs: nothing is lost either", async () => {
    const { program, url } = await startAgent();
    const collector = await collect();
    await collector.say("offline");
    await embed(url, 5);
    await eventually(
      () => status(url),
      ({ outbox }) => outbox.entries >= 3,
    );
    rmSync(join(disk, "state"), { recursive: true });
    await program.untilLogged("the state file was deleted: recreating it");
    await embed(url, 5);
    const { nowMs } = await status(url);
    await eventually(
      () => status(url),
      (now) => now.nowMs > nowMs + 180_000,
    );
    await program.stop("SIGKILL");
    const second = await startAgent();
    await collector.say("online");
    await eventually(
      async () => collector.requests(),
      (requests) => requests === 10,
    );
    expect(await second.program.stop("SIGTERM")).toBe(0);
    await collector.stop();
  }, 120_000);
});
