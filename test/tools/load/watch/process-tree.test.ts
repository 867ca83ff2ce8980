import { expect, test } from "bun:test";
import { readMachineCpuS, readTreePss, readTreeUsage } from "#tools/load/watch/process-tree.ts";
import { ProcessWatch } from "#tools/load/watch/watch-processes.ts";

test("a process, its children and their children", async () => {
  const busy = "while (process.cpuUsage().user + process.cpuUsage().system < 300_000);";
  const outer = `const child = Bun.spawn([process.execPath, "-e", process.env.BUSY], { stdout: "inherit" });
    await child.exited;
    const idle = Bun.spawn(["sleep", "600"]);
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
    expect(usage?.rssBytes).toBeGreaterThan(20e6);
    const memory = readTreePss(child.pid);
    expect(memory.map(({ command }) => command)).toEqual(["-e", "600"]);
    for (const { pssBytes } of memory) expect(pssBytes).toBeGreaterThan(50_000);
    // A shared page counts in each process there, and in parts here.
    expect(memory[0]?.pssBytes).toBeLessThan(usage?.rssBytes ?? 0);
    expect((readMachineCpuS() as number) - machine).toBeGreaterThan(0.25);
    const seen = watch.finish();
    expect(seen).toMatchObject({ pids: [child.pid], gone: [] });
    expect(seen.cpuS).toBeGreaterThan(0.2);
    expect(seen.rssBytes.most).toBeGreaterThanOrEqual(seen.rssBytes.last);
  } finally {
    child.stdin.end();
    await child.exited;
  }
  expect(readTreeUsage(child.pid)).toBeUndefined();
  expect(readTreePss(child.pid)).toEqual([]);
  expect(watch.finish().gone).toEqual([child.pid]);
});
