import { describe, expect, test } from "bun:test";
import type { AdmissionDecision } from "#agent/serving/admission/decide-admission.ts";
import { createHeldRequests, type HeldRequest } from "#agent/serving/admission/held-requests.ts";
import type { ServiceError } from "#platform/errors.ts";

const admit: AdmissionDecision = { kind: "admit" };
const waiting = () => 0;

function request(tenant: string, more: Partial<HeldRequest> = {}) {
  const evicted: ServiceError[] = [];
  const held: HeldRequest = {
    tenant,
    texts: 2,
    bytes: 100,
    begun: () => false,
    evict: (reason) => evicted.push(reason),
    ...more,
  };
  return { held, evicted };
}

test("what each tenant has, and what it has a right to, by weight among those that have something", () => {
  const all = createHeldRequests((tenant) => (tenant === "a" ? 3 : 1));
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
  expect(all.state("b", waiting)).toMatchObject({ held: { requests: 1 }, own: { requests: 1, bytes: 100 }, share: 1 });
});

test.each([
  [
    { kind: "wait", reason: "full", retryAfterS: 3 },
    { code: "TOO_MANY_REQUESTS", retryAfterS: 3 },
  ],
  [{ kind: "too-large", reason: "huge" }, { code: "PAYLOAD_TOO_LARGE" }],
] as const)("%o is refused and holds nothing", (decision, refusal) => {
  const all = createHeldRequests(() => 1);
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
    reason: "full",
    retryAfterS: 2,
  });

  test("turns away the newest of who has most, as many as it takes, and none that is begun", () => {
    const all = createHeldRequests(() => 1);
    const flood = Array.from({ length: 4 }, (_, index) => request("b", { begun: () => index === 3 }));
    const other = request("c");
    for (const { held } of [...flood, other]) all.enter(held, admit);
    all.enter(request("a").held, missing({ texts: 3 }));
    expect(flood.map(({ evicted }) => evicted.length)).toEqual([0, 1, 1, 0]);
    expect(flood[2]?.evicted[0]).toMatchObject({ code: "TOO_MANY_REQUESTS", retryAfterS: 2 });
    expect(other.evicted).toEqual([]);
    expect(all.state("a", waiting)).toMatchObject({ held: { requests: 4 }, own: { requests: 1 } });
  });

  test("by weight: who has least for its weight keeps what it has", () => {
    const all = createHeldRequests((tenant) => (tenant === "b" ? 4 : 1));
    const heavy = [request("b"), request("b"), request("b")];
    const light = request("c");
    for (const { held } of [...heavy, light]) all.enter(held, admit);
    all.enter(request("a").held, missing({ requests: 1 }));
    expect([...heavy, light].map(({ evicted }) => evicted.length)).toEqual([0, 0, 0, 1]);
  });

  test("lets in who has a right to it even where all the others are begun", () => {
    const all = createHeldRequests(() => 1);
    const begun = request("b", { begun: () => true });
    all.enter(begun.held, admit);
    all.enter(request("a").held, missing({ bytes: 50 }));
    expect(begun.evicted).toEqual([]);
    expect(all.state("a", waiting).own.requests).toBe(1);
  });

  test("who was turned away and ends afterwards is not counted twice", () => {
    const all = createHeldRequests(() => 1);
    const release = all.enter(request("b").held, admit);
    all.enter(request("a").held, missing({ requests: 1 }));
    release();
    expect(all.state("a", waiting).held).toEqual({ requests: 1, texts: 2, bytes: 100, tokens: 0 });
  });
});
