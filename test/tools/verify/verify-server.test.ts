import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { waitWhileLoading } from "#tools/verify/check-health.ts";
import { createServerClient, type ServerClient } from "#tools/verify/server-client.ts";
import { verificationToText } from "#tools/verify/verification-to-text.ts";
import type { VerifyResult } from "#tools/verify/verify-result.ts";
import { type Verification, verifyServer } from "#tools/verify/verify-server.ts";
import { type Answer, type TestServing, testServing } from "../../agent/serving/start-serving.ts";

let real: TestServing;
let closed: TestServing;
const key = "the-key-of-the-test";
beforeAll(async () => {
  real = testServing();
  closed = testServing({ apiKeys: [key] });
  await Promise.all([real.serving.start(), closed.serving.start()]);
});
afterAll(async () => {
  await Promise.all([real.serving.stop(), closed.serving.stop()]);
});

const statuses = ({ checks }: Verification) => Object.fromEntries(checks.map(({ name, status }) => [name, status]));
const verify = (url: string, apiKey?: string, model?: string) =>
  verifyServer(createServerClient(url, apiKey, 600_000), model);

const allOk: Record<string, VerifyResult["status"]> = {
  health: "ok",
  key: "ok",
  ready: "ok",
  models: "ok",
  "known texts": "ok",
  normalised: "ok",
  deterministic: "ok",
  "batch = single": "ok",
  "base64 = float": "ok",
  routes: "ok",
  "long text": "ok",
  "empty text": "ok",
  metrics: "ok",
};

describe("an agent's serving", () => {
  test("passes every check", async () => {
    const verification = await verify(real.serving.url);
    expect(verification.kind).toBe("agent");
    // How long it takes is the machine's matter.
    const { latency, ...others } = statuses(verification);
    expect(others).toEqual(allOk);
    expect(latency).toMatch(/^(ok|warn)$/);
    expect(verification.checks.find(({ name }) => name === "batch = single")?.detail).toContain("from token ids");
  });

  test("with a key: passes with it, and tells what is wrong without and with another", async () => {
    const { latency: _, ...others } = statuses(await verify(closed.serving.url, key));
    expect(others).toEqual(allOk);
    for (const wrong of [undefined, "not-the-key"]) {
      const verification = await verify(closed.serving.url, wrong);
      expect(statuses(verification)).toEqual({ health: "ok", key: "fail" });
      expect(verification.checks[1]?.advice).toContain("THORMESH_API_KEY");
    }
  });

  test("that is standby: not checked is said, and is no failure", async () => {
    const standby = testServing({}, { role: { role: "standby", servingPeers: () => [] } });
    await standby.serving.start();
    try {
      const verification = await verify(standby.serving.url);
      expect(statuses(verification)).toEqual({ health: "ok", key: "ok", ready: "warn", metrics: "ok" });
      expect(verification.checks[2]?.detail).toContain("its vectors were not checked");
    } finally {
      await standby.serving.stop();
    }
  });

  test("a model that is being loaded is waited for; other reasons are not", async () => {
    const asked: string[] = [];
    const loading = (times: number, reason: string): ServerClient => {
      const client = createServerClient(real.serving.url, undefined, 600_000);
      let left = times;
      return {
        ...client,
        get: async (path, sent) => {
          asked.push(path);
          const answer = await client.get(path, sent);
          if (path !== "/readyz" || left === 0) return answer;
          left -= 1;
          return { ...answer, status: 503, text: reason, json: { error: reason } };
        },
      };
    };
    await waitWhileLoading(loading(3, "model all-MiniLM-L6-v2 is loading"), 60_000, () => Promise.resolve());
    expect(asked.splice(0)).toEqual(Array.from({ length: 4 }, () => "/readyz"));
    await waitWhileLoading(loading(3, "model all-MiniLM-L6-v2 is failing"), 60_000, () => Promise.resolve());
    expect(asked.splice(0)).toEqual(["/readyz"]);
    const { checks } = await verifyServer(loading(2, "model all-MiniLM-L6-v2 is loading"), undefined, 60_000);
    expect(checks.find(({ name }) => name === "ready")?.status).toBe("ok");
    const impatient = await verifyServer(loading(9, "model all-MiniLM-L6-v2 is loading"), undefined);
    expect(impatient.checks.find(({ name }) => name === "ready")?.status).toBe("fail");
  });

  test("a model that is not there", async () => {
    const verification = await verify(real.serving.url, undefined, "gpt");
    expect(verification.checks.find(({ name }) => name === "models")).toMatchObject({
      status: "fail",
      detail: '"gpt" is not one of the listed models: all-MiniLM-L6-v2',
    });
  });
});

