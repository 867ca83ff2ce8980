import { describe, expect, test } from "bun:test";
import type { TokenizeRequest } from "#agent/serving/admission/embedder.ts";
import type { Leases } from "#agent/serving/admission/lease-model.ts";
import { createTokenNaming } from "#agent/serving/admission/name-tokens.ts";
import type { ModelLease } from "#agent/serving/residency/model-pool.ts";
import type { Steps } from "#agent/serving/text/steps.ts";
import type { NamedTokens } from "#agent/serving/text/text-tokenizer.ts";
import { ServiceError } from "#platform/errors.ts";

/** Texts named "slow" take steps until they are told to end. */
function setUp(options: { readonly requestTimeoutMs?: number; readonly stopping?: boolean } = {}) {
  let leased = 0;
  const state = { finish: false, steps: 0 };
  const tokenizer = {
    *nameInSteps(text: string): Steps<NamedTokens> {
      while (text === "slow" && !state.finish) {
        state.steps += 1;
        yield;
      }
      return { ids: new Uint32Array(text.length), before: 0, after: 0 };
    },
  };
  const leases: Leases = {
    async acquire() {
      leased += 1;
      return { model: { tokenizer }, release: () => (leased -= 1) } as unknown as ModelLease;
    },
  };
  const tokenize = createTokenNaming(
    leases,
    { requestTimeoutMs: options.requestTimeoutMs ?? 60_000, maxTokenizeRequests: 4 },
    () => options.stopping ?? false,
  );
  const ask = (inputs: string[], more: Partial<TokenizeRequest> = {}) =>
    tokenize({ model: undefined, inputs, addSpecialTokens: true, signal: new AbortController().signal, ...more });
  return { ask, state, leased: () => leased };
}

const codeOf = async (attempt: Promise<unknown>) => {
  const error = await attempt.then(
    () => null,
    (cause: unknown) => cause,
  );
  return error instanceof ServiceError ? error.code : error;
};

describe("requests for tokens", () => {
  test("are few at once, and a tenant's are fewer", async () => {
    const { ask, state, leased } = setUp();
    const red = [1, 2, 3].map(() => ask(["slow"], { tenant: "red" }));
    expect(await codeOf(ask(["a"], { tenant: "red" }))).toBe("TOO_MANY_REQUESTS");
    const blue = ask(["ab"], { tenant: "blue" });
    expect(await codeOf(ask(["a"], { tenant: "green" }))).toBe("TOO_MANY_REQUESTS");
    state.finish = true;
    await Promise.all(red);
    expect((await blue).texts[0]?.ids.length).toBe(2);
    expect(leased()).toBe(0);
    expect((await Promise.all([1, 2, 3].map(() => ask(["a"])))).length).toBe(3);
  });

  test("of a tenant stay few when one of two ends", async () => {
    const { ask, state } = setUp();
    const ending = new AbortController();
    const ended = codeOf(ask(["slow"], { signal: ending.signal }));
    const others = [ask(["slow"])];
    ending.abort();
    expect(await ended).toBe("INVALID_REQUEST");
    others.push(ask(["slow"]), ask(["slow"]));
    expect(await codeOf(ask(["a"]))).toBe("TOO_MANY_REQUESTS");
    state.finish = true;
    await Promise.all(others);
  });

  test("without a tenant are the default tenant's", async () => {
    const { ask, state } = setUp();
    const all = [ask(["slow"]), ask(["slow"], { tenant: "default" }), ask(["slow"])];
    expect(await codeOf(ask(["a"], { tenant: "default" }))).toBe("TOO_MANY_REQUESTS");
    state.finish = true;
    await Promise.all(all);
  });

  test("end at their deadline, with their client, and leave nothing behind", async () => {
    const { ask, state, leased } = setUp({ requestTimeoutMs: 1_000 });
    expect(await codeOf(ask(["slow"]))).toBe("DEADLINE_EXCEEDED");
    expect(await codeOf(ask(["slow"], { latencyBudgetMs: 1 }))).toBe("DEADLINE_EXCEEDED");
    expect(await codeOf(ask(["slow"], { signal: AbortSignal.abort() }))).toBe("INVALID_REQUEST");
    const { steps } = state;
    await Bun.sleep(20);
    expect(state.steps).toBe(steps);
    expect(leased()).toBe(0);
    expect((await ask(["a"])).texts.length).toBe(1);
  });

  test("are not begun while stopping", async () => {
    expect(await codeOf(setUp({ stopping: true }).ask(["a"]))).toBe("SHUTTING_DOWN");
  });
});
