import { describe, expect, test } from "bun:test";
import { type AdmittedRequest, AdmittedRequests } from "#agent/serving/admission/admitted-requests.ts";
import type { AdmissionDecision } from "#agent/serving/admission/decide-admission.ts";
import type { ServiceError } from "#platform/errors.ts";

const admit: AdmissionDecision = { kind: "admit", rule: "fits" };
const full = { rule: "queue-full", measure: "texts", waiting: 9, limit: 9 } as const;
const waiting = () => 0;

function request(tenant: string, more: Partial<AdmittedRequest> = {}) {
  const evicted: ServiceError[] = [];
  const held: AdmittedRequest = {
    tenant,
    texts: 2,
    bytes: 100,
    begun: () => false,
    evict: (reason) => evicted.push(reason),
    ...more,
  };
  return { held, evicted };
}

test("each tenant's requests, and its share, by weight among tenants with requests", () => {
  const all = new AdmittedRequests((tenant) => (tenant === "a" ? 3 : 1));
  expect(all.state("a", waiting).share).toBe(1);
  const release = all.enter(request("b").held, admit);
  all.enter(request("b").held, admit);
  expect(all.state("a", (tenant) => (tenant === undefined ? 9 : 4))).toEqual({
    held: { requests: 2, texts: 4, bytes: 200, tokens: 9 },
    own: { requests: 0, texts: 0, bytes: 0, tokens: 4 },
    share: 0.75,
  });
  release();
  release();
  expect(all.state("a", waiting).share).toBe(0.75);
  expect(all.state("b", waiting)).toMatchObject({ held: { requests: 1 }, own: { requests: 1, bytes: 100 }, share: 1 });
});

test.each([
  [
    { kind: "wait", ...full, retryAfterS: 3 },
    { code: "TOO_MANY_REQUESTS", message: "the queue is full: 9 of 9 texts", retryAfterS: 3 },
  ],
  [
    { kind: "too-large", rule: "too-large", measure: "texts", asked: 5, limit: 4 },
    { code: "PAYLOAD_TOO_LARGE", message: "expected at most 4 texts, got 5" },
  ],
] as const)("%o is refused and holds nothing", (decision, refusal) => {
  const all = new AdmittedRequests(() => 1);
  let error: unknown;
  try {
    all.enter(request("a").held, decision);
  } catch (cause) {
    error = cause;
  }
  expect(error).toMatchObject(refusal);
  expect(all.state("a", waiting).held.requests).toBe(0);
});

describe("making room", () => {
  const missing = (what: Partial<{ requests: number; texts: number; bytes: number }>): AdmissionDecision => ({
    kind: "make-room",
    missing: { requests: 0, texts: 0, bytes: 0, ...what },
    ...full,
    retryAfterS: 2,
  });

  test("evicts the newest requests of the tenant that has most, as many as needed, and none that has begun", () => {
    const all = new AdmittedRequests(() => 1);
    const flood = Array.from({ length: 4 }, (_, index) => request("b", { begun: () => index === 3 }));
    const other = request("c");
    for (const { held } of [...flood, other]) all.enter(held, admit);
    all.enter(request("a").held, missing({ texts: 3 }));
    expect(flood.map(({ evicted }) => evicted.length)).toEqual([0, 1, 1, 0]);
    expect(flood[2]?.evicted[0]).toMatchObject({ code: "TOO_MANY_REQUESTS", retryAfterS: 2 });
    expect(other.evicted).toEqual([]);
    expect(all.state("a", waiting)).toMatchObject({ held: { requests: 4 }, own: { requests: 1 } });
  });

  test("evicts exactly as many as are needed", () => {
    const all = new AdmittedRequests(() => 1);
    const flood = Array.from({ length: 4 }, () => request("b"));
    for (const { held } of flood) all.enter(held, admit);
    all.enter(request("a").held, missing({ requests: 2, texts: 4, bytes: 200 }));
    expect(flood.map(({ evicted }) => evicted.length)).toEqual([0, 0, 1, 1]);
    all.enter(request("a").held, missing({ bytes: 101 }));
    expect(flood.map(({ evicted }) => evicted.length)).toEqual([1, 1, 1, 1]);
  });

  test.each([
    { scarce: { bytes: 1, texts: 1, requests: 1 }, from: "of-bytes" },
    { scarce: { texts: 1, requests: 1 }, from: "of-texts" },
    { scarce: { requests: 1 }, from: "of-requests" },
  ])("evicts requests of the tenant that has most of what is scarce: $from", ({ scarce, from }) => {
    const all = new AdmittedRequests(() => 1);
    const requests = {
      "of-requests": [1, 2, 3].map(() => request("of-requests", { texts: 1, bytes: 10 })),
      "of-texts": [request("of-texts", { texts: 9, bytes: 10 })],
      "of-bytes": [request("of-bytes", { texts: 1, bytes: 900 })],
    };
    for (const { held } of Object.values(requests).flat()) all.enter(held, admit);
    all.enter(request("a").held, missing(scarce));
    const evicted = Object.entries(requests).filter(([, own]) => own.some((each) => each.evicted.length > 0));
    expect(evicted.map(([tenant]) => tenant)).toEqual([from]);
  });

  test("of equals, the tenant that came first", () => {
    const all = new AdmittedRequests(() => 1);
    const [first, second] = [request("b"), request("c")];
    for (const { held } of [first, second]) all.enter(held, admit);
    all.enter(request("a").held, missing({ requests: 1 }));
    expect([first, second].map((each) => each?.evicted.length)).toEqual([1, 0]);
  });

  test("by weight: a tenant that has little for its weight keeps its requests", () => {
    const all = new AdmittedRequests((tenant) => (tenant === "b" ? 4 : 1));
    const heavy = [request("b"), request("b"), request("b")];
    const light = request("c");
    for (const { held } of [...heavy, light]) all.enter(held, admit);
    all.enter(request("a").held, missing({ requests: 1 }));
    expect([...heavy, light].map(({ evicted }) => evicted.length)).toEqual([0, 0, 0, 1]);
  });

  test("admits a tenant that is entitled to it even where all other requests have begun", () => {
    const all = new AdmittedRequests(() => 1);
    const begun = request("b", { begun: () => true });
    all.enter(begun.held, admit);
    all.enter(request("a").held, missing({ bytes: 50 }));
    expect(begun.evicted).toEqual([]);
    expect(all.state("a", waiting).own.requests).toBe(1);
  });

  test("a request that was evicted and ends afterwards is not counted twice", () => {
    const all = new AdmittedRequests(() => 1);
    const release = all.enter(request("b").held, admit);
    all.enter(request("a").held, missing({ requests: 1 }));
    release();
    expect(all.state("a", waiting).held).toEqual({ requests: 1, texts: 2, bytes: 100, tokens: 0 });
  });
});

test("a tenant without requests has no share", () => {
  const all = new AdmittedRequests(() => 1);
  const release = all.enter(request("b").held, admit);
  expect(all.state("a", waiting).share).toBe(0.5);
  release();
  expect(all.state("a", waiting).share).toBe(1);
});
