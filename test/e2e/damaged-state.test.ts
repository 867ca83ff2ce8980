import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { freePort } from "../fakes/free-port.ts";
import { eventually, type Program, programCommand, startConfigured, temporaryDirectory } from "./program.ts";

let directory: ReturnType<typeof temporaryDirectory>;
let program: Program | undefined;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(async () => {
  await program?.stop("SIGKILL");
  directory.remove();
});

const damages: Readonly<Record<string, (path: string) => void>> = {
  "flipped bytes": (path) =>
    writeFileSync(
      path,
      readFileSync(path).map((byte, at) => (at % 97 === 0 ? byte ^ 0xff : byte)),
    ),
  "its first half": (path) => writeFileSync(path, readFileSync(path).subarray(0, readFileSync(path).length / 2)),
  nothing: (path) => writeFileSync(path, ""),
  "a directory": (path) => mkdirSync(path),
  "a pipe": (path) => void Bun.spawnSync(["mkfifo", path]),
  "a device": (path) => symlinkSync("/dev/zero", path),
};
const isWhole = new Set(["a directory", "a pipe", "a device"]);

function damage(path: string, how: string): void {
  mkdirSync(dirname(path), { recursive: true });
  if (isWhole.has(how)) rmSync(path, { recursive: true, force: true });
  damages[how]?.(path);
}

async function start(command: "agent" | "controller", config: object): Promise<Program> {
  const started = await startConfigured(command, config, directory.path);
  program = started;
  return started;
}

describe("a controller starts, and says what is wrong, whatever has become of a file of its state", () => {
  test.each(["controller.db", "controller-id"])("%s", async (file) => {
    const stateDir = join(directory.path, "state");
    const [port, broker] = [await freePort(), await freePort()];
    const config = { stateDir, api: { port }, broker: { port: broker } };
    await (await start("controller", config)).untilLogged("controller started");
    await program?.stop();
    const path = join(stateDir, file);
    const whole = readFileSync(path);
    for (const how of Object.keys(damages)) {
      rmSync(path, { recursive: true, force: true });
      writeFileSync(path, whole, { mode: 0o600 });
      damage(path, how);
      const running = await start("controller", config);
      await running.untilLogged("controller started");
      const health = (await (await fetch(`http://127.0.0.1:${port}/healthz`)).json()) as { problems: string[] };
      if (file === "controller.db" && how !== "nothing") {
        expect({ how, problems: health.problems }).toEqual({
          how,
          problems: [expect.stringContaining("controller.db was damaged and moved aside")],
        });
      }
      if (file === "controller-id") expect(running.log()).toMatch(/controller's id[^"]*: it is replaced/);
      await running.stop();
      rmSync(path, { recursive: true, force: true });
      for (const name of new Bun.Glob("*.corrupt-*").scanSync({ cwd: stateDir, onlyFiles: false }))
        rmSync(join(stateDir, name), { recursive: true, force: true });
    }
  });
});

/** State files that an agent reads when it starts or soon after. */
const agentFiles = [
  "agent.db",
  "power-profile.json",
  "calibration-under-way.json",
  "forecast-training/checkpoint.json",
  "forecast-training/trace.csv",
];

test.each([...isWhole])("an agent starts and serves with %s in the place of each file of its state", async (how) => {
  const stateDir = join(directory.path, "state");
  const port = await freePort();
  const config = {
    id: "thor-1",
    stateDir,
    serving: { port, grpc: { enabled: false } },
    broker: { url: `mqtt://127.0.0.1:${await freePort()}` },
  };
  await (await start("agent", config)).untilLogged("agent started");
  const url = `http://127.0.0.1:${port}`;
  const embeds = () =>
    eventually(
      async () => {
        const answer = await fetch(`${url}/v1/embeddings`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ input: "a" }),
        });
        await answer.text();
        return answer.status;
      },
      (status) => status === 200,
    );
  await embeds();
  await program?.stop();
  const fingerprints = [...new Bun.Glob("model-fingerprints/*").scanSync({ cwd: stateDir })];
  expect(fingerprints).not.toEqual([]);
  for (const file of [...agentFiles, ...fingerprints]) damage(join(stateDir, file), how);
  const running = await start("agent", config);
  await running.untilLogged("agent started");
  await embeds();
  const health = (await (await fetch(`${url}/health`)).json()) as { details: { storage: string } };
  expect(health.details.storage).toContain("agent.db was damaged and moved aside");
  await running.untilLogged("fingerprint can't be read");
  await running.stop();
});

test.each([...isWhole])(
  "a model with %s in the place of any of its files is refused, and holds nothing up",
  async (how) => {
    const source = join(import.meta.dir, "../../models/all-MiniLM-L6-v2");
    const files = ["manifest.json", "tokenizer.json", "model.onnx"];
    for (const file of files) {
      const model = join(directory.path, file, "all-MiniLM-L6-v2");
      mkdirSync(model, { recursive: true });
      for (const each of files) writeFileSync(join(model, each), readFileSync(join(source, each)));
      damage(join(model, file), how);
      for (const command of [
        ["embed", "--model", model, "a"],
        ["models", "verify", "all-MiniLM-L6-v2", "--dir", dirname(model)],
      ]) {
        const child = Bun.spawn([...programCommand, ...command], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
        const [output] = await Promise.all([new Response(child.stderr).text(), child.exited]);
        // Without a manifest nothing tells what the files must be.
        if (file !== "manifest.json" || command[0] === "embed")
          expect({ file, command, code: child.exitCode, output }).not.toMatchObject({ code: 0 });
      }
    }
  },
);
