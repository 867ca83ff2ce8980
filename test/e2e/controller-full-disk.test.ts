import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../fakes/mosquitto.ts";
import { eventually, type Program, startProgram, temporaryDirectory } from "./program.ts";

// A minute of the fleet's clock passes in 250 ms.
const clock = { speed: 240, anchorRealMs: Date.now(), startMs: Date.UTC(2026, 0, 5) };

function mountDisk(path: string): boolean {
  mkdirSync(path, { recursive: true });
  return Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", path]).exitCode === 0;
}
const probe = temporaryDirectory();
const mayMount = mountDisk(join(probe.path, "disk"));
Bun.spawnSync(["umount", join(probe.path, "disk")]);
probe.remove();
if (!mayMount) console.warn("the controller's full-disk tests are skipped: this user can't mount a small disk (tmpfs)");

let directory: ReturnType<typeof temporaryDirectory>;
let disk: string;
const running: Program[] = [];
beforeEach(() => {
  directory = temporaryDirectory();
  disk = join(directory.path, "disk");
});
afterEach(async () => {
  for (const program of running.splice(0)) await program.stop("SIGKILL");
  Bun.spawnSync(["umount", "-l", disk]);
  directory.remove();
});

async function start(command: "agent" | "controller", config: object): Promise<Program> {
  const path = join(directory.path, `${command}.json`);
  await Bun.write(path, JSON.stringify({ fleet: "disk", clock, ...config }));
  const program = startProgram([command, "--config", path], directory.path);
  running.push(program);
  return program;
}
const startController = (api: number, broker: number) =>
  start("controller", { stateDir: join(disk, "state"), api: { port: api }, broker: { port: broker } });

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
const json = async <T>(url: string) => {
  const response = await fetch(url);
  expect(response.status).toBe(200);
  return (await response.json()) as T;
};

describe.skipIf(!mayMount)("a controller whose disk is full", () => {
  test("runs on, says so, acknowledges no minute that it can't store, and has all of them in the end", async () => {
    expect(mountDisk(disk)).toBe(true);
    const [api, broker] = [await freePort(), await freePort()];
    const controller = await startController(api, broker);
    const base = `http://127.0.0.1:${api}`;
    const health = () => json<{ status: string; problems: string[] }>(`${base}/healthz`);
    await eventually(health, ({ status }) => status === "ok");
    const agent = await start("agent", {
      id: "thor-1",
      stateDir: join(directory.path, "agent-state"),
      broker: { url: `mqtt://127.0.0.1:${broker}`, keepAliveS: 2 },
      serving: { port: 0, threads: 1, cacheBytes: 0 },
      power: { board: "none" },
    });
    const { url } = JSON.parse(await agent.untilLogged('"agent started"')) as { url: string };
    let asked = 0;
    const embed = async (count: number) => {
      for (let index = 0; index < count; index += 1) {
        const body = JSON.stringify({ inputs: [`gripper ${asked}`] });
        expect((await fetch(`${url}/api/v1/embed`, { method: "POST", body })).status).toBe(200);
        asked += 1;
      }
    };
    const waiting = async () => (await json<{ outbox: { entries: number } }>(`${url}/api/v1/status`)).outbox.entries;
    await eventually(
      async () => (await fetch(`${url}/readyz`)).status,
      (status) => status === 200,
    );
    await embed(5);
    await eventually(waiting, (entries) => entries === 0);

    fill();
    await embed(5);
    await eventually(waiting, (entries) => entries >= 5);
    const { status, problems } = await eventually(health, (answer) => answer.status === "degraded");
    expect({ status, problems }).toMatchObject({ problems: [expect.stringContaining("can't be stored")] });
    for (const path of ["agents", "status", "decisions"])
      expect((await fetch(`${base}/api/v1/${path}`)).status).toBeLessThan(500);
    await embed(5);

    empty();
    await eventually(waiting, (entries) => entries <= 1);
    await eventually(health, (answer) => answer.status === "ok");
    expect(await agent.stop("SIGTERM")).toBe(0);
    expect(await controller.stop("SIGTERM")).toBe(0);
    const database = new Database(join(disk, "state", "controller.db"), { readonly: true });
    const rows = database
      .query<{ seq: number; texts: number }, []>("SELECT seq, texts FROM minute WHERE agent_id = 'thor-1' ORDER BY seq")
      .all();
    database.close();
    expect(rows.reduce((sum, { texts }) => sum + texts, 0)).toBe(asked);
    expect(rows.map(({ seq }) => seq)).toEqual(rows.map((_, index) => index + 1));
  }, 120_000);

  test("a controller can do nothing without its store: on a full disk it does not start, and names the file", async () => {
    expect(mountDisk(disk)).toBe(true);
    fill();
    const controller = await startController(await freePort(), await freePort());
    expect(await controller.child.exited).not.toBe(0);
    expect(controller.log()).toContain(join(disk, "state"));
  }, 60_000);
});
