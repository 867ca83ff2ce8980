import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmod, chown, mkdir } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import pino from "pino";
import { PowerConfig } from "#agent/power/power-config.ts";
import { ServingConfig } from "#agent/serving/serving-config.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { checkBoard, userName } from "#tools/doctor/check-board.ts";
import { checkListen } from "#tools/doctor/check-network.ts";
import { checkEmbedding, checkForecast, checkStateDirectory } from "#tools/doctor/check-program.ts";
import { programCommand, temporaryDirectory } from "../e2e/program.ts";
import { freePort } from "../fakes/free-port.ts";
import { createFakeBoard } from "../fakes/jetson/board.ts";

const log = pino({ level: "silent" });
const asNobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];
function runsAsNobody(): boolean {
  if (process.getuid?.() !== 0 || Bun.which("setpriv") === null) return false;
  const readable = programCommand.map((path) => Bun.spawnSync([...asNobody, "test", "-r", path]).exitCode === 0);
  return readable.every((is) => is);
}
const named = (checks: readonly { name: string }[], name: string) => checks.find((check) => check.name === name);

describe("the board", () => {
  let board: ReturnType<typeof createFakeBoard>;
  beforeEach(() => {
    board = createFakeBoard();
  });
  afterEach(() => board.dispose());
  const jetson = (change: object = {}) =>
    parseConfig(PowerConfig, { board: "jetson", jetson: { ...board.config, ...change } }, "test");

  test("a Jetson in order: its name, modes, rights and sensors", async () => {
    const checks = await checkBoard(jetson(), log);
    expect(checks.map(({ name, status }) => [name, status])).toEqual([
      ["board", "ok"],
      ["power modes", "ok"],
      ["setting the power mode", process.getuid?.() === 0 ? "ok" : "failed"],
      ["sensors", "ok"],
    ]);
    expect(named(checks, "board")).toMatchObject({
      detail: "NVIDIA Jetson AGX Thor Developer Kit, L4T 38.2.0 (JetPack 7)",
    });
    expect(named(checks, "power modes")).toMatchObject({ detail: "MAXN, 120W, 90W, 70W; now 120W" });
    expect(named(checks, "sensors")).toMatchObject({ detail: "20.0 W, 38.875 °C" });
    // It looks, and sets nothing.
    expect(board.calls().every((call) => call === "-q")).toBe(true);
  });

  test("a tool that does not answer, a list that is not there, sensors that are silent: each is named with what to do", async () => {
    board.behave("query-fails");
    const silent = { tegrastats: ["sleep", "600"] };
    const [, modes, , sensors] = await checkBoard(jetson(silent), log);
    expect(modes).toMatchObject({
      status: "failed",
      detail: expect.stringMatching(/does not print the current mode: .*nvpmodel -q exited with 1: .*NVPM ERROR/),
    });
    expect(sensors).toMatchObject({ status: "failed", advice: expect.stringContaining("sleep 600") });
    const [, noList] = await checkBoard(jetson({ ...silent, confPath: "/nowhere.conf" }), log);
    expect(noList).toMatchObject({
      status: "failed",
      detail: "no modes found in /nowhere.conf: ENOENT: no such file or directory, open '/nowhere.conf'",
    });
  });

  test("a tegrastats that is missing is said as the agent says it", async () => {
    const [, , , sensors] = await checkBoard(jetson({ tegrastats: ["no-such-tegrastats"] }), log);
    expect(sensors).toMatchObject({
      status: "failed",
      detail: expect.stringMatching(/^no reading within 5 s: .*no-such-tegrastats/),
    });
  });

  test.each([
    [1000, "root:x:0:0::/root:/bin/sh\nthormesh:x:1000:1000::/:/bin/sh\n", "thormesh"],
    [100, "thormesh:x:1000:100::/:/bin/sh\n", "#100"],
    [7, "", "#7"],
  ])("user %p by name", (uid, passwd, expected) => {
    expect(userName(uid, passwd)).toBe(expected);
  });

  // As a service user would see it. Only root may become another user to try it, and the program must lie where others can read it.
  test.if(runsAsNobody())(
    "without the right to set modes what to do is said, and with the helper's socket it is there",
    async () => {
      const socketPath = join(board.directory, "power.socket");
      const check = async (change: object) => {
        const config = join(board.directory, "agent.json");
        const { nvpmodelSet: _, ...tools } = board.config;
        await Bun.write(config, JSON.stringify({ power: { board: "jetson", jetson: { ...tools, ...change } } }));
        await Bun.spawn(["chmod", "-R", "a+rX", board.directory]).exited;
        const child = Bun.spawn([...asNobody, ...programCommand, "doctor", "--config", config, "--json"], {
          env: {
            PATH: process.env["PATH"] ?? "",
            HOME: "/nowhere",
            XDG_STATE_HOME: "/nowhere",
          },
          cwd: board.directory,
          stdout: "pipe",
          stderr: "ignore",
        });
        const { checks } = JSON.parse(await child.stdout.text());
        return named(checks, "setting the power mode");
      };
      const advice = expect.stringContaining("systemctl enable --now thormesh-power.socket");
      expect(await check({ nvpmodelSet: ["true"] })).toMatchObject({
        status: "failed",
        detail: "nobody is not root, and nvpmodel -m needs root",
        advice,
      });
      expect(await check({ helperSocket: socketPath })).toMatchObject({
        status: "failed",
        detail: expect.stringContaining("the power helper is not installed"),
        advice,
      });
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(socketPath, resolve));
      await chmod(socketPath, 0o660);
      expect(await check({ helperSocket: socketPath })).toMatchObject({
        status: "failed",
        advice: expect.stringContaining("usermod --append --groups thormesh-agent nobody"),
      });
      await chown(socketPath, 65534, 65534);
      expect(await check({ helperSocket: socketPath })).toMatchObject({
        status: "ok",
        detail: `nobody can, with the power helper (${socketPath})`,
      });
      server.close();
    },
  );

  // A sudo that lets everything through, and one that lets through only what stands in its rule.
  test.if(runsAsNobody()).each([
    [
      "any arguments",
      "exit 0",
      { status: "failed", detail: expect.stringContaining("any arguments, including -f FILE") },
    ],
    [
      "one mode",
      "[ $# -eq 5 ] && exit 0; exit 1",
      { status: "note", advice: expect.stringContaining("NoNewPrivileges") },
    ],
    ["nothing", "exit 1", { status: "failed", advice: expect.stringContaining("thormesh-power.socket") }],
  ])("a rule of sudo that lets %s through", async (_, script, expected) => {
    const bin = join(board.directory, "bin");
    await mkdir(bin);
    await Bun.write(join(bin, "sudo"), `#!/bin/sh\n${script}\n`);
    await chmod(join(bin, "sudo"), 0o755);
    const config = join(board.directory, "agent.json");
    const jetson = { ...board.config, nvpmodelSet: ["sudo", "-n", "/usr/sbin/nvpmodel"] };
    await Bun.write(config, JSON.stringify({ power: { board: "jetson", jetson } }));
    await Bun.spawn(["chmod", "-R", "a+rX", board.directory]).exited;
    const child = Bun.spawn([...asNobody, ...programCommand, "doctor", "--config", config, "--json"], {
      env: { PATH: `${bin}:${process.env["PATH"]}`, HOME: "/nowhere", XDG_STATE_HOME: "/nowhere" },
      cwd: board.directory,
      stdout: "pipe",
      stderr: "ignore",
    });
    const { checks } = JSON.parse(await child.stdout.text());
    expect(named(checks, "setting the power mode")).toMatchObject(expected);
  });

  test("no Jetson is said plainly, with what follows, and is no failure", async () => {
    const config = parseConfig(PowerConfig, { jetson: { nvpmodel: ["no-such-nvpmodel"] } }, "test");
    const [only, ...more] = await checkBoard(config, log);
    expect(more).toEqual([]);
    expect(only).toMatchObject({ status: "note", detail: expect.stringContaining("this is not a Jetson") });
  });
});

