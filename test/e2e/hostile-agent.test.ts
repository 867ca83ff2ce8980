import { afterEach, beforeEach, expect, test } from "bun:test";
import { join } from "node:path";
import type { TSchema } from "@sinclair/typebox";
import { createLogger } from "#platform/log.ts";
import { Birth, CommandResult, MinuteData, Presence, Reported } from "#protocol/messages.ts";
import { MqttBroker } from "#protocol/mqtt-broker.ts";
import { agentTopic } from "#protocol/topics.ts";
import { agentLogin, keyIn } from "../fakes/broker-clients.ts";
import { aBirth, aMinute, aPresence, aReported } from "../fakes/builders.ts";
import { freePort } from "../fakes/free-port.ts";
import { hostileText, poisoned, steering } from "../fakes/hostile-text.ts";
import { eventually, type Program, programCommand, startProgram, temporaryDirectory } from "./program.ts";

const fleet = "default";
let directory: ReturnType<typeof temporaryDirectory>;
let controller: Program | undefined;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(async () => {
  await controller?.stop("SIGKILL");
  directory.remove();
});

/** Messages with hostile text in each of the free strings of a schema, one at a time and in all at once. */
function* poisonedOnes(schema: TSchema, message: object): Generator<object> {
  const all = poisoned(schema, message) as Record<string, unknown>;
  yield all;
  for (const key of Object.keys(message)) {
    if (JSON.stringify(all[key]) !== JSON.stringify((message as Record<string, unknown>)[key]))
      yield { ...message, [key]: all[key] };
  }
}

async function run(args: readonly string[]) {
  const child = Bun.spawn([...programCommand, ...args], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { code: await child.exited, output: stdout + stderr };
}

test("an agent with hostile texts in every field of every message steers no terminal", async () => {
  const [api, port] = [await freePort(), await freePort()];
  const config = join(directory.path, "controller.json");
  await Bun.write(
    config,
    JSON.stringify({
      fleet,
      logLevel: "debug",
      stateDir: join(directory.path, "controller"),
      api: { port: api },
      broker: { port },
      scaling: { warmUpMs: 0, intervalMs: 1000, offsetMs: 0, minReplicas: 1 },
    }),
  );
  controller = startProgram(["controller", "--config", config], directory.path);
  await controller.untilLogged("controller started");
  const nowMs = Date.now();
  const base = { agentId: "thor-1", bootId: "boot-1", sentAtMs: nowMs } as const;
  const differs = [{ field: "powerMode" as const, desired: "MAXN", reported: "70W", reason: "because" }];
  const minuteStartMs = Math.floor(nowMs / 60_000) * 60_000 - 60_000;
  const messages = [
    ["presence", Presence, { ...aPresence(base), asleep: { mac: "02:00:00:00:00:01" } }],
    ["birth", Birth, aBirth({ ...base, tags: { hall: "1" } })],
    ["data", MinuteData, aMinute({ ...base, minuteStartMs })],
    ["reported", Reported, aReported({ ...base, differs })],
    ["cmd-result", CommandResult, { v: 1, id: "1", agentId: "thor-1", state: "failed", reason: "because" }],
  ] as const;
  const { clientId, ...credentials } = agentLogin("thor-1", fleet, keyIn(join(directory.path, "controller")));
  const silent = createLogger("test", "silent");
  const agent = new MqttBroker({ url: `mqtt://127.0.0.1:${port}`, clientId, credentials: () => credentials }, silent);
  await agent.start();
  await eventually(
    async () => agent.connected,
    (connected) => connected,
  );
  let sent = 0;
  for (const [channel, schema, message] of messages) {
    const topic = agentTopic(fleet, "thor-1", channel);
    // The plain message first, so that the agent is known even if a hostile one is refused.
    for (const each of [message, ...poisonedOnes(schema as TSchema, message)]) {
      await agent.publish(topic, JSON.stringify(each), { retain: channel === "presence" }).catch(() => {});
      sent += 1;
    }
  }
  expect(sent).toBeGreaterThan(15);
  const url = `http://127.0.0.1:${api}`;
  await eventually(
    async () => (await (await fetch(`${url}/api/v1/agents`)).json()) as { agents: { agentId: string }[] },
    ({ agents }) => agents.some(({ agentId }) => agentId === "thor-1"),
  );
  await Bun.sleep(2_000);
  for (const command of [["status"], ["why", "--limit", "100"], ["power", "report"]]) {
    for (const json of [[], ["--json"]]) {
      const { code, output } = await run([...command, ...json, "--url", url]);
      expect({ command, code, steering: steering.exec(output)?.[0] ?? null }).toEqual({
        command,
        code: 0,
        steering: null,
      });
      expect(output.split("\n").filter((line) => line.startsWith("FAKE"))).toEqual([]);
    }
  }
  await agent.stop();
  await controller.stop();
  // Text logs too: one line a message, whatever its source.
  const log = controller.log();
  expect(steering.exec(log)?.[0] ?? null).toBeNull();
  for (const line of log.trim().split("\n")) expect(JSON.parse(line)).toBeObject();
  expect(hostileText).toMatch(steering);
});
