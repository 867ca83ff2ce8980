import { beforeEach, describe, expect, test } from "bun:test";
import type { EmbedRequest } from "#agent/serving/admission/embedder.ts";
import { TenantLimits } from "#agent/serving/tenants/tenant-limits.ts";
import type { ServiceError } from "#platform/errors.ts";
import type { TenantAccess } from "#protocol/messages.ts";
import { sameVectors } from "../grpc/start-grpc.ts";

type Told = Pick<TenantAccess, "limits" | "shares" | "otherShare">;
let nowMs: number;
let told: Told | undefined;
let refused: { request: EmbedRequest; error: unknown }[];
let limits: TenantLimits;
const none = { requests: null, texts: null, tokens: null };

beforeEach(() => {
  nowMs = 5_000;
  told = { limits: { ...none, requests: 60 } };
  refused = [];
  limits = new TenantLimits({
    agentId: "a",
    tenant: (name) => (name === "red" ? told : undefined),
    nowMs: () => nowMs,
    recordRefused: async (request, error) => {
      refused.push({ request, error });
      return error as ServiceError;
    },
  });
});

/** Takes requests of one text and ten tokens until one is refused; how many got through, and what the next was told. */
function takeAll(tenant = "red", cost = { requests: 1, texts: 1, tokens: 10 }) {
  for (let count = 0; ; count += 1) {
    try {
      limits.take(tenant, cost);
    } catch (error) {
      const { code, message, retryAfterS } = error as ServiceError;
      return { count, code, message, retryAfterS };
    }
    if (count === 10_000) return { count };
  }
}

test("a minute's worth gets through at once, then as much as time has passed", () => {
  expect(takeAll()).toEqual({
    ...{ count: 60, code: "RATE_LIMITED", retryAfterS: 1 },
    message: "tenant red may send 60 requests per minute",
  });
  nowMs += 10_000;
  expect(takeAll().count).toBe(10);
  nowMs += 3_600_000;
  expect(takeAll().count).toBe(60);
});

test("tenants without limits, and those that the controller does not know, are not limited", () => {
  expect(takeAll("blue").count).toBe(10_000);
  told = {};
  expect(takeAll().count).toBe(10_000);
});

test.each<[string, Told, number, string]>([
  ["a part of its own", { shares: [{ agentId: "a", share: 0.5 }], otherShare: 0.1 }, 30, "30"],
  ["the others' part", { shares: [{ agentId: "b", share: 0.5 }], otherShare: 0.1 }, 6, "6"],
  ["less than one a minute: one now and then", { shares: [{ agentId: "a", share: 0.01 }] }, 1, "0"],
])("an agent with %s", (_, shares, count, shown) => {
  told = { limits: { ...none, requests: 60 }, ...shares };
  const first = takeAll();
  expect(first.count).toBe(count);
  expect(first.message).toBe(`tenant red may send 60 requests per minute, of which this agent answers up to ${shown}`);
  nowMs += (first.retryAfterS as number) * 1000;
  expect(takeAll().count).toBeGreaterThanOrEqual(1);
});

test("a limit of nothing lets nothing through", () => {
  told = { limits: { ...none, texts: 0 } };
  expect(takeAll()).toMatchObject({ count: 0, retryAfterS: 60 });
});

test("a request larger than the limit gets through, and later ones wait for it", () => {
  told = { limits: { ...none, texts: 60 } };
  expect(takeAll("red", { requests: 1, texts: 180, tokens: 1 })).toMatchObject({ count: 1, retryAfterS: 121 });
  nowMs += 121_000;
  expect(takeAll("red", { requests: 1, texts: 180, tokens: 1 }).count).toBe(1);
});

test("each kind is limited by itself, and the fullest decides", () => {
  told = { limits: { requests: 100, texts: 1000, tokens: 200 } };
  expect(takeAll()).toMatchObject({ count: 20, message: "tenant red may send 200 tokens per minute" });
});

test("a request that one limit refuses takes nothing from the others", () => {
  told = { limits: { requests: 100, texts: 0, tokens: null } };
  expect(takeAll().count).toBe(0);
  expect(limits.refusal("red")).toMatchObject({ code: "RATE_LIMITED", retryAfterS: 60 });
  expect(limits.headersOf("red")["x-ratelimit-remaining-requests"]).toBe("100");
  told = { limits: { requests: 100, texts: null, tokens: null } };
  expect(limits.refusal("red")).toBeNull();
  expect(limits.refusal("blue")).toBeNull();
});

describe("headers", () => {
  test("tell the limits of this agent's part in OpenAI's and the IETF's forms", () => {
    told = { limits: { requests: 60, texts: 600, tokens: 6000 }, shares: [{ agentId: "a", share: 0.5 }] };
    limits.take("red", { requests: 1, texts: 5, tokens: 100 });
    expect(limits.headersOf("red")).toEqual({
      "x-ratelimit-limit-requests": "30",
      "x-ratelimit-remaining-requests": "29",
      "x-ratelimit-reset-requests": "2s",
      "x-ratelimit-limit-tokens": "3000",
      "x-ratelimit-remaining-tokens": "2900",
      "x-ratelimit-reset-tokens": "2s",
      "ratelimit-policy": '"requests";q=30;w=60, "texts";q=300;w=60, "tokens";q=3000;w=60',
      ratelimit: '"requests";r=29;t=2, "texts";r=295;t=1, "tokens";r=2900;t=2',
    });
  });

  test("say when there is something again, and no later than Retry-After", () => {
    const { retryAfterS } = takeAll();
    expect(limits.headersOf("red")).toMatchObject({
      "x-ratelimit-remaining-requests": "0",
      "x-ratelimit-reset-requests": "60s",
      ratelimit: `"requests";r=0;t=${retryAfterS}`,
    });
  });

  test("there are none without limits", () => {
    expect(limits.headersOf("blue")).toEqual({});
    told = { limits: none };
    expect(limits.headersOf("red")).toEqual({});
  });
});

describe("before an embedder", () => {
  const { signal } = new AbortController();
  const request = (tenant?: string): EmbedRequest => ({
    ...{ model: undefined, inputs: ["abcd", "abcd"], inputsField: "input", dimensions: undefined, tenant, signal },
  });

  test("refused requests are recorded and told so; others go on, and tokens are corrected by the answer", async () => {
    told = { limits: { ...none, tokens: 12 } };
    // Three tokens are estimated for each text, and one is in it.
    const embedder = limits.before(sameVectors(2));
    await embedder.embed(request("red"));
    expect(limits.headersOf("red")["x-ratelimit-remaining-tokens"]).toBe("10");
    limits.settle("red", "tokens", 10);
    const failed = await embedder.embed(request("red")).catch((error) => error);
    expect(failed.code).toBe("RATE_LIMITED");
    expect(refused).toEqual([{ request: request("red"), error: failed }]);
    await embedder.embed(request("blue"));
    await embedder.embed(request());
    const naming = { ...request("red"), inputs: ["a"], addSpecialTokens: true };
    await expect(embedder.tokenize(naming)).rejects.toMatchObject({ code: "RATE_LIMITED" });
    await expect(embedder.tokenize({ ...naming, tenant: "blue" })).rejects.toThrow("not asked");
  });
});
