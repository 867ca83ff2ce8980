import { afterAll, expect, test } from "bun:test";
import { lstatSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { tinyRepository } from "../agent/serving/models/pull/tiny-repository.ts";
import { freePort } from "../fakes/free-port.ts";
import { eventually, type Program, programCommand, startProgram, temporaryDirectory } from "./program.ts";

const directory = temporaryDirectory();
const running: Program[] = [];
afterAll(async () => {
  for (const program of running) await program.stop("SIGKILL");
  directory.remove();
});

/** Lists the files below a directory that its group or others may read, write or enter. */
function openToOthers(path: string): string[] {
  const stats = lstatSync(path);
  const own =
    !stats.isSymbolicLink() && (stats.mode & 0o077) !== 0 ? [`${path} ${(stats.mode & 0o777).toString(8)}`] : [];
  return [...own, ...(stats.isDirectory() ? readdirSync(path).flatMap((name) => openToOthers(join(path, name))) : [])];
}

test("agent and controller leave nothing that others can read, whatever umask they are started with", async () => {
  const umask = process.umask(0o022);
  try {
    const temporary = join(directory.path, "tmp");
    mkdirSync(temporary, { mode: 0o700 });
    const env = { TMPDIR: temporary, HOME: join(directory.path, "home"), XDG_STATE_HOME: "", XDG_CACHE_HOME: "" };
    const [api, broker, http] = [await freePort(), await freePort(), await freePort()];
    const controllerState = join(directory.path, "controller");
    const agentState = join(directory.path, "agent");
    const start = (args: readonly string[]) => {
      const program = startProgram(args, directory.path, env);
      running.push(program);
      return program;
    };
    const controller = start(
      `controller --listen 127.0.0.1:${api} --broker-port ${broker} --state-dir ${controllerState}`.split(" "),
    );
    const agent = start([
      ...`agent --listen 127.0.0.1:${http} --grpc off --broker mqtt://127.0.0.1:${broker}`.split(" "),
      ...`--board simulated --state-dir ${agentState}`.split(" "),
    ]);
    await eventually(
      async () => (await fetch(`http://127.0.0.1:${http}/readyz`)).status,
      (status) => status === 200,
    );
    const response = await fetch(`http://127.0.0.1:${http}/v1/embeddings`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ input: "a text" }),
    });
    expect(response.status).toBe(200);
    await controller.untilLogged("controller started").catch(() => "");
    await eventually(
      async () => readdirSync(controllerState),
      (names) => names.some((name) => name.endsWith(".db")),
    );
    const made = readdirSync(directory.path).filter((name) => name !== "tmp");
    expect(made).toEqual(expect.arrayContaining(["agent", "controller"]));
    expect(["agent", "controller", "tmp"].flatMap((name) => openToOthers(join(directory.path, name)))).toEqual([]);
    if (made.includes("home")) {
      const cache = join(directory.path, "home", ".cache", "thormesh");
      expect(openToOthers(cache)).toEqual([]);
    }
    expect(await agent.stop()).toBe(0);
    expect(await controller.stop()).toBe(0);
    expect(["agent", "controller", "tmp"].flatMap((name) => openToOthers(join(directory.path, name)))).toEqual([]);
  } finally {
    process.umask(umask);
  }
});

test("a pulled model is its user's alone in the state directory, and readable but not writable where --dir says", async () => {
  const umask = process.umask(0o002);
  try {
    const source = join(directory.path, "source", "tiny");
    for (const [path, { content }] of Object.entries(await tinyRepository())) {
      mkdirSync(dirname(join(source, path)), { recursive: true });
      writeFileSync(join(source, path), content, { mode: 0o666 });
    }
    const state = join(directory.path, "pulling");
    const config = join(directory.path, "agent.json");
    writeFileSync(config, JSON.stringify({ stateDir: state }), { mode: 0o600 });
    const shared = join(directory.path, "shared");
    for (const where of [
      ["--config", config],
      ["--dir", shared],
    ]) {
      const child = Bun.spawn([...programCommand, "models", "pull", "--from", source, "acme/tiny", ...where], {
        stdout: "ignore",
        stderr: "pipe",
        env: { ...process.env, HOME: join(directory.path, "home") },
      });
      expect({ code: await child.exited, said: await child.stderr.text() }).toMatchObject({ code: 0 });
    }
    expect(openToOthers(state)).toEqual([]);
    const modes = openToOthers(shared).map((line) => line.split(" ").at(-1));
    expect(modes.length).toBeGreaterThan(3);
    expect(modes.filter((mode) => mode !== "755" && mode !== "644")).toEqual([]);
  } finally {
    process.umask(umask);
  }
});
