import type { KeyObject } from "node:crypto";
import { makeRequest } from "#platform/certificates/certificate-request.ts";
import { keyHash, keyToLine } from "#platform/certificates/device-key.ts";
import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { dayMs } from "#platform/time.ts";
import { agentServerName, namesLacking, parseCertificate } from "#protocol/identity/device-certificate.ts";
import type { RenewStatement } from "#protocol/identity/join-messages.ts";
import { signStatement } from "#protocol/identity/signed-statement.ts";
import { askAuthority, MisunderstoodRequest, type ProvenAnswer } from "./ask-authority.ts";
import { decideRenewalTime } from "./decide-renewal-time.ts";
import { type DeviceIdentity, pendingKey, readIdentity, writeIdentity } from "./device-identity.ts";

export interface RenewalParts {
  readonly stateDir: string;
  readonly identity: DeviceIdentity;
  /** Called with the new identity: connections are to use it. */
  readonly onRenewed: (identity: DeviceIdentity) => void;
  /** Returns names and addresses by which the device serves with the certificate; null, as by default: it does not. */
  readonly hosts?: () => readonly string[] | null;
  /** Returns whether the broker turns the device away. Default: it does not. */
  readonly isTurnedAway?: () => boolean;
  /** The machine's clock. */
  readonly nowMs: () => number;
  readonly log: Logger;
}

/** Keeps a device's certificate valid: asks for the next one, with a key of its own, long before the end, and after it. */
export class Renewal {
  readonly #parts: RenewalParts;
  #identity: DeviceIdentity;
  #triedMs: number | null = null;
  #problem: string | null = null;
  /** Time of the last certificate that was granted because the broker took the one before for none. */
  #granted: number | null = null;
  /** Names that the controller was asked for and did not certify: asking again and again would change nothing. */
  readonly #notGranted = new Set<string>();

  constructor(parts: RenewalParts) {
    this.#parts = parts;
    this.#identity = parts.identity;
  }

  /** Identity as it is now. */
  get identity(): DeviceIdentity {
    return this.#identity;
  }

  /** Reason why the last attempt failed; null: it did not. */
  get problem(): string | null {
    return this.#problem;
  }

  /** Returns names and addresses that the certificate is to have and has not. */
  lacking(): string[] {
    const { fleet, agentId, certificate } = this.#identity;
    const hosts = this.#parts.hosts?.() ?? null;
    if (hosts === null) return [];
    const lacking = namesLacking(certificate, [agentServerName(fleet, agentId), ...hosts]);
    return lacking.filter((name) => !this.#notGranted.has(name));
  }

  /** Renews the certificate if it is time. To be called every minute. */
  async evaluate(): Promise<void> {
    const { nowMs, log, onRenewed } = this.#parts;
    const { notBeforeMs, notAfterMs } = this.#identity;
    const isLacking = this.lacking().length > 0;
    const isTurnedAway = this.#parts.isTurnedAway?.() === true && !this.#wasGranted();
    const times = { notBeforeMs, notAfterMs, triedMs: this.#triedMs, nowMs: nowMs() };
    if (!decideRenewalTime({ ...times, isLacking, isTurnedAway }).isDue) return;
    this.#triedMs = nowMs();
    try {
      this.#identity = await this.#renew();
      const lacking = this.lacking();
      if (lacking.length > 0) log.warn({ lacking }, "the controller did not certify all names of this agent");
      for (const name of lacking) this.#notGranted.add(name);
      this.#problem = null;
      if (isTurnedAway) this.#granted = nowMs();
      log.info({ until: new Date(this.#identity.notAfterMs).toISOString() }, "the certificate was renewed");
      onRenewed(this.#identity);
    } catch (error) {
      this.#problem = describeError(error);
      log.warn({ err: this.#problem }, "the certificate could not be renewed");
    }
  }

  /** True for a day after one was granted for that: another one would change nothing. */
  #wasGranted(): boolean {
    return this.#granted !== null && Math.abs(this.#parts.nowMs() - this.#granted) < dayMs;
  }

  async #renew(): Promise<DeviceIdentity> {
    const { stateDir } = this.#parts;
    const { controllerUrl, tokenId, joinedMs } = this.#identity;
    const next = pendingKey(stateDir);
    const proven = await this.#ask(next, this.#parts.hosts?.() ?? null).catch((error) => {
      // Controllers of earlier versions certify no names.
      if (error instanceof MisunderstoodRequest) return this.#ask(next, null);
      throw error;
    });
    const { answer } = proven;
    if (answer.certificate === null) throw new Error("the controller's answer contains no certificate. This is a bug.");
    writeIdentity(stateDir, {
      ...{ fleet: answer.fleet, agentId: answer.agentId, region: answer.region, key: keyToLine(next) },
      ...{ certificate: answer.certificate, authority: proven.authority, broker: answer.broker },
      ...{ controllerUrl, tokenId, joinedMs },
    });
    return readIdentity(stateDir) as DeviceIdentity;
  }

  async #ask(next: KeyObject, hosts: readonly string[] | null): Promise<ProvenAnswer> {
    const { key, certificate, authority, controllerUrl, agentId } = this.#identity;
    const pin = keyHash(parseCertificate(authority).publicKey);
    const statement: RenewStatement = {
      ...{ authority: pin, certificate, request: await makeRequest(next, agentId) },
      ...(hosts === null ? {} : { hosts: [...hosts] }),
    };
    return askAuthority(controllerUrl, "/api/v1/identity/renew", {
      signed: signStatement(key, "renew", statement),
      ...{ pin, key: next },
    });
  }
}