describe("the network", () => {
  test("a free port, one that another program holds, one that an agent holds", async () => {
    const port = await freePort();
    expect(await checkListen("127.0.0.1", port, false)).toMatchObject({
      status: "ok",
      detail: expect.stringContaining("is free"),
    });
    const stranger = Bun.serve({ port, hostname: "127.0.0.1", fetch: () => new Response("", { status: 404 }) });
    expect(await checkListen("127.0.0.1", port, false)).toMatchObject({
      status: "failed",
      detail: expect.stringContaining(String(port)),
    });
    await stranger.stop(true);
    const agent = Bun.serve({ port, hostname: "127.0.0.1", fetch: () => Response.json({ status: "alive" }) });
    expect(await checkListen("127.0.0.1", port, false)).toMatchObject({
      status: "ok",
      detail: expect.stringContaining("by a running agent"),
    });
    await agent.stop(true);
  });
});

describe("the program", () => {
  test("a state directory that can be written to, and one that can't be", () => {
    const directory = temporaryDirectory();
    expect(checkStateDirectory(join(directory.path, "deep"))).toMatchObject({ status: "ok" });
    expect(checkStateDirectory("/proc/thormesh")).toMatchObject({
      status: "failed",
      advice: expect.stringContaining("stateDir"),
    });
    expect(checkStateDirectory(directory.path, () => 199e6)).toMatchObject({
      status: "note",
      detail: expect.stringContaining("199.0 MB are free"),
    });
    expect(checkStateDirectory(directory.path, () => 0)).toMatchObject({
      status: "failed",
      detail: expect.stringContaining("too little to start"),
      advice: expect.stringContaining("free some space"),
    });
    directory.remove();
  });

  test("a real embedding; a model that does not exist", async () => {
    const config = parseConfig(ServingConfig, { threads: 1 }, "test");
    expect(await checkEmbedding(config, log)).toMatchObject({
      status: "ok",
      detail: "all-MiniLM-L6-v2, 384 numbers a text, 1 threads",
    });
    expect(await checkEmbedding({ ...config, onnxruntimeDirectory: "/no/onnxruntime" }, log)).toMatchObject({
      status: "failed",
      detail: expect.stringMatching(/the configured one can't be used: .*there is no directory \/no\/onnxruntime/),
    });
    expect(await checkEmbedding({ ...config, model: "none-such" }, log)).toMatchObject({
      status: "failed",
      detail: expect.stringContaining("none-such"),
    });
  });

  test("the forecasting process and its backend; weights that are not there", async () => {
    expect(await checkForecast(null, 2000, log)).toMatchObject({
      status: "ok",
      detail: expect.stringContaining("LSTM on"),
    });
    expect(await checkForecast("/nowhere", 2000, log)).toMatchObject({
      status: "note",
      detail: expect.stringContaining("the model in /nowhere can't be used"),
    });
  });
});

test("thormesh doctor prints a table, and exits with 1 where a check failed", async () => {
  const directory = temporaryDirectory();
  const path = join(directory.path, "agent.json");
  const port = await freePort();
  const stranger = Bun.serve({ port, hostname: "127.0.0.1", fetch: () => new Response("", { status: 404 }) });
  await Bun.write(path, JSON.stringify({ stateDir: join(directory.path, "state"), serving: { port, threads: 1 } }));
  const child = Bun.spawn([...programCommand, "doctor", "--config", path, "--offline"], {
    env: { ...process.env, FORCE_COLOR: "" },
    ...{ stdout: "pipe", stderr: "pipe" },
  });
  const lines = (await new Response(child.stdout).text()).trimEnd().split("\n");
  expect(await child.exited).toBe(1);
  expect(lines[0]).toMatch(/^CHECK +STATE +FOUND, AND WHAT TO DO$/);
  expect(lines.join("\n")).toMatch(
    new RegExp(
      `^HTTP address +FAILED +127.0.0.1:${port} is in use by another\\s+program\n +-> stop it, or set serving.port$`,
      "m",
    ),
  );
  expect(lines.at(-1)).toMatch(/^1 of \d+ checks failed(, \d notes?)?\.$/);
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
  await stranger.stop(true);
  directory.remove();
});

test("thormesh doctor --json lists every check, and exits with 0 where nothing failed", async () => {
  const directory = temporaryDirectory();
  const path = join(directory.path, "agent.json");
  await Bun.write(
    path,
    JSON.stringify({
      stateDir: join(directory.path, "state"),
      broker: { url: `mqtt://127.0.0.1:${await freePort()}` },
      serving: { port: await freePort() },
      power: { jetson: { nvpmodel: ["no-such-nvpmodel"] } },
    }),
  );
  const child = Bun.spawn([...programCommand, "doctor", "--config", path, "--json"], {
    stdout: "pipe",
    stderr: "pipe",
  });
  const { ok, counts, checks } = JSON.parse(await new Response(child.stdout).text());
  expect(await child.exited).toBe(0);
  expect(ok).toBe(true);
  expect(counts.failed).toBe(0);
  expect(counts.ok + counts.note).toBe(checks.length);
  expect(checks.map(({ name }: { name: string }) => name)).toEqual([
    ...["system", "clock", "board"],
    "state directory",
    "embedding",
    "forecast",
    "HTTP address",
    "encryption",
    "broker",
  ]);
  directory.remove();
});
