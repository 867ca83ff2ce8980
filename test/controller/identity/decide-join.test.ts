import { describe, expect, test } from "bun:test";
import { decideJoin, type JoinRule } from "#controller/identity/decide-join.ts";
import { decideRenewal, type RenewalRule } from "#controller/identity/decide-renewal.ts";
import { explainJoin } from "#controller/identity/explain-join.ts";
import { explainRenewal } from "#controller/identity/explain-renewal.ts";
import { aDevice, aJoinToken } from "../../fakes/identity.ts";

const nowMs = 10_000_000;
const token = aJoinToken({ createdMs: nowMs - 1_000, expiresMs: nowMs + 1 });
const own = "k".repeat(43);
const joined = aDevice({ keyHash: own, sinceMs: nowMs - 500, notAfterMs: nowMs + 1 });

type Case = [name: string, token: typeof token | null, known: typeof joined | null, rule: JoinRule];

describe("whether a device joins", () => {
  test.each<Case>([
    ["a token that nobody knows", null, null, "token-unknown"],
    ["the first time", token, null, "joins"],
    ["the first time, with a token that approves nobody", { ...token, isApproved: false }, null, "has-to-be-approved"],
    ["in the last millisecond", { ...token, expiresMs: nowMs + 1 }, null, "joins"],
    ["a moment too late", { ...token, expiresMs: nowMs }, null, "token-expired"],
    ["with the last use", { ...token, usesLeft: 1 }, null, "joins"],
    ["without one", { ...token, usesLeft: 0 }, null, "token-used-up"],
    ["revoked", { ...token, revokedMs: nowMs }, null, "token-revoked"],
    ["from a clock five minutes ahead", { ...token, createdMs: nowMs + 300_000 }, null, "joins"],
    ["from a clock further ahead", { ...token, createdMs: nowMs + 300_001 }, null, "token-not-yet-valid"],
    ["again, though the token is used up", { ...token, usesLeft: 0 }, joined, "repeated"],
    ["again, though the token has expired", { ...token, expiresMs: 1 }, joined, "repeated"],
    [
      "again, after the certificate's end",
      { ...token, usesLeft: 0 },
      { ...joined, notAfterMs: nowMs },
      "token-used-up",
    ],
    ["again while waiting", { ...token, usesLeft: 0 }, { ...joined, state: "pending" }, "still-pending"],
    [
      "again while waiting, the token revoked",
      { ...token, revokedMs: 1 },
      { ...joined, state: "pending" },
      "token-revoked",
    ],
    ["another key under an id in use", token, { ...joined, keyHash: "o".repeat(43) }, "id-in-use"],
    ["the same key with another token", token, { ...joined, tokenId: "other00000" }, "id-in-use"],
    ["an id whose certificate has ended", token, { ...joined, keyHash: "o".repeat(43), notAfterMs: nowMs }, "joins"],
    ["another key for one that waits", token, { ...joined, state: "pending", keyHash: "o".repeat(43) }, "joins"],
    [
      "revoked, with a token of before",
      token,
      { ...joined, state: "revoked", sinceMs: token.createdMs },
      "device-revoked",
    ],
    ["revoked, with a token of after", token, { ...joined, state: "revoked", sinceMs: token.createdMs - 1 }, "joins"],
  ])("%s", (_name, given, known, rule) => {
    expect(decideJoin({ token: given, known, keyHash: own, nowMs })).toBe(rule);
  });

  test("every refusal has a sentence of its own, with a remedy", () => {
    const refusals: JoinRule[] = [
      ...(["token-unknown", "token-revoked", "token-expired", "token-used-up"] as const),
      ...(["token-not-yet-valid", "id-in-use", "device-revoked"] as const),
    ];
    const sentences = refusals.map((rule) => explainJoin(rule, "thor-1"));
    expect(new Set(sentences).size).toBe(refusals.length);
    for (const sentence of sentences) expect(sentence).toMatch(/thormesh|timedatectl/);
    for (const rule of ["joins", "repeated", "still-pending", "has-to-be-approved"] as const)
      expect(explainJoin(rule, "thor-1")).toBeNull();
  });
});

describe("whether a certificate is renewed", () => {
  const renewal = { known: joined, signedBy: own, nextKey: "n".repeat(43), notAfterMs: nowMs, graceMs: 100, nowMs };
  const next = { ...joined, keyHash: "n".repeat(43), previousKeyHash: own };
  test.each<[string, Partial<typeof renewal>, RenewalRule]>([
    ["in time", {}, "renews"],
    ["at the end of grace", { nowMs: nowMs + 100 }, "renews"],
    ["after it", { nowMs: nowMs + 101 }, "expired-too-long"],
    ["of nobody", { known: null as never }, "device-unknown"],
    ["of one that waits", { known: { ...joined, state: "pending" } }, "device-unknown"],
    ["of one that was revoked", { known: { ...joined, state: "revoked" } }, "device-revoked"],
    ["asked again before the next key was used", { known: next }, "repeated"],
    ["for a third key, before the next was used", { known: next, nextKey: "t".repeat(43) }, "renews"],
    ["by an old copy", { known: { ...next, previousKeyHash: null as never } }, "key-replaced"],
  ])("%s", (_name, fields, rule) => {
    expect(decideRenewal({ ...renewal, ...fields })).toBe(rule);
  });

  test("every refusal has a sentence of its own, with a remedy", () => {
    const refusals = ["device-unknown", "device-revoked", "key-replaced", "expired-too-long"] as const;
    const sentences = refusals.map((rule) => explainRenewal(rule, "thor-1"));
    expect(new Set(sentences).size).toBe(refusals.length);
    for (const sentence of sentences) expect(sentence).toContain("thormesh token create");
    expect([explainRenewal("renews", "a"), explainRenewal("repeated", "a")]).toEqual([null, null]);
  });
});
