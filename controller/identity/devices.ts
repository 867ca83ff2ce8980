import { createPublicKey, type KeyObject } from "node:crypto";
import { keyOfRequest } from "#platform/certificates/certificate-request.ts";
import { keyHash } from "#platform/certificates/device-key.ts";
import { describeError, ServiceError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { dayMs } from "#platform/time.ts";
import { isIssuedBy, parseCertificate, readDeviceCertificate } from "#protocol/identity/device-certificate.ts";
import {
  type AnswerBody,
  type BrokerAddress,
  type JoinAnswer,
  JoinStatement,
  RenewStatement,
} from "#protocol/identity/join-messages.ts";
import { isSignedBy, readStatement, type SignedStatement, signStatement } from "#protocol/identity/signed-statement.ts";
import { accessLimits, type FleetAccess } from "#protocol/messages.ts";
import type { Device, IdentityStore } from "../store/store.ts";
import { decideHost } from "./decide-host.ts";
import { decideJoin } from "./decide-join.ts";
import { decideRenewal } from "./decide-renewal.ts";
import { explainJoin } from "./explain-join.ts";
import { explainRenewal } from "./explain-renewal.ts";
import type { FleetAuthority } from "./fleet-authority.ts";
import type { JoinTokens } from "./join-tokens.ts";
import type { RevokedKeys } from "./revoked-keys.ts";

/** Maximum devices that are known, and of them those that wait to be let in. */
const maxDevices = 100_000;
const maxPending = 1_000;

export interface DevicesParts {
  readonly fleet: string;
  readonly config: {
    readonly certificateDays: number;
    readonly renewalGraceDays: number;
    /** Names and networks that certificates may have; null, as by default: any. */
    readonly hosts?: readonly string[] | null;
  };
  /** End of the time in which agents may log in with passwords; null: it has none. */
  readonly passwordsUntilMs: number | null;
  readonly authority: FleetAuthority;
  readonly store: IdentityStore;
  readonly tokens: JoinTokens;
  readonly revokedKeys?: RevokedKeys;
  readonly brokerAddress: () => BrokerAddress;
  /** Called when a device may no longer take part: its sessions are to end. */
  readonly onRevoked: (agentId: string) => void;
  /** The machine's clock: certificates know no other. */
  readonly nowMs: () => number;
  readonly log: Logger;
}

/** Makes a change on record: that it is made, and the state that came of it. */
export type RecordJoin = (
  change: { readonly token: string; readonly agentId: string; readonly before: string | null },
  act: () => Promise<string>,
) => Promise<unknown>;

const spkiOf = (key: KeyObject) => key.export({ type: "spki", format: "der" }).toString("base64");
const keyOfSpki = (spki: string) => createPublicKey({ key: Buffer.from(spki, "base64"), type: "spki", format: "der" });

/** Devices of the fleet: who may take part, by certificates of the fleet's authority. */
export class Devices {
  readonly #parts: DevicesParts;
  readonly #known = new Map<string, Device>();
  #pending = 0;
  /** Changes are made one after another: two devices must not share a token's last use. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(parts: DevicesParts) {
    this.#parts = parts;
  }

  async recover(): Promise<void> {
    for (const device of await this.#parts.store.loadDevices()) this.#remember(device);
    await this.#parts.revokedKeys?.recover(this.list());
  }

  list(): readonly Device[] {
    return [...this.#known.values()];
  }

  /** Returns the membership list published to agents; null: no device has joined. */
  told(): FleetAccess["devices"] | null {
    if (this.#known.size === 0) return null;
    const revoked = this.list().filter(({ state }) => state === "revoked");
    const newest = revoked.sort((a, b) => a.sinceMs - b.sinceMs).slice(-accessLimits.maxRevoked);
    return {
      revokedKeys: [...(this.#parts.revokedKeys?.list() ?? [])],
      revokedAgents: newest.map(({ agentId }) => agentId),
      passwordsUntilMs: this.#parts.passwordsUntilMs,
    };
  }

  of(agentId: string): Device | null {
    return this.#known.get(agentId) ?? null;
  }

  /**
   * Lets a device in that shows a token, or tells it to wait. Asked again by the same key, it gives the same answer.
   * @param record puts a change on record while it is made
   */
  join(signed: SignedStatement, record: RecordJoin): Promise<AnswerBody> {
    return this.#inTurn(() => this.#join(signed, record));
  }

  /** Gives a device that has joined its next certificate. */
  renew(signed: SignedStatement): Promise<AnswerBody> {
    return this.#inTurn(() => this.#renew(signed));
  }

  approve(agentId: string): Promise<Device> {
    return this.#inTurn(async () => {
      const device = this.#waiting(agentId);
      const approved = await this.#certified({ ...device, state: "joined", sinceMs: this.#parts.nowMs() });
      await this.#save(approved);
      this.#parts.log.info({ agentId }, "a device was approved");
      return approved;
    });
  }

  /** Shuts a device out: its certificates are worth nothing from now on. */
  revoke(agentId: string, reason: string): Promise<Device> {
    return this.#inTurn(async () => {
      const device = this.#known.get(agentId);
      if (device === undefined) throw new ServiceError("NOT_FOUND", `no device has joined as ${agentId}`);
      if (device.state === "revoked") return device;
      const revoked: Device = { ...device, state: "revoked", sinceMs: this.#parts.nowMs(), reason };
      await this.#save(revoked);
      await this.#parts.revokedKeys?.add(revoked);
      this.#parts.log.warn({ agentId, reason }, "a device was revoked");
      this.#parts.onRevoked(agentId);
      return revoked;
    });
  }

  /**
   * Returns why a certificate that the authority signed admits nobody any more; null: it admits its device. The first use of a renewed
   * certificate ends the one before.
   */
  refusal(agentId: string, usedKey: string): string | null {
    const device = this.#known.get(agentId);
    if (device === undefined) return `no device has joined as ${agentId}`;
    if (device.state === "revoked") return `${agentId} was revoked`;
    if (device.state === "pending") return `${agentId} has not been approved`;
    if (usedKey === device.previousKeyHash) return null;
    if (usedKey !== device.keyHash) return `${agentId} has renewed its certificate: this one is an old copy`;
    if (device.previousKeyHash !== null) this.#endPrevious(device);
    return null;
  }

  #endPrevious(device: Device): void {
    const { agentId } = device;
    this.#remember({ ...device, previousKeyHash: null });
    const save = async () => {
      const now = this.#known.get(agentId);
      if (now !== undefined) await this.#parts.store.saveDevice(now);
    };
    this.#inTurn(save).catch((error) =>
      this.#parts.log.error({ agentId, err: describeError(error) }, "the end of an old certificate can't be stored"),
    );
  }

  /** Returns the region that a device's certificate names; null: it has none. */
  certifiedRegion(agentId: string): string | null {
    const device = this.#known.get(agentId);
    return device?.state === "joined" && device.region !== "" ? device.region : null;
  }

  /** Returns why an agent's broker password admits nobody; null: it does. */
  passwordRefusal(agentId: string): string | null {
    const { passwordsUntilMs, nowMs } = this.#parts;
    if (this.#known.get(agentId)?.state === "revoked") return `${agentId} was revoked`;
    if (passwordsUntilMs === null || nowMs() < passwordsUntilMs) return null;
    const ended = new Date(passwordsUntilMs).toISOString();
    return `passwords were accepted until ${ended} (identity.passwordsUntil): join with a token (thormesh token create)`;
  }

  async #join(signed: SignedStatement, record: RecordJoin): Promise<AnswerBody> {
    const { tokens, authority, nowMs, log } = this.#parts;
    const decoded = readStatement(JoinStatement, signed);
    if (!decoded.ok) throw invalid(decoded.reason);
    const { authority: pin, token: tokenId, agentId, request } = decoded.message;
    if (pin !== authority.pin)
      throw new ServiceError("FORBIDDEN", "the token belongs to another controller: use its address");
    const token = tokens.proven(tokenId, signed);
    const known = this.#known.get(agentId) ?? null;
    const key = token === null ? null : await keyOfRequest(request);
    if (token !== null && key === null)
      throw invalid("request: expected a certificate request for a P-256 key, signed with it");
    const hash = key === null ? "" : keyHash(key);
    const rule = decideJoin({ token, known, keyHash: hash, nowMs: nowMs() });
    const refusal = explainJoin(rule, agentId);
    if (refusal !== null || token === null || key === null) {
      log.warn({ agentId, tokenId, rule }, "a device was not let in");
      throw new ServiceError("FORBIDDEN", refusal ?? "not allowed", { details: { rule } });
    }
    if (rule === "repeated" || rule === "still-pending") return this.#answer(known as Device);
    this.#refuseBeyondBounds(known, rule === "has-to-be-approved");
    const waiting: Device = {
      ...{ agentId, state: "pending", keyHash: hash, previousKeyHash: null, publicKey: spkiOf(key), certificate: null },
      ...{ region: token.region, tokenId, requestedMs: nowMs(), sinceMs: nowMs(), notAfterMs: null, reason: "" },
    };
    const device = rule === "joins" ? await this.#certified({ ...waiting, state: "joined" }) : waiting;
    await record({ token: tokenId, agentId, before: known?.state ?? null }, async () => {
      await this.#save(device, tokens.afterUse(token));
      return device.state;
    });
    log.info({ agentId, tokenId, state: device.state }, "a device joins");
    return this.#answer(device);
  }

  async #renew(signed: SignedStatement): Promise<AnswerBody> {
    const { authority, config, fleet, nowMs, log } = this.#parts;
    const decoded = readStatement(RenewStatement, signed);
    if (!decoded.ok) throw invalid(decoded.reason);
    const { authority: pin, certificate, request, hosts } = decoded.message;
    const shown = readDeviceCertificate(certificate);
    if (
      pin !== authority.pin ||
      shown === null ||
      shown.fleet !== fleet ||
      !isIssuedBy(certificate, authority.certificate)
    )
      throw new ServiceError(
        "FORBIDDEN",
        "the certificate is from another authority: join again with a token from this one",
      );
    if (!isSignedBy(parseCertificate(certificate).publicKey, "renew", signed.statement, signed.signature))
      throw new ServiceError("FORBIDDEN", "the request is not signed with the certificate's key");
    const key = await keyOfRequest(request);
    if (key === null) throw invalid("request: expected a certificate request for a P-256 key, signed with it");
    const { agentId } = shown;
    const known = this.#known.get(agentId) ?? null;
    const nextKey = keyHash(key);
    const rule = decideRenewal({
      ...{ known, nextKey, signedBy: shown.keyHash, notAfterMs: shown.notAfterMs, nowMs: nowMs() },
      graceMs: config.renewalGraceDays * dayMs,
    });
    const refusal = explainRenewal(rule, agentId);
    if (refusal !== null || known === null) {
      log.warn({ agentId, rule }, "a certificate was not renewed");
      throw new ServiceError("FORBIDDEN", refusal ?? "not allowed", { details: { rule } });
    }
    if (rule === "repeated") return this.#answer(known);
    const granted = hosts?.filter((host) => decideHost(host, config.hosts ?? null) === "granted");
    const previousKeyHash = nextKey === shown.keyHash ? known.previousKeyHash : shown.keyHash;
    const renewed = await this.#certified(
      { ...known, keyHash: nextKey, previousKeyHash, publicKey: spkiOf(key) },
      granted,
    );
    await this.#save(renewed);
    const refused = hosts?.filter((host) => granted?.includes(host) === false) ?? [];
    if (refused.length > 0) log.warn({ agentId, refused }, "a device asked for names that it may not have");
    log.info({ agentId, hosts: granted }, "a certificate was renewed");
    return this.#answer(renewed);
  }

  #waiting(agentId: string): Device {
    const device = this.#known.get(agentId);
    if (device === undefined) throw new ServiceError("NOT_FOUND", `no device asks to join as ${agentId}`);
    if (device.state !== "pending")
      throw new ServiceError("CONFLICT", `${agentId} does not wait for approval: it is ${device.state}`);
    return device;
  }

  #refuseBeyondBounds(known: Device | null, waits: boolean): void {
    if (waits && known?.state !== "pending" && this.#pending >= maxPending)
      throw new ServiceError("TOO_MANY_REQUESTS", `${maxPending} devices are already waiting for approval`, {
        retryAfterS: 60,
      });
    if (known === null && this.#known.size >= maxDevices)
      throw new ServiceError("TOO_MANY_REQUESTS", `${maxDevices} devices have already joined`, { retryAfterS: 3600 });
  }

  async #certified(device: Device, hosts?: readonly string[]): Promise<Device> {
    const { authority, config } = this.#parts;
    const certificate = await authority.issueAgent({
      ...{ agentId: device.agentId, region: device.region, publicKey: keyOfSpki(device.publicKey) },
      lifeMs: config.certificateDays * dayMs,
      ...(hosts === undefined ? {} : { hosts }),
    });
    return { ...device, certificate, notAfterMs: readDeviceCertificate(certificate)?.notAfterMs ?? null };
  }

  #answer(device: Device): AnswerBody {
    const { authority, fleet, brokerAddress, nowMs } = this.#parts;
    const answer: JoinAnswer = {
      ...{ state: device.state === "joined" ? "joined" : "pending", forKey: device.keyHash, fleet },
      ...{ agentId: device.agentId, region: device.region, certificate: device.certificate },
      ...{ broker: brokerAddress(), nowMs: nowMs() },
    };
    return { authority: authority.certificate, answer: signStatement(authority.key, "answer", answer) };
  }

  async #save(device: Device, token?: Parameters<IdentityStore["saveDevice"]>[1]): Promise<void> {
    await this.#parts.store.saveDevice(device, token);
    this.#remember(device);
    if (token !== undefined) this.#parts.tokens.remember(token);
  }

  #remember(device: Device): void {
    if (this.#known.get(device.agentId)?.state === "pending") this.#pending -= 1;
    if (device.state === "pending") this.#pending += 1;
    this.#known.set(device.agentId, device);
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(action);
    this.#turn = result.catch(() => undefined);
    return result;
  }
}

function invalid(reason: string): ServiceError {
  return new ServiceError("INVALID_REQUEST", `statement: ${reason}`, { details: { param: "statement" } });
}
