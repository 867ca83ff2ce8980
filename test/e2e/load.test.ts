import { expect, test } from "bun:test";
import { join } from "node:path";
import type { LoadReport } from "#tools/load/load-report.ts";
import { startProgram, temporaryDirectory } from "./program.ts";

test.each(["openai", "native", "grpc"])("every text asked for over %s is answered", async (protocol) => {
  const directory = temporaryDirectory();
  // However slow the machine: what was asked is answered.
  await Bun.write(join(directory.path, "agent.yaml"), "serving: {queueMs: 600000, requestTimeoutMs: 600000}\n");
  const options = ["--config", "agent.yaml", "--listen", "127.0.0.1:0", "--state-dir", directory.path];
  const agent = startProgram(["agent", ...options], directory.path);
  try {
    const { url, grpc } = JSON.parse(await agent.untilLogged('"msg":"agent started"')) as {
      url: string;
      grpc: string;
    };
    const address = protocol === "grpc" ? `http://${grpc}` : url;
    const level = ["--protocol", protocol, "--rate", "20", "--inputs", "3", "--texts", "short", "--duration", "1"];
    const load = startProgram(
      ["load", "--url", address, ...level, "--timeout", "600", "--target", "errors=0", "--json"],
      directory.path,
    );
    const report = JSON.parse(await new Response(load.child.stdout).text()) as LoadReport;
    expect(report).toMatchObject({ answered: 20, textsPerRequest: 3, errors: {}, retries: {}, missed: [] });
    expect(await load.child.exited).toBe(0);
  } finally {
    await agent.stop();
    directory.remove();
  }
});

test("under stress a server refuses what it can't carry, and nothing else goes wrong", async () => {
  const directory = temporaryDirectory();
  await Bun.write(
    join(directory.path, "agent.yaml"),
    "serving: {queueRequests: 20, queueMs: 600000, requestTimeoutMs: 600000}\n",
  );
  const options = ["--config", "agent.yaml", "--listen", "127.0.0.1:0", "--grpc", "off"];
  const agent = startProgram(["agent", ...options, "--state-dir", directory.path], directory.path);
  try {
    const { url } = JSON.parse(await agent.untilLogged('"msg":"serving"')) as { url: string };
    // Its peak is several times what two cores can serve.
    const level = ["--scenario", "stress", "--rate", "300", "--duration", "5", "--texts", "mixed"];
    const judged = ["--target", "failures=0", "--watch-pid", String(agent.child.pid), "--timeout", "600", "--json"];
    const load = startProgram(["load", "--url", url, ...level, ...judged], directory.path);
    const report = JSON.parse(await new Response(load.child.stdout).text()) as LoadReport;
    expect(report).toMatchObject({ failed: 0, missed: [], errors: { "HTTP 429": report.rejected } });
    expect(report.rejected).toBeGreaterThan(100);
    expect(report.answered).toBeGreaterThan(10);
    expect(report.phases.map((phase) => phase.answered + phase.rejected)).toEqual([150, 300, 450, 600, 900]);
    expect(report.watched?.cpuS).toBeGreaterThan(0);
    expect(await load.child.exited).toBe(0);
  } finally {
    expect(await agent.stop()).toBe(0);
    directory.remove();
  }
});
