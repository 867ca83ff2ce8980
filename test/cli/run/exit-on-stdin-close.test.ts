import { expect, test } from "bun:test";
import { patienceMs } from "../../patience.ts";

const modulePath = new URL("../../../cli/run/exit-on-stdin-close.ts", import.meta.url).pathname;

function startChild(onStop: string, graceMs: number) {
  const script = `
    const { exitOnStdinClose } = await import(${JSON.stringify(modulePath)});
    const keepAlive = setInterval(() => {}, 1000);
    exitOnStdinClose(() => { ${onStop} }, ${graceMs});
    console.log("ready");
  `;
  return Bun.spawn([process.execPath, "-e", script], { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  const reader = stream.getReader();
  const { value } = await reader.read();
  reader.releaseLock();
  return new TextDecoder().decode(value).trim();
}

test("a process stops in order when its standard input is closed, and not before", async () => {
  const child = startChild("clearInterval(keepAlive); process.exit(7);", 60_000);
  try {
    expect(await firstLine(child.stdout)).toBe("ready");
    expect(child.exitCode).toBeNull();
    child.stdin.end();
    expect(await child.exited).toBe(7);
  } finally {
    child.kill("SIGKILL");
  }
});

test("a process that does not manage to stop exits with 1 after the grace period", async () => {
  const child = startChild("", 50);
  try {
    expect(await firstLine(child.stdout)).toBe("ready");
    child.stdin.end();
    expect(await child.exited).toBe(1);
  } finally {
    child.kill("SIGKILL");
  }
});

test("a process whose parent is killed with SIGKILL ends", async () => {
  const parentScript = `
    const child = Bun.spawn([process.execPath, "-e", ${JSON.stringify(`
      const { exitOnStdinClose } = await import(${JSON.stringify(modulePath)});
      setInterval(() => {}, 1000);
      exitOnStdinClose(() => process.exit(0));
      console.log(process.pid);
    `)}], { stdin: "pipe", stdout: "inherit", stderr: "inherit" });
    await child.exited;
  `;
  const parent = Bun.spawn([process.execPath, "-e", parentScript], { stdout: "pipe", stderr: "inherit" });
  const childPid = Number(await firstLine(parent.stdout));
  expect(childPid).toBeGreaterThan(0);
  parent.kill("SIGKILL");
  await parent.exited;
  const deadline = Date.now() + patienceMs;
  const alive = () => {
    try {
      process.kill(childPid, 0);
      return Bun.file(`/proc/${childPid}/stat`)
        .text()
        .then(
          (stat) => !/\) Z/.test(stat),
          () => false,
        );
    } catch {
      return Promise.resolve(false);
    }
  };
  while ((await alive()) && Date.now() < deadline) await Bun.sleep(20);
  const left = await alive();
  if (left) process.kill(childPid, "SIGKILL");
  expect(left).toBe(false);
});
