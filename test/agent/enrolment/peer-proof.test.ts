import { expect, test } from "bun:test";
import { createPeerCheck, createPeerProofs } from "#agent/enrolment/peer-proof.ts";
import { minuteMs } from "#platform/time.ts";
import { signStatement } from "#protocol/identity/signed-statement.ts";
import { makeFleet } from "../../fakes/joined-devices.ts";

const fleet = await makeFleet();
const [one, two] = [await fleet.join("thor-1"), await fleet.join("thor-2")];
const stranger = await (await makeFleet()).join("thor-1");
const other = await (await makeFleet("other")).join("thor-1");
const now = Date.now();

/** Returns who a header proves to thor-2 at a time. */
function check(header: string | null, options: { atMs?: number; revoked?: readonly string[] } = {}): string | null {
  const { atMs = now, revoked = [] } = options;
  return createPeerCheck({
    identity: () => two.identity,
    isRevoked: (key) => revoked.includes(key),
    nowMs: () => atMs,
  })(header);
}
const proof = (by = one, to = "thor-2", atMs = now) =>
  createPeerProofs(
    () => by.identity,
    () => atMs,
  )(to);
const said = (fields: object) => {
  const content = { fleet: "hall", from: "thor-1", to: "thor-2", atMs: now, ...fields };
  const { statement, signature } = signStatement(one.identity.key, "peer", content);
  return `Thormesh-Device ${one.identity.certificate}.${Buffer.from(statement).toString("base64url")}.${signature}`;
};

test("a device of the fleet is known", () => {
  expect(check(proof())).toBe("thor-1");
  expect(check(said({}))).toBe("thor-1");
});

test.each<[string, string | null, Parameters<typeof check>[1]]>([
  ["nothing", null, {}],
  ["another scheme", "Bearer something-long", {}],
  ["one for another agent", proof(one, "thor-3"), {}],
  ["one by an authority of the same name", proof(stranger), {}],
  ["one of another fleet", proof(other), {}],
  ["one that says it is another agent", said({ from: "thor-3" }), {}],
  ["one that says it is of another fleet", said({ fleet: "other" }), {}],
  ["one without a time", said({ atMs: undefined }), {}],
  ["another one's certificate", proof().replace(one.identity.certificate, two.identity.certificate), {}],
  // Not its last character, of which four bits stand for nothing.
  ["a changed signature", proof().replace(/.(?=.{9}$)/, (last) => (last === "A" ? "B" : "A")), {}],
  ["an old one", proof(), { atMs: now + 10 * minuteMs + 1 }],
  ["one of a clock that is far ahead", proof(), { atMs: now - 10 * minuteMs - 1 }],
  ["one after the certificate's end", proof(one, "thor-2", now + 75 * minuteMs), { atMs: now + 75 * minuteMs }],
  ["a revoked device's", proof(), { revoked: [one.keyHash] }],
])("%s proves nobody", (_, header, options) => {
  expect(check(header, options)).toBeNull();
});

test("a proof that was known is refused once its device is revoked, or its time is over", () => {
  let atMs = now;
  const revoked = new Set<string>();
  const verify = createPeerCheck({
    identity: () => two.identity,
    isRevoked: (key) => revoked.has(key),
    nowMs: () => atMs,
  });
  const header = proof();
  expect([verify(header), verify(header)]).toEqual(["thor-1", "thor-1"]);
  atMs = now + 11 * minuteMs;
  expect(verify(header)).toBeNull();
  atMs = now;
  expect(verify(header)).toBe("thor-1");
  revoked.add(one.keyHash);
  expect(verify(header)).toBeNull();
});

test("one proof serves for two minutes, each peer another, and a new certificate a new one", async () => {
  let atMs = now;
  let identity = one.identity;
  const proofFor = createPeerProofs(
    () => identity,
    () => atMs,
  );
  const first = proofFor("thor-2");
  atMs += 2 * minuteMs - 1;
  expect(proofFor("thor-2")).toBe(first);
  expect(proofFor("thor-3")).not.toBe(first);
  atMs += 1;
  expect(proofFor("thor-2")).not.toBe(first);
  const second = proofFor("thor-2");
  identity = (await fleet.join("thor-1")).identity;
  expect(proofFor("thor-2")).not.toBe(second);
});
