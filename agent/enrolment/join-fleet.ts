import { makeRequest } from "#platform/certificates/certificate-request.ts";
import { keyToLine } from "#platform/certificates/device-key.ts";
import { UsageError } from "#platform/errors.ts";
import { secondMs } from "#platform/time.ts";
import type { JoinStatement } from "#protocol/identity/join-messages.ts";
import type { JoinToken } from "#protocol/identity/join-token.ts";
import { signStatement } from "#protocol/identity/signed-statement.ts";
import { askAuthority, type ProvenAnswer } from "./ask-authority.ts";
import { type DeviceIdentity, pendingKey, readIdentity, writeIdentity } from "./device-identity.ts";

export interface JoinParts {
  readonly stateDir: string;
  readonly controllerUrl: string;
  readonly token: JoinToken;
  readonly agentId: string;
  /** Time to wait for approval. */
  readonly waitMs: number;
  /** Called once when it has to wait. */
  readonly onPending: () => void;
  readonly sleep: (ms: number) => Promise<unknown>;
}

export interface Joined {
  readonly identity: DeviceIdentity;
  /** True when an earlier run had finished already. */
  readonly before: boolean;
  /** The controller's clock minus this device's; null: it was not asked. */
  readonly clockLeadMs: number | null;
}

const askAgainMs = 2 * secondMs;

/**
 * Joins a fleet: makes a key that stays on this device, has the controller certify it, and keeps both. It can be broken off at any step and
 * run again with the same token.
 * @throws Error when the controller refuses, is an impostor or does not answer; UsageError when nobody approved in time.
 */
export async function joinFleet(parts: JoinParts): Promise<Joined> {
  const { stateDir, controllerUrl, token, agentId } = parts;
  const held = readIdentity(stateDir);
  if (held !== null && held.tokenId === token.id) return { identity: held, before: true, clockLeadMs: null };
  const key = pendingKey(stateDir);
  const statement: JoinStatement = {
    ...{ authority: token.pin, token: token.id, agentId },
    request: await makeRequest(key, agentId),
  };
  const request = { signed: signStatement(token.key, "join", statement), pin: token.pin, key };
  const ask = () => askAuthority(controllerUrl, "/api/v1/identity/join", request);
  const { answer, authority } = await untilApproved(await ask(), ask, parts);
  if (answer.certificate === null) throw new Error("the controller's answer contains no certificate. This is a bug.");
  writeIdentity(stateDir, {
    ...{ fleet: answer.fleet, agentId: answer.agentId, region: answer.region, key: keyToLine(key) },
    ...{ certificate: answer.certificate, authority, broker: answer.broker, controllerUrl },
    ...{ tokenId: token.id, joinedMs: answer.nowMs },
  });
  const identity = readIdentity(stateDir) as DeviceIdentity;
  return { identity, before: false, clockLeadMs: answer.nowMs - Date.now() };
}

async function untilApproved(
  first: ProvenAnswer,
  ask: () => Promise<ProvenAnswer>,
  { waitMs, onPending, sleep, agentId }: JoinParts,
): Promise<ProvenAnswer> {
  let latest = first;
  if (latest.answer.state === "pending") onPending();
  for (let waitedMs = 0; latest.answer.state === "pending"; waitedMs += askAgainMs) {
    if (waitedMs >= waitMs)
      throw new UsageError(
        `${agentId} has not been approved yet: run thormesh agents approve ${agentId} on the controller, then this command again`,
      );
    await sleep(askAgainMs);
    latest = await ask();
  }
  return latest;
}
