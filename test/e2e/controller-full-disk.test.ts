import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { fastClock } from "../fakes/fast-clock.ts";
import { freePort } from "../fakes/free-port.ts";
import { embedTexts, eventually, type Program, startConfigured, temporaryDirectory, untilReady } from "./program.ts";
import { mayMountDisks, mountSmallDisk, type SmallDisk } from "./small-disk.ts";

// A minute of the fleet's clock passes in 250 ms.
const clock = fastClock(240);

let directory: ReturnType<typeof temporaryDirectory>;
let disk: SmallDisk;
const running: Program[] = [];

async function start(command: "agent" | "controller", config: object): Promise<Program> {
  const program = await startConfigured(command, { fleet: "disk", clock, ...config }, directory.path);
  running.push(program);
  return program;
}
const startController = (api: number, broker: number) =>
  start("controller", { stateDir: join(disk.path, "state"), api: { port: api }, broker: { port: broker } });

const json = async <T>(url: string) => {
  const response = await fetch(url);
  expect(response.status).toBe(200);
  return (await response.json()) as T;
};

describe.skipIf(!mayMountDisks())("a controller whose disk is full", () => {
  beforeEach(() => {
    directory = temporaryDirectory();
    disk = mountSmallDisk(join(directory.path, "disk"), 8);
  });
  afterEach(async () => {
    for (const program of running.splice(0)) await program.stop("SIGKILL");
    disk.unmount();
    directory.remove();
  });

  test("runs on, says so, acknowledges no minute that it can't store, and has all of them in the end", async () => {
    const [api, broker] = [await freePort(), await freePort()];
    const controller = await startController(api, broker);
    const base = `http://127.0.0.1:${api}`;
    const health = () => json<{ status: string; problems: string[] }>(`${base}/healthz`);
    await eventually(health, ({ status }) => status === "ok");
    const agent = await start("agent", {
      id: "thor-1",
      stateDir: join(directory.path, "agent-state"),
      broker: { url: `mqtt://127.0.0.1:${broker}` },
      serving: { port: 0, threads: 1, cacheBytes: 0 },
      power: { board: "none" },
    });
    const { url } = await untilReady(agent);
    let asked = 0;
    const embed = async (count: number) => {
      await embedTexts(url, count);
      asked += count;
    };
    const waiting = async () => (await json<{ outbox: { entries: number } }>(`${url}/api/v1/status`)).outbox.entries;
    await embed(5);
    await eventually(waiting, (entries) => entries === 0);

    disk.fill();
    await embed(5);
    await eventually(waiting, (entries) => entries >= 5);
    const { status, problems } = await eventually(health, (answer) => answer.status === "degraded");
    expect({ status, problems }).toMatchObject({ problems: [expect.stringContaining("can't be stored")] });
    for (const path of ["agents", "status", "decisions"])
      expect((await fetch(`${base}/api/v1/${path}`)).status).toBeLessThan(500);
    await embed(5);

    disk.empty();
    await eventually(waiting, (entries) => entries <= 1);
    await eventually(health, (answer) => answer.status === "ok");
    expect(await agent.stop("SIGTERM")).toBe(0);
    expect(await controller.stop("SIGTERM")).toBe(0);
    const database = new Database(join(disk.path, "state", "controller.db"), { readonly: true });
    const rows = database
      .query<{ seq: number; texts: number }, []>("SELECT seq, texts FROM minute WHERE agent_id = 'thor-1' ORDER BY seq")
      .all();
    database.close();
    expect(rows.reduce((sum, { texts }) => sum + texts, 0)).toBe(asked);
    expect(rows.map(({ seq }) => seq)).toEqual(rows.map((_, index) => index + 1));
  });

  test("a controller can do nothing without its store: on a full disk it does not start, and names the file", async () => {
    disk.fill();
    const controller = await startController(await freePort(), await freePort());
    expect(await controller.child.exited).not.toBe(0);
    expect(controller.log()).toContain(join(disk.path, "state"));
  });
});
