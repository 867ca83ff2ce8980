import { beforeEach, describe, expect, test } from "bun:test";
import { QuotaUse } from "#agent/access/quota-use.ts";
import { TenantLimits } from "#agent/serving/tenants/tenant-limits.ts";
import { TenantQuotas } from "#agent/serving/tenants/tenant-quotas.ts";
import type { ServiceError } from "#platform/errors.ts";
import type { QuotaParts, TenantQuotas as Told } from "#protocol/messages.ts";
import { sameVectors } from "../grpc/start-grpc.ts";

let nowMs: number;
let told: Told | undefined;
let quotas: TenantQuotas;
let limits: TenantLimits;
const none = { requests: null, texts: null, tokens: null };
const parts = (name: string, own: Partial<QuotaParts["parts"][number]> | null, otherPart = 0.1): QuotaParts => ({
  ...{ name, otherPart },
  parts: own === null ? [] : [{ agentId: "a", part: 0.5, next: 0.2, ...own }],
});

beforeEach(() => {
  nowMs = Date.parse("2026-11-30T18:00:00Z");
  told = { timeZone: "Europe/Berlin", day: { ...none, requests: 100 } };
  const tenant = (name: string) => (name === "red" ? { ...(told === undefined ? {} : { quotas: told }) } : undefined);
  quotas = new TenantQuotas({
    ...{ agentId: "a", tenant, nowMs: () => nowMs },
    use: new QuotaUse({ load: () => null, save: () => {} }),
  });
  limits = new TenantLimits({
    ...{ agentId: "a", tenant: () => undefined, quotas, nowMs: () => 0 },
    recordRefused: async (_, error) => error as ServiceError,
  });
});

/** Counts requests until one is refused. */
function takeAll(): number {
  for (let count = 0; count < 1_000; count += 1) {
    if (quotas.refusal("red") !== null) return count;
    quotas.count("red", { requests: 1, texts: 1, tokens: 10 });
  }
  return 1_000;
}

describe("a day's quota", () => {
  test("is for the day of its time zone: then there is something again", () => {
    expect(takeAll()).toBe(100);
    expect(quotas.refusal("red")).toMatchObject({
      code: "QUOTA_EXCEEDED",
      message: "tenant red may send 100 requests per day; the next day begins at 2026-11-30T23:00:00.000Z",
      retryAfterS: 5 * 3600,
    });
    nowMs += 5 * 3_600_000;
    expect(takeAll()).toBe(100);
  });

  test("is divided: this agent answers up to its part, and asks again when the controller may have given it more", () => {
    told = { ...told!, dayParts: parts("2026-11-30", { part: 0.4 }) };
    expect(takeAll()).toBe(40);
    expect(quotas.refusal("red")).toMatchObject({
      message: expect.stringContaining("100 requests per day, of which this agent may answer 40 so far;"),
      retryAfterS: 60,
    });
    told = { ...told!, dayParts: parts("2026-11-30", { part: 1 }) };
    expect(takeAll()).toBe(60);
    expect(quotas.refusal("red")!.retryAfterS).toBe(5 * 3600);
  });

  test.each<[string, QuotaParts, number]>([
    ["an agent that is not listed", parts("2026-11-30", null), 10],
    ["the day after, cut off: what it was told for that", parts("2026-11-29", {}), 20],
    ["the day after, cut off, and not listed", parts("2026-11-29", null), 10],
    ["two days after", parts("2026-11-28", {}), 10],
    ["a clock behind the controller's, where the next day has begun", parts("2026-12-01", {}), 50],
    ["less than one: nothing", parts("2026-11-30", null, 0.001), 0],
  ])("%s", (_, dayParts, expected) => {
    told = { ...told!, dayParts };
    expect(takeAll()).toBe(expected);
  });

  test("an unknown time zone counts as UTC", () => {
    told = { ...told!, timeZone: "Mars/Olympus" };
    takeAll();
    expect(quotas.refusal("red")!.retryAfterS).toBe(6 * 3600);
  });
});

test("a month's quota holds beside the day's, and the fuller one decides", () => {
  told = { ...told!, month: { ...none, requests: 150 } };
  expect(takeAll()).toBe(100);
  nowMs += 5 * 3_600_000; // 1 December in Berlin: both begin anew
  expect(takeAll()).toBe(100);
  nowMs += 24 * 3_600_000;
  expect(takeAll()).toBe(50);
  expect(quotas.refusal("red")!.message).toContain(
    "150 requests per month; the next month begins at 2026-12-31T23:00:00.000Z",
  );
});

test("a request is let in while something is left, whatever its size; what is left is told", () => {
  told = { timeZone: "UTC", day: { requests: 100, texts: 1_000, tokens: 50 } };
  quotas.count("red", { requests: 1, texts: 40, tokens: 49 });
  expect(quotas.refusal("red")).toBeNull();
  expect(quotas.figures("red")).toEqual([
    { kind: "requests", name: "requests-day", quota: 100, remaining: 99, windowS: 86_400, resetS: 21_600 },
    { kind: "texts", name: "texts-day", quota: 1_000, remaining: 960, windowS: 86_400, resetS: 21_600 },
    { kind: "tokens", name: "tokens-day", quota: 50, remaining: 1, windowS: 86_400, resetS: 21_600 },
  ]);
  quotas.count("red", { tokens: 400 });
  expect(quotas.refusal("red")!.message).toContain("50 tokens per day");
});

describe("with limits", () => {
  const { signal } = new AbortController();
  const request = {
    ...{ model: undefined, inputs: ["abcd"], inputsField: "input", dimensions: undefined, tenant: "red", signal },
  };

  test("requests are counted, corrected by their tokens, and given back where there is no answer", async () => {
    told = { timeZone: "UTC", day: { requests: 2, texts: null, tokens: 100 } };
    // Three tokens are estimated, and one is in the text.
    await limits.before(sameVectors(2)).embed(request);
    expect(quotas.figures("red").map(({ remaining }) => remaining)).toEqual([1, 99]);
    const failing = { ...sameVectors(2), embed: () => Promise.reject(new Error("no model")) };
    await expect(limits.before(failing).embed(request)).rejects.toThrow("no model");
    expect(quotas.figures("red").map(({ remaining }) => remaining)).toEqual([1, 99]);
    await limits.before(sameVectors(2)).embed(request);
    await expect(limits.before(sameVectors(2)).embed(request)).rejects.toMatchObject({ code: "QUOTA_EXCEEDED" });
  });

  test("headers tell quotas in the IETF's form, and in OpenAI's where there is no limit by the minute", () => {
    told = { timeZone: "UTC", day: { requests: 100, texts: null, tokens: null }, month: { ...none, tokens: 5_000 } };
    expect(limits.headersOf("red")).toEqual({
      "x-ratelimit-limit-requests": "100",
      "x-ratelimit-remaining-requests": "100",
      "x-ratelimit-reset-requests": "21600s",
      "x-ratelimit-limit-tokens": "5000",
      "x-ratelimit-remaining-tokens": "5000",
      "x-ratelimit-reset-tokens": "21600s",
      "ratelimit-policy": '"requests-day";q=100;w=86400, "tokens-month";q=5000;w=2592000',
      ratelimit: '"requests-day";r=100;t=21600, "tokens-month";r=5000;t=21600',
    });
    expect(limits.headersOf("blue")).toEqual({});
  });
});