/** Changes that a faulty server makes in an answer. */
type Fault = (path: string, sent: Answer, answer: Answer) => unknown;

/** Verifies the real server behind one that changes its answers. */
async function verifyFaulty(
  fault: Fault,
  plain: (path: string, text: string) => string | Response = (_, text) => text,
) {
  const proxy = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      const body = request.method === "POST" ? await request.text() : undefined;
      const response = await fetch(real.serving.url + pathname + search, {
        method: request.method,
        headers: { "content-type": "application/json" },
        ...(body === undefined ? {} : { body }),
      });
      const text = await response.text();
      const changed = plain(pathname, text);
      if (changed instanceof Response) return changed;
      const headers = Object.fromEntries(
        ["x-truncated-inputs"].flatMap((name) => {
          const value = response.headers.get(name);
          return value === null ? [] : [[name, value]];
        }),
      );
      let json: Answer;
      try {
        json = JSON.parse(changed);
      } catch {
        return new Response(changed, { status: response.status });
      }
      const answer = fault(pathname, body === undefined ? {} : JSON.parse(body), json) ?? json;
      return answer instanceof Response ? answer : Response.json(answer, { status: response.status, headers });
    },
  });
  try {
    return await verify(`http://127.0.0.1:${proxy.port}`);
  } finally {
    await proxy.stop(true);
  }
}

/** Changes the vectors of OpenAI's route. */
const vectors =
  (change: (vector: number[], index: number, sent: Answer) => unknown): Fault =>
  (path, sent, answer) => {
    if (path !== "/v1/embeddings" || !Array.isArray(answer["data"])) return undefined;
    for (const [index, item] of answer["data"].entries())
      if (Array.isArray(item.embedding)) item.embedding = change(item.embedding, index, sent);
    return undefined;
  };
const none: Fault = () => undefined;

