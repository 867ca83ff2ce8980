import { expect, test } from "bun:test";
import { endProcess } from "#platform/process/end-process.ts";

test.each([
  { name: "ends by itself", code: "", kill: false },
  { name: "stays", code: "setInterval(() => {}, 1000)", kill: true },
  {
    name: "does not listen to signals",
    code: "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)",
    kill: true,
  },
  { name: "is stopped", code: "process.kill(process.pid, 'SIGSTOP')", kill: true },
])("a process that $name is gone afterwards", async ({ code, kill }) => {
  const child = Bun.spawn([process.execPath, "-e", code], { stdio: ["ignore", "ignore", "ignore"] });
  await endProcess(child, kill ? 50 : 60_000);
  expect(await child.exited).toBe(kill ? 137 : 0);
});

test("one that can't be killed is not waited for", async () => {
  const done: string[] = [];
  await endProcess(
    {
      exited: new Promise<number>(() => {}),
      kill: (signal) => void done.push(String(signal)),
      unref: () => void done.push("unref"),
    },
    0,
  );
  expect(done).toEqual(["SIGKILL", "unref"]);
});
