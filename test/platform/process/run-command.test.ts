import { expect, spyOn, test } from "bun:test";
import { fileURLToPath } from "node:url";
import { runCommand } from "#platform/process/run-command.ts";

test.each([
  [
    "what it says on both outputs",
    60_000,
    "echo out; echo err >&2",
    { kind: "exited", exitCode: 0, output: "out\nerr\n" },
  ],
  ["its exit code", 60_000, "exit 7", { kind: "exited", exitCode: 7, output: "" }],
  [
    "nothing to read: no prompt is ever answered",
    60_000,
    "read answer || echo none",
    { kind: "exited", output: "none\n" },
  ],
  ["the C locale", 60_000, "echo $LC_ALL", { output: "C\n" }],
  [
    "what it said before it hung",
    2000,
    "echo asked; exec sleep 600",
    { kind: "timed-out", exitCode: null, output: "asked\n" },
  ],
] as const)("a command: %s", async (_name, limitMs, script, expected) => {
  expect(await runCommand(["sh", "-c", script], limitMs)).toMatchObject(expected);
});

test("a grandchild that holds the pipes does not hold the answer", async () => {
  const outcome = await runCommand(["sh", "-c", "sleep 600 & echo $!"], 120_000);
  expect(outcome).toMatchObject({ kind: "exited", exitCode: 0 });
  process.kill(Number(outcome.output), "SIGKILL");
});

test("a command that ends in time leaves no timer, which would keep this process alive", async () => {
  const timeouts = spyOn(globalThis, "setTimeout");
  const ended = spyOn(globalThis, "clearTimeout");
  try {
    await runCommand(["true"], 54_321);
    const timers = timeouts.mock.results.filter((_, call) => timeouts.mock.calls[call]?.[1] === 54_321);
    expect(timers).toHaveLength(1);
    expect(ended.mock.calls.flat() as unknown[]).toContain(timers[0]?.value);
  } finally {
    timeouts.mockRestore();
    ended.mockRestore();
  }
});

test("a tool that is not there", async () => {
  expect(await runCommand(["/nowhere/nvpmodel", "-q"], 60_000)).toMatchObject({ kind: "not-started", exitCode: null });
});

// As with `sudo nvpmodel` of a service user: the child is root's, its parent may not kill it.
test.skipIf(process.getuid?.() !== 0)(
  "a hanging command that can't be killed is given up, not waited for",
  async () => {
    const path = fileURLToPath(new URL("../../../platform/process/run-command.ts", import.meta.url));
    const script = `
    const { runCommand } = await import(${JSON.stringify(path)});
    const outcome = runCommand(["sh", "-c", "echo $$; exec sleep 600"], 2000);
    process.setuid(65534);
    console.log(JSON.stringify(await outcome));`;
    const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "pipe" });
    const [output, exitCode] = await Promise.all([new Response(child.stdout).text(), child.exited]);
    expect(exitCode).toBe(0);
    const outcome = JSON.parse(output);
    expect(outcome).toMatchObject({ kind: "timed-out", exitCode: null });
    process.kill(Number(outcome.output), "SIGKILL");
  },
);
