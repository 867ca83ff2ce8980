import { expect, test } from "bun:test";
import { fileURLToPath } from "node:url";
import { runCommand } from "#agent/power/device/run-command.ts";

test.each([
  ["what it says on both outputs", "echo out; echo err >&2", { kind: "exited", exitCode: 0, output: "out\nerr\n" }],
  ["its exit code", "exit 7", { kind: "exited", exitCode: 7, output: "" }],
  ["nothing to read: no prompt is ever answered", "read answer || echo none", { kind: "exited", output: "none\n" }],
  ["the C locale", "echo $LC_ALL", { output: "C\n" }],
  [
    "what it said before it hung",
    "echo asked; exec sleep 60",
    { kind: "timed-out", exitCode: null, output: "asked\n" },
  ],
])("a command: %s", async (_name, script, expected) => {
  expect(await runCommand(["sh", "-c", script], 1000)).toMatchObject(expected);
});

test("a grandchild that holds the pipes does not hold the answer", async () => {
  const outcome = await runCommand(["sh", "-c", "echo done; sleep 3 &"], 2500);
  expect(outcome).toEqual({ kind: "exited", exitCode: 0, output: "done\n" });
});

test("a tool that is not there", async () => {
  expect(await runCommand(["/nowhere/nvpmodel", "-q"], 1000)).toMatchObject({ kind: "not-started", exitCode: null });
});

// As with `sudo nvpmodel` of a service user: the child is root's, its parent may not kill it.
test.skipIf(process.getuid?.() !== 0)(
  "a hanging command that can't be killed is given up, not waited for",
  async () => {
    const path = fileURLToPath(new URL("../../../../agent/power/device/run-command.ts", import.meta.url));
    const script = `
    const { runCommand } = await import(${JSON.stringify(path)});
    const outcome = runCommand(["sleep", "20"], 200);
    process.setuid(65534);
    console.log(JSON.stringify(await outcome));`;
    const startMs = performance.now();
    const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "pipe" });
    const [output, exitCode] = await Promise.all([new Response(child.stdout).text(), child.exited]);
    expect(exitCode).toBe(0);
    expect(JSON.parse(output)).toEqual({ kind: "timed-out", exitCode: null, output: "" });
    expect(performance.now() - startMs).toBeLessThan(15_000);
  },
);
