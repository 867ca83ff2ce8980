import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { readMachineCpuS, readTreePss, readTreeUsage } from "#tools/load/watch/process-tree.ts";
import { ProcessWatch } from "#tools/load/watch/watch-processes.ts";

const residentBytes = (pid: number) =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;

test("a process, its children and their children", async () => {
  const busy = "while (process.cpuUsage().user + process.cpuUsage().system < 300_000);";
  const outer = `const child = Bun.spawn([process.execPath, "-e", process.env.BUSY], { stdout: "inherit" });
    await child.exited;
    // Its output shows that it runs: a process that is only just being started has no arguments yet.
    const idle = Bun.spawn(["sh", "-c", "echo runs; read line"], { stdin: "pipe", stdout: "pipe" });
    await idle.stdout.getReader().read();
    console.log("ready");
    process.stdin.on("end", () => { idle.kill(); process.exit(0); }).resume();`;
  const child = Bun.spawn([process.execPath, "-e", outer], {
    env: { ...process.env, BUSY: busy },
    stdin: "pipe",
    stdout: "pipe",
  });
  const watch = new ProcessWatch([child.pid]);
  try {
    const machine = readMachineCpuS() as number;
    expect(watch.start()).toEqual([]);
    await child.stdout.getReader().read();
    // What the grandchild used counts though it has ended.
    const usage = readTreeUsage(child.pid);
    expect(usage?.processes).toBe(2);
    expect(usage?.cpuS).toBeGreaterThan(0.25);
    // Not what is resident: of a page that others map, too, only a part counts, and others come and go meanwhile.
    expect(usage?.memoryBytes).toBeGreaterThan(0);
    expect(usage?.memoryBytes).toBeLessThan(residentBytes(child.pid));
    const memory = readTreePss(child.pid);
    expect(memory.map(({ command }) => command)).toEqual(["-e", "-c"]);
    for (const { pssBytes } of memory) expect(pssBytes).toBeGreaterThan(50_000);
    expect((readMachineCpuS() as number) - machine).toBeGreaterThan(0.25);
    const seen = watch.finish();
    expect(seen).toMatchObject({ pids: [child.pid], gone: [] });
    expect(seen.cpuS).toBeGreaterThan(0.2);
    expect(seen.memoryBytes.most).toBeGreaterThanOrEqual(seen.memoryBytes.last);
  } finally {
    child.stdin.end();
    await child.exited;
  }
  expect(readTreeUsage(child.pid)).toBeUndefined();
  expect(readTreePss(child.pid)).toEqual([]);
  expect(watch.finish().gone).toEqual([child.pid]);
});
