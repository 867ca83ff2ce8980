import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Agent } from "#agent/agent.ts";
import { parseAgentConfig } from "#agent/check-config.ts";
import { readBrokerKey } from "#controller/broker/broker-key.ts";
import type { Controller } from "#controller/controller.ts";
import { quietController } from "../../controller/quiet-controller.ts";
import { eventually } from "../../e2e/program.ts";
import { agentLogin } from "../../fakes/broker-clients.ts";
import { freePort } from "../../fakes/free-port.ts";

// A controller and an agent in one process: from a tenant made to its requests let in, and cut off.
const directory = mkdtempSync(join(tmpdir(), "thormesh-access-"));
/** Key that is configured at the agent. */
const own = "a-key-of-the-operator";
let controller: Controller;
let agent: Agent;
let url = "";

async function startAgent(brokerUrl: string): Promise<Agent> {
  const port = await freePort();
  const { password } = agentLogin("thor-1", "default", readBrokerKey(join(directory, "controller")) as Uint8Array);
  const started = new Agent(
    parseAgentConfig(
      {
        ...{
          id: "thor-1",
          stateDir: join(directory, "agent"),
          logLevel: "silent",
          broker: { url: brokerUrl, password },
        },
        serving: {
          port,
          model: "none",
          requireKeys: true,
          apiKeys: [own],
          stopAnnounceMs: 0,
          grpc: { enabled: false },
        },
        ...{ mesh: { forward: "never" }, power: { board: "none" } },
      },
      "the test",
    ),
  );
  await started.start();
  url = `http://127.0.0.1:${port}`;
  return started;
}

async function manage(method: string, path: string, body?: object) {
  const answer = await fetch(`${controller.url}/api/v1/${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
  });
  const text = await answer.text();
  expect({ path, ok: answer.ok, text }).toMatchObject({ path, ok: true });
  return text === "" ? null : JSON.parse(text);
}

/** Status of an answer, with the error's code. */
async function ask(path: string, key: string | null): Promise<string> {
  const headers: Record<string, string> = key === null ? {} : { authorization: `Bearer ${key}` };
  const answer = await fetch(url + path, { headers });
  const body = (await answer.json().catch(() => ({}))) as { code?: string; error?: { code?: string } };
  return `${answer.status} ${body.code ?? body.error?.code ?? ""}`.trim();
}

const untilAnswered = (key: string, status: string) =>
  eventually(
    () => ask("/v1/models", key),
    (answer) => answer === status,
  );

beforeAll(async () => {
  controller = quietController(join(directory, "controller"));
  await controller.start();
  agent = await startAgent(controller.brokerUrl);
});
afterAll(async () => {
  await agent.stop();
  await controller.stop();
  rmSync(directory, { recursive: true, force: true });
});

test("a tenant's key works at the agents, there only and for what tenants use only; until it is suspended or deleted", async () => {
  expect(await ask("/v1/models", null)).toBe("401 invalid_api_key");
  await manage("POST", "tenants", { id: "red" });
  const { secret } = await manage("POST", "keys", { name: "line 1", role: "embed", tenant: "red" });
  await untilAnswered(secret, "200");
  expect(await ask("/livez", null)).toBe("200");
  expect(await ask("/metrics", secret)).toBe("403 FORBIDDEN");
  expect(await ask("/api/v1/status", secret)).toBe("403 FORBIDDEN");
  // Details of its health name paths and addresses.
  const brokerAsSeenWith = async (key: string) => {
    const answer = await fetch(`${url}/health`, { headers: { authorization: `Bearer ${key}` } });
    return ((await answer.json()) as { details: { broker: string } }).details.broker;
  };
  expect(await brokerAsSeenWith(secret)).toBe("shown to requests with a configured API key");
  expect(await brokerAsSeenWith(own)).toContain("connected over MQTT");
  // A tenant's key neither opens nor closes the controller's API.
  await manage("GET", "tenants");

  await manage("PATCH", "tenants/red", { suspended: true });
  await untilAnswered(secret, "403 tenant_suspended");
  await manage("PATCH", "tenants/red", { suspended: false });
  await untilAnswered(secret, "200");

  await manage("PATCH", "tenants/red", { requestsPerMinute: 0, tokensPerMinute: 6000 });
  const refused = await eventually(
    () =>
      fetch(`${url}/v1/embeddings`, {
        method: "POST",
        headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
        body: JSON.stringify({ input: "a" }),
      }),
    ({ status }) => status === 429,
  );
  expect(await refused.json()).toMatchObject({ error: { code: "rate_limit_exceeded", type: "rate_limit_error" } });
  expect(Object.fromEntries(refused.headers)).toMatchObject({
    "retry-after": "60",
    "x-ratelimit-remaining-requests": "0",
    "ratelimit-policy": '"requests";q=0;w=60, "tokens";q=6000;w=60',
  });

  // A quota by the day; the limits by the minute are lifted.
  await manage("PATCH", "tenants/red", { requestsPerMinute: null, tokensPerMinute: null, requestsPerDay: 0 });
  const spent = await eventually(
    async () => {
      const headers = { authorization: `Bearer ${secret}` };
      const answer = await fetch(`${url}/v1/embeddings`, { method: "POST", headers, body: "unread" });
      return { answer, text: await answer.text() };
    },
    ({ text }) => text.includes("insufficient_quota"),
  );
  expect(spent.answer.status).toBe(429);
  expect(spent.answer.headers.get("ratelimit-policy")).toBe('"requests-day";q=0;w=86400');

  // The agent is a witness of what was done here.
  const { access } = (await (
    await fetch(`${url}/api/v1/status`, { headers: { authorization: `Bearer ${own}` } })
  ).json()) as {
    access: { audit: { seq: number; hash: string } };
  };
  const { entries } = await manage("GET", `audit?after=${access.audit.seq - 1}&limit=1`);
  expect(entries).toMatchObject([access.audit]);

  // Cut off from broker and controller, and restarted.
  const { brokerUrl } = controller;
  await controller.stop();
  await agent.stop();
  agent = await startAgent(brokerUrl);
  expect(await ask("/v1/models", secret)).toBe("200");
  expect(await ask("/v1/models", `${secret.slice(0, -1)}x`)).toBe("401 invalid_api_key");
});
