import { expect } from "bun:test";
import { copyFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { cosine, readReferenceTexts } from "../agent/serving/reference-texts.ts";
import { eventually, temporaryDirectory } from "./program.ts";

/**
 * Copies an executable alone into an empty directory, starts `thormesh agent` there without any configuration but a free port, and compares
 * the vectors it serves with the reference.
 * @param prefix what the executable is started with, e.g. an emulator.
 */
export async function expectServesAlone(executable: string, prefix: readonly string[]): Promise<void> {
  const directory = temporaryDirectory();
  copyFileSync(executable, join(directory.path, "thormesh"));
  const child = Bun.spawn([...prefix, join(directory.path, "thormesh"), "agent", "--listen", "127.0.0.1:0"], {
    cwd: directory.path,
    env: { PATH: process.env["PATH"] ?? "", HOME: join(directory.path, "home") },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  let log = "";
  const reading = (async () => {
    for await (const chunk of child.stderr) log += new TextDecoder().decode(chunk);
  })();
  try {
    const started = await eventually(
      async () => log.split("\n").find((line) => line.includes("agent started")),
      (line) => line !== undefined || child.exitCode !== null,
      240_000,
    );
    if (started === undefined) throw new Error(`the agent ended with ${child.exitCode}:\n${log}`);
    const { url } = JSON.parse(started) as { url: string };
    await eventually(
      async () => (await fetch(`${url}/readyz`)).status,
      (status) => status === 200,
      240_000,
    );
    const references = await readReferenceTexts();
    // One at a time, as the reference vectors were made.
    for (const reference of references) {
      const response = await fetch(`${url}/v1/embeddings`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ model: "all-MiniLM-L6-v2", input: reference.text }),
      });
      expect(response.status).toBe(200);
      const { data } = (await response.json()) as { data: { embedding: number[] }[] };
      expect(data[0]?.embedding).toHaveLength(384);
      expect(cosine(data[0]?.embedding ?? [], reference.vector)).toBeGreaterThanOrEqual(0.98);
    }
    // It wrote nothing beside itself but what belongs to its user.
    expect(readdirSync(directory.path).sort()).toEqual(["home", "thormesh"]);
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
  } finally {
    child.kill("SIGKILL");
    await child.exited;
    await reading;
    directory.remove();
  }
}
