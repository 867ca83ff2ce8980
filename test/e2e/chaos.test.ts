import { expect, test } from "bun:test";
import { join } from "node:path";

// A small part of scripts/chaos, which tries all faults: it must run, and its checks must hold.
test("an agent that is killed and a controller whose disk is full: nothing is lost, nothing doubled", async () => {
  const script = join(import.meta.dir, "..", "..", "scripts", "faults", "run-chaos.ts");
  const options = [
    "--agents",
    "1",
    "--only",
    "kill -9 of an agent,full disk of the controller",
    "--speed",
    "240",
    "--json",
  ];
  const child = Bun.spawn([process.execPath, script, ...options], { stdout: "pipe", stderr: "pipe" });
  const [output, log] = [new Response(child.stdout).text(), new Response(child.stderr).text()];
  await child.exited;
  const result = JSON.parse((await output) || "null");
  if (result === null) throw new Error(await log);
  expect(result).toMatchObject({ lost: 0, doubled: 0, changed: 0, wrong: 0, twoLeaders: 0 });
  for (const { fault, trouble } of result.rows) expect([fault, trouble]).toEqual([fault, null]);
  expect(result.rows.length + result.skipped.length).toBe(3);
  expect(result.stored).toBeGreaterThan(10);
});
