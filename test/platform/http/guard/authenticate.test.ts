import { expect, test } from "bun:test";
import pino from "pino";
import { ServiceError } from "#platform/errors.ts";
import { createAuthenticator } from "#platform/http/guard/authenticate.ts";
import { signPeerRequest, verifyPeerRequest } from "#platform/http/guard/peer-signature.ts";

function authenticatorOf(apiKeys: readonly string[]) {
  const lines: Record<string, unknown>[] = [];
  const log = pino({ level: "warn" }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const time = { nowMs: 0 };
  const authenticator = createAuthenticator({ apiKeys, log, nowMs: () => time.nowMs });
  const ask = (header: string | null, address: string | null = "192.0.2.1") => {
    const answer = authenticator.authenticate(header, () => address);
    return answer instanceof ServiceError ? [answer.code, answer.retryAfterS] : answer;
  };
  return { authenticator, ask, lines, time };
}

test("keys are required once there is one", () => {
  expect(authenticatorOf([]).authenticator.keysRequired).toBe(false);
  expect(authenticatorOf(["k"]).authenticator.keysRequired).toBe(true);
});

test("another agent is known by its signature for one path, also where no key is needed", () => {
  const log = pino({ level: "silent" });
  const secret = "the fleet's secret";
  const peers = {
    path: "/peers",
    verify: (header: string | null) => verifyPeerRequest(header, secret, "/peers", Date.now()),
  };
  const signed = signPeerRequest(secret, "thor-2", peers.path, Date.now());
  for (const apiKeys of [[], ["k"]]) {
    const authenticator = createAuthenticator({ apiKeys, log, peers });
    const expected = { tenant: null, role: "embed", peer: "thor-2" } as const;
    expect(authenticator.recognize(signed, peers.path)).toEqual(expected);
    expect(authenticator.authenticate(signed, () => null, peers.path)).toEqual(expected);
    expect(authenticator.recognize(signed, "/other")).toBeNull();
    const forged = signPeerRequest("another secret", "thor-2", peers.path, Date.now());
    expect(authenticator.recognize(forged, peers.path)).toBeNull();
  }
});

test("a wrong key is counted and logged with its address; none at all is not", () => {
  const { authenticator, ask, lines } = authenticatorOf(["k"]);
  expect(ask("Bearer k")).toEqual({ tenant: null });
  for (const header of [null, ""]) expect(ask(header)).toEqual(["UNAUTHORIZED", undefined]);
  expect([authenticator.wrongKeys(), lines]).toEqual([0, []]);
  expect(ask("Bearer x")).toEqual(["UNAUTHORIZED", undefined]);
  expect(authenticator.wrongKeys()).toBe(1);
  expect(lines).toEqual([
    expect.objectContaining({ msg: "a request had a wrong API key", address: "192.0.2.1", wrongKeys: 1 }),
  ]);
});

test("many wrong keys from one address make it wait; another address and one that is unknown do not", () => {
  const { ask, time } = authenticatorOf(["k"]);
  for (let count = 0; count < 10; count += 1) expect(ask("Bearer x")).toEqual(["UNAUTHORIZED", undefined]);
  expect(ask("Bearer x")).toEqual(["TOO_MANY_REQUESTS", 1]);
  expect(ask("Bearer x", "192.0.2.2")).toEqual(["UNAUTHORIZED", undefined]);
  expect(ask("Bearer x", null)).toEqual(["UNAUTHORIZED", undefined]);
  time.nowMs = 1_000;
  expect(ask("Bearer x")).toEqual(["UNAUTHORIZED", undefined]);
});
