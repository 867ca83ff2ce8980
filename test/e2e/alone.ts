import { expect } from "bun:test";
import { copyFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { cosine, readReferenceTexts } from "../agent/serving/reference-texts.ts";
import { eventually, temporaryDirectory } from "./program.ts";

/** Compares the vectors that an agent serves with the reference: one text at a time, as that was made. */
export async function expectReferenceVectors(url: string): Promise<void> {
  for (const reference of await readReferenceTexts()) {
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
}

/**
 * Copies an executable alone into an empty directory, starts `thormesh agent` there without any configuration but a free port, and compares
 * the vectors it serves with the reference.
 */
export async function expectServesAlone(executable: string): Promise<void> {
  const directory = temporaryDirectory();
  copyFileSync(executable, join(directory.path, "thormesh"));
  const child = Bun.spawn([join(directory.path, "thormesh"), "agent", "--listen", "127.0.0.1:0"], {
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
    );
    if (started === undefined) throw new Error(`the agent ended with ${child.exitCode}:\n${log}`);
    const { url } = JSON.parse(started) as { url: string };
    await eventually(
      async () => (await fetch(`${url}/readyz`)).status,
      (status) => status === 200,
    );
    await expectReferenceVectors(url);
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
