import { expect, test } from "bun:test";
import { join } from "node:path";
import type { LoadReport } from "#tools/load/load-report.ts";
import { eventually, type Program, startProgram, temporaryDirectory } from "./program.ts";

interface RunningAgent {
  readonly program: Program;
  readonly url: string;
}

async function startAgent(directory: string, name: string, listen: string): Promise<RunningAgent> {
  const options = ["--listen", listen, "--grpc", "off", "--state-dir", join(directory, name), "--id", name];
  const config = join(directory, "agent.json");
  // However slow the machine: what was asked is answered.
  const patient = { requestTimeoutMs: 600_000, queueMs: 600_000, stopGraceMs: 600_000 };
  await Bun.write(config, JSON.stringify({ serving: patient }));
  const program = startProgram(["agent", "--config", config, ...options], directory);
  const { url } = JSON.parse(await program.untilLogged('"msg":"serving"')) as { url: string };
  await eventually(
    async () => (await fetch(`${url}/readyz`)).status,
    (status) => status === 200,
  );
  return { program, url };
}

test("a rolling restart of three agents loses no request of a client that retries refused connections", async () => {
  const directory = temporaryDirectory();
  const agents: RunningAgent[] = [];
  const names = ["one", "two", "three"];
  try {
    for (const name of names) agents.push(await startAgent(directory.path, name, "127.0.0.1:0"));
    const urls = agents.map(({ url }) => url);
    // Longer than the restarts can take: it is ended when they are done.
    const loop = [
      "--clients",
      "6",
      "--texts",
      "mixed",
      "--duration",
      "600",
      "--retries",
      "1000",
      "--timeout",
      "600",
      "--json",
    ];
    const load = startProgram(["load", "--url", urls.join(), "--target", "errors=0", ...loop], directory.path);
    const output = new Response(load.child.stdout).text();
    const answeredBy = async (url: string) => {
      const metrics = await (await fetch(`${url}/metrics`)).text();
      return Number(/^akidb_embed_requests_total\{[^}]*status="success"[^}]*\} (\d+)/m.exec(metrics)?.[1] ?? 0);
    };
    for (const [index, name] of names.entries()) {
      const { program, url } = agents[index] as RunningAgent;
      await eventually(
        () => answeredBy(url),
        (count) => count > 20,
      );
      expect(await program.stop()).toBe(0);
      agents[index] = await startAgent(directory.path, name, new URL(url).host);
    }
    for (const { url } of agents) {
      await eventually(
        () => answeredBy(url),
        (count) => count > 20,
      );
    }
    load.child.kill("SIGINT");
    const report = JSON.parse(await output) as LoadReport;
    expect(report).toMatchObject({ errors: {}, missed: [], interrupted: true });
    expect(report.answered).toBeGreaterThan(100);
    expect(report.unanswered).toBeLessThanOrEqual(6);
    // Some connections were refused.
    expect(Object.values(report.retries).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(0);
    expect(await load.child.exited).toBe(0);
  } finally {
    for (const { program } of agents) await program.stop();
    directory.remove();
  }
});