describe("a faulty server fails the check that is about it", () => {
  let count = 0;
  test.each<[string, Fault, string, string]>([
    ["vectors of another model", vectors((vector) => vector.toReversed()), "known texts", "fail"],
    ["vectors that are not scaled", vectors((vector) => vector.map((each) => 2 * each)), "normalised", "warn"],
    [
      "vectors that change",
      vectors((vector) => {
        count += 1;
        return vector.map((_, i) => vector[(i + count) % vector.length] as number);
      }),
      "deterministic",
      "fail",
    ],
    [
      "another order in batches",
      (path, _, answer) => {
        if (path !== "/v1/embeddings" || !(answer["data"]?.length === 4)) return;
        answer["data"] = answer["data"].map((item: Answer, index: number) => ({
          ...item,
          embedding: answer["data"][(index + 1) % 4].embedding,
        }));
      },
      "batch = single",
      "fail",
    ],
    [
      "base64 of other numbers",
      (_, sent, answer) => {
        if (sent["encoding_format"] === "base64")
          answer["data"][0].embedding = Buffer.from(new Float32Array(384).fill(0.05).buffer).toString("base64");
      },
      "base64 = float",
      "fail",
    ],
    [
      "numbers where base64 was asked for",
      (_, sent, answer) => {
        if (sent["encoding_format"] === "base64") answer["data"][0].embedding = [1, 2];
      },
      "base64 = float",
      "warn",
    ],
    [
      "another vector by TEI's route",
      (path, _, answer) => (path === "/embed" && answer[0] !== undefined ? [answer[0].toReversed()] : undefined),
      "routes",
      "fail",
    ],
    [
      "no TEI route",
      (path) => (path === "/embed" ? Response.json({ error: "not found" }, { status: 404 }) : undefined),
      "routes",
      "warn",
    ],
    [
      "long texts that are cut unsaid",
      (path, _, answer) => {
        if (path === "/v1/embeddings" && answer["usage"] !== undefined) {
          answer["usage"] = {};
          return Response.json(answer);
        }
        return undefined;
      },
      "long text",
      "warn",
    ],
    [
      "a vector for an empty text",
      (_, sent) => (sent["input"] === "" ? { data: [{ index: 0, embedding: [1] }] } : undefined),
      "empty text",
      "warn",
    ],
    [
      "an error of its own for an empty text",
      (_, sent) => (sent["input"] === "" ? Response.json({}, { status: 500 }) : undefined),
      "empty text",
      "fail",
    ],
    ["no models", (path) => (path === "/v1/models" ? { data: [] } : undefined), "models", "fail"],
    [
      "ill health",
      (path, _, answer) => {
        if (path !== "/health") return;
        answer["status"] = "degraded";
        answer["checks"].storage = "degraded";
        answer["details"] = { ...answer["details"], storage: "the disk is full" };
      },
      "health",
      "warn",
    ],
  ])("%s", async (_, fault, name, status) => {
    const verification = await verifyFaulty(fault);
    expect(verification.checks.find((each) => each.name === name)).toMatchObject({ status });
  });

  test("ill health names the part and its detail", async () => {
    const verification = await verifyFaulty((path, _, answer) => {
      if (path !== "/health") return;
      answer["status"] = "degraded";
      answer["checks"].storage = "degraded";
      answer["details"] = { ...answer["details"], storage: "the disk is full" };
    });
    expect(verification.checks[0]?.detail).toContain("storage degraded: the disk is full");
  });

  test.each([
    ["half a line", (text: string) => text.slice(0, -20)],
    ["buckets that fall", (text: string) => text.replace(/(_bucket\{.*le="\+Inf".*\}) \d+/, "$1 -1")],
    ["HTML", () => "<html>\n"],
  ])("metrics that are %s", async (_, change) => {
    const verification = await verifyFaulty(none, (path, text) =>
      path === "/metrics" ? new Response(change(text)) : text,
    );
    expect(statuses(verification)["metrics"]).toBe("fail");
  });

  test("answers that are no JSON", async () => {
    const verification = await verifyFaulty(none, (path, text) =>
      path === "/v1/embeddings" ? new Response("<html>gateway</html>") : text,
    );
    expect(statuses(verification)).toMatchObject({ "known texts": "fail", "batch = single": "fail", latency: "fail" });
  });
});

test("nobody there", async () => {
  const verification = await verify("http://127.0.0.1:9");
  expect(verification).toMatchObject({ kind: "unknown", checks: [{ name: "reachable", status: "fail" }] });
});

test("the text fits 80 columns, says what to do and cleans what a server says", () => {
  const long = "a detail that goes on and on ".repeat(8);
  const text = verificationToText(
    {
      kind: "agent",
      checks: [
        { name: "health", status: "ok", detail: "fine" },
        { name: "models", status: "warn", detail: `\u001b[2J${long}`, advice: long },
        { name: "metrics", status: "fail", detail: "gone", advice: "Look." },
      ],
    },
    "http://127.0.0.1:8080",
  );
  expect(text.split("\n").filter((line) => line.length > 80)).toEqual([]);
  expect(text).not.toContain("\u001b");
  expect(text).toContain("fail  metrics: gone\n      -> Look.");
  expect(text).toEndWith("FAILED: 1 of 3 checks, 1 to look at");
});
