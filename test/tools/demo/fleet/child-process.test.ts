import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ChildProcess } from "#tools/demo/fleet/child-process.ts";
import { findFreePorts } from "#tools/demo/fleet/free-ports.ts";
import { patienceMs } from "../../../patience.ts";

const directory = mkdtempSync(join(tmpdir(), "thormesh-child-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function logHas(child: ChildProcess, text: string): Promise<void> {
  const deadline = Date.now() + patienceMs;
  while (!(await child.lastLines(5)).includes(text)) {
    if (Date.now() > deadline) throw new Error(`"${text}" did not appear in ${child.logPath}`);
    await Bun.sleep(10);
  }
}

function start(name: string, script: string): ChildProcess {
  return new ChildProcess({ name, command: [process.execPath, "-e", script], logPath: join(directory, `${name}.log`) });
}

describe("ChildProcess", () => {
  test("writes both outputs to the log and tells how it ended", async () => {
    const child = start("talks", "console.log('out'); console.error('err'); process.exit(3)");
    expect(await child.ended()).toBe("exit code 3");
    expect(child.running).toBe(false);
    expect(child.stopping).toBe(false);
    expect(await child.lastLines(1)).toEqual(["err"]);
    expect((await child.lastLines(9)).sort()).toEqual(["err", "out"]);
    expect(await child.stop(1000)).toBe(false);
  });

  test("stops in order on SIGTERM", async () => {
    const child = start(
      "polite",
      "process.on('SIGTERM', () => process.exit(0)); setInterval(() => {}, 1000); console.log('up')",
    );
    await logHas(child, "up");
    expect(child.running).toBe(true);
    expect(await child.stop(60_000)).toBe(false);
    expect(child.stopping).toBe(true);
    expect(await child.ended()).toBe("exit code 0");
  });

  test("is killed when it does not stop", async () => {
    const child = start("stubborn", "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); console.log('up')");
    await logHas(child, "up");
    expect(await child.stop(50)).toBe(true);
    expect(await child.ended()).toBe("signal SIGKILL");
  });

  test("has a log without lines before it printed any", async () => {
    const child = start("silent", "process.exit(0)");
    await child.ended();
    expect(await child.lastLines(5)).toEqual([""]);
  });
});

test("free ports are free and different, taken ones are passed over", async () => {
  const [taken] = (await findFreePorts(1, Math.random)) as [number];
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(taken, "127.0.0.1", resolve));
  try {
    let calls = 0;
    const first = (taken - 20_000 + 0.5) / 12_000;
    const ports = await findFreePorts(3, () => (calls++ === 0 ? first : Math.random()));
    expect(new Set(ports).size).toBe(3);
    expect(ports).not.toContain(taken);
    expect(calls).toBeGreaterThan(3);
  } finally {
    server.close();
  }
});
