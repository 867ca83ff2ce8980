import { afterEach, describe, expect, test } from "bun:test";
import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Answer } from "../agent/serving/start-serving.ts";
import { type Program, startProgram, temporaryDirectory } from "./program.ts";

const packaged = join(import.meta.dir, "../../node_modules/onnxruntime-node/bin/napi-v6/linux", process.arch);

let agent: Program | undefined;
let directory: ReturnType<typeof temporaryDirectory> | undefined;
afterEach(async () => {
  await agent?.stop();
  directory?.remove();
});

/** Starts an agent with a directory of operator libraries; returns its engine's description once it has computed a vector. */
async function engineOf(fill: (path: string) => void, serving: Record<string, unknown> = {}) {
  directory = temporaryDirectory();
  const { path } = directory;
  fill(path);
  const configPath = join(path, "agent.json");
  writeFileSync(configPath, JSON.stringify({ serving: { onnxruntimeDirectory: path, ...serving } }));
  const options = ["--listen", "127.0.0.1:0", "--grpc", "off", "--board", "none", "--broker", "mqtt://127.0.0.1:1"];
  agent = startProgram(["agent", ...options, "--state-dir", join(path, "state"), "--config", configPath], path);
  const { url } = JSON.parse(await agent.untilLogged('"agent started"'));
  const get = async (route: string) => (await (await fetch(url + route)).json()) as Answer;
  const body = JSON.stringify({ inputs: ["a robot"] });
  const embedded = await fetch(`${url}/api/v1/embed`, { method: "POST", body });
  await embedded.arrayBuffer();
  const [info, health] = await Promise.all([get("/info"), get("/health")]);
  return { status: embedded.status, info, health };
}

const withLibrary = (path: string) =>
  copyFileSync(join(packaged, "libonnxruntime.so.1"), join(path, "libonnxruntime.so.1"));

describe("an agent with an operator's ONNX Runtime", () => {
  test("computes with it", async () => {
    const { status, info, health } = await engineOf(withLibrary);
    expect(status).toBe(200);
    expect(info).toMatchObject({ execution_provider: "cpu" });
    expect(info["engine"]).toContain(`from ${join(directory?.path ?? "", "libonnxruntime.so.1")} on the CPU`);
    expect(health["checks"].embedding_provider).toBe("healthy");
  });

  test("without the GPU that is wanted, falls back to the CPU and says why", async () => {
    const { status, info, health } = await engineOf(withLibrary, { executionProviders: ["cuda", "cpu"] });
    expect({ status, provider: info["execution_provider"] }).toEqual({ status: 200, provider: "cpu" });
    expect(info["engine"]).toContain("cuda can't be used: ");
    expect(health["checks"].embedding_provider).toBe("degraded");
    expect(health["checks"].gpu).toBe("degraded");
    expect(health["details"].gpu).toContain("cuda can't be used");
  });

  test.each([
    { name: "nothing in it", fill: () => {}, reason: "got none of ONNX Runtime's files" },
    {
      name: "a library of an older version",
      fill: (path: string) => writeFileSync(join(path, "libonnxruntime.so.1"), "\0VERS_1.22.0\0"),
      reason: "it is ONNX Runtime 1.22.0",
    },
    {
      name: "a file that says the right version and is no library",
      fill: (path: string) => writeFileSync(join(path, "libonnxruntime.so.1"), "\0VERS_1.30.0\0"),
      reason: "invalid ELF header|file too short",
    },
    {
      name: "an addon that is none",
      fill(path: string) {
        withLibrary(path);
        writeFileSync(join(path, "onnxruntime_binding.node"), "not an addon");
      },
      reason: "invalid ELF header|file too short",
    },
  ])("with $name, goes on with the carried one and says why", async ({ fill, reason }) => {
    const { status, info, health } = await engineOf(fill);
    expect(status).toBe(200);
    expect(info["engine"]).toMatch(new RegExp(`the configured one can't be used: .*(${reason})`));
    expect(health["checks"].embedding_provider).toBe("degraded");
  });
});
