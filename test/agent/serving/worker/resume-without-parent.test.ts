import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { isProcessStopped } from "#platform/process/is-process-stopped.ts";

const module = join(import.meta.dir, "../../../../agent/serving/worker/resume-without-parent.ts");

setDefaultTimeout(60_000);

test("a paused process goes on when the one that paused it is killed", async () => {
  const child = `
    const { resumeWithoutParent } = await import(${JSON.stringify(module)});
    resumeWithoutParent();
    console.log(process.pid);
    await Bun.sleep(60_000);`;
  const parent = `
    const child = Bun.spawn([process.execPath, "-e", ${JSON.stringify(child)}], { stdout: "pipe" });
    const reader = child.stdout.getReader();
    const { value } = await reader.read();
    child.kill("SIGSTOP");
    console.log(new TextDecoder().decode(value).trim());
    await Bun.sleep(60_000);`;
  // In a session of its own, as a service is: otherwise the kernel resumes a group without a parent by itself.
  const killed = Bun.spawn([process.execPath, "-e", parent], { stdout: "pipe", detached: true });
  const { value } = await killed.stdout.getReader().read();
  const pid = Number(new TextDecoder().decode(value));
  try {
    while (!isProcessStopped(pid)) await Bun.sleep(1);
    killed.kill("SIGKILL");
    await killed.exited;
    for (let look = 0; look < 10_000 && isProcessStopped(pid); look += 1) await Bun.sleep(1);
    expect(isProcessStopped(pid)).toBe(false);
    expect(process.kill(pid, 0)).toBe(true);
  } finally {
    process.kill(pid, "SIGKILL");
  }
});
