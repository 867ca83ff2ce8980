import { expect, test } from "bun:test";
import type { Embedder, EmbedRequest, TokenizeRequest } from "#agent/serving/admission/embedder.ts";
import { withLatencyBudgets } from "#agent/serving/admission/latency-budgets.ts";
import { sameVectors } from "../grpc/start-grpc.ts";

const { signal } = new AbortController();
const request = { model: undefined, inputs: ["a"], inputsField: "input", dimensions: undefined, signal };

test.each([
  ["none named, none configured", {}, null, {}, undefined],
  ["none named: that of all", {}, 50, {}, 50],
  ["none named: the tenant's", { tenant: "red" }, 50, { red: 20, blue: 30 }, 20],
  ["none named, by a tenant without one: that of all", { tenant: "blue" }, 50, { red: 20, blue: null }, 50],
  ["none named, by nobody's key: the default tenant's", {}, null, { default: 9 }, 9],
  ["its own, shorter", { tenant: "red", latencyBudgetMs: 5 }, 50, { red: 20 }, 5],
  ["its own, longer", { tenant: "red", latencyBudgetMs: 500 }, 50, { red: 20 }, 500],
] as const)("the budget of a request with %s", async (_, own, latencyBudgetMs, tenants, expected) => {
  const asked: (EmbedRequest | TokenizeRequest)[] = [];
  const same = sameVectors(4);
  const recording: Embedder = {
    ...same,
    embed: (each) => {
      asked.push(each);
      return same.embed(each);
    },
    tokenize: async (each) => {
      asked.push(each);
      return { texts: [], tokenizer: { tokenName: () => "a", isSpecial: () => false } };
    },
  };
  const budgets = Object.fromEntries(
    Object.entries(tenants).map(([name, budget]) => [name, { latencyBudgetMs: budget }]),
  );
  const embedder = withLatencyBudgets(recording, { latencyBudgetMs, tenants: budgets });
  await embedder.embed({ ...request, ...own });
  await embedder.tokenize({ ...request, addSpecialTokens: true, ...own });
  expect(asked.map((each) => each.latencyBudgetMs)).toEqual([expected, expected]);
});
