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
    // Not what is resident: of the program itself only a part counts here while others run it.
    expect(usage?.memoryBytes).toBeGreaterThan(1e6);
    const memory = readTreePss(child.pid);
    expect(memory.map(({ command }) => command)).toEqual(["-e", "600"]);
    for (const { pssBytes } of memory) expect(pssBytes).toBeGreaterThan(50_000);
    // A page that two processes share counts once in all.
    const sum = memory.reduce((total, { pssBytes }) => total + pssBytes, 0);
    expect(Math.abs(sum - (usage?.memoryBytes ?? 0))).toBeLessThan(0.2 * sum);
    expect(memory[0]?.pssBytes).toBeLessThan(usage?.memoryBytes ?? 0);
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
