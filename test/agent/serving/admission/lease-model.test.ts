import { describe, expect, test } from "bun:test";
import { AdmittedRequests } from "#agent/serving/admission/admitted-requests.ts";
import { createLeases } from "#agent/serving/admission/lease-model.ts";
import { startDeadline } from "#agent/serving/admission/request-deadline.ts";
import type { ModelLease } from "#agent/serving/residency/model-pool.ts";
import { ServiceError } from "#platform/errors.ts";

const limits = {
  queueRequests: 2,
  // A request that waits for its model has no texts or tokens in the queue.
  queueTexts: 0,
  queueTokens: 1,
  queueBytes: 1_000,
  queueMs: 1_000,
  requestTimeoutMs: 1_000,
};
const never = new AbortController().signal;

function setUp() {
  const admitted = new AdmittedRequests(() => 1);
  const waiting: PromiseWithResolvers<ModelLease>[] = [];
  let released = 0;
  const lease = { model: {}, release: () => (released += 1) } as unknown as ModelLease;
  const leases = createLeases(
    (name) => {
      if (name === "loaded") return lease;
      const promise = Promise.withResolvers<ModelLease>();
      waiting.push(promise);
      return promise.promise;
    },
    admitted,
    limits,
  );
  const asDefault = () => leases.acquire("loading", startDeadline(never, 60_000));
  const ask = (tenant = "red", bytes = 100) => {
    const deadline = startDeadline(never, 60_000);
    const result = Promise.resolve(leases.acquire("loading", deadline, () => ({ tenant, bytes })));
    return { result, deadline };
  };
  const held = (tenant = "red") => admitted.state(tenant, () => 0).own;
  return { leases, ask, asDefault, held, waiting, lease, released: () => released };
}

const codeOf = (attempt: Promise<unknown>) =>
  attempt.then(
    () => "leased",
    (error) => (error instanceof ServiceError ? error.code : String(error.message)),
  );

test("a loaded model is leased at once, and its request does not count as waiting", async () => {
  const { leases, lease, held } = setUp();
  const deadline = startDeadline(never, 60_000);
  expect(leases.acquire("loaded", deadline, () => ({ tenant: "red", bytes: 5_000 }))).toBe(lease);
  expect(held()).toMatchObject({ requests: 0, bytes: 0 });
  deadline.end();
});

describe("a request that waits for its model", () => {
  test("counts with its memory until the model is there", async () => {
    const { ask, held, waiting, lease } = setUp();
    const { result, deadline } = ask();
    expect(held()).toMatchObject({ requests: 1, texts: 0, bytes: 100 });
    waiting[0]?.resolve(lease);
    expect(await result).toBe(lease);
    expect(held()).toMatchObject({ requests: 0, bytes: 0 });
    deadline.end();
  });

  test("is the default tenant's, without memory, where nothing is said of it", async () => {
    const { asDefault, held, waiting, lease } = setUp();
    const result = asDefault();
    expect(held("default")).toMatchObject({ requests: 1, texts: 0, bytes: 0 });
    waiting[0]?.resolve(lease);
    expect(await result).toBe(lease);
  });

  test("counts no longer when the model can't be loaded", async () => {
    const { ask, held, waiting } = setUp();
    const { result } = ask();
    waiting[0]?.reject(new ServiceError("MODEL_UNAVAILABLE", "broken"));
    expect(await codeOf(result)).toBe("MODEL_UNAVAILABLE");
    expect(held().requests).toBe(0);
  });

  test("is refused beyond the limits of requests and memory, and the lease that comes for it is released", async () => {
    const { ask, waiting, lease, released } = setUp();
    const large = ask("red", 1_001);
    expect(await codeOf(large.result)).toBe("PAYLOAD_TOO_LARGE");
    const accepted = [ask(), ask()];
    expect(await codeOf(ask().result)).toBe("TOO_MANY_REQUESTS");
    for (const each of waiting) each.resolve(lease);
    await Promise.all(accepted.map(({ result }) => result));
    expect(released()).toBe(2);
  });

  test("is evicted for another tenant that is below its share", async () => {
    const { ask, held } = setUp();
    const first = ask("red");
    const second = ask("red");
    for (const { deadline } of [first, second]) deadline.signal();
    const signal = second.deadline.signal();
    ask("blue");
    expect(signal.aborted && signal.reason.code).toBe("TOO_MANY_REQUESTS");
    expect([held("red").requests, held("blue").requests]).toEqual([1, 1]);
  });
});
