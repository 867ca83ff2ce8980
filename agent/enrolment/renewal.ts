import { makeRequest } from "#platform/certificates/certificate-request.ts";
import { keyHash, keyToLine } from "#platform/certificates/device-key.ts";
import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { parseCertificate } from "#protocol/identity/device-certificate.ts";
import type { RenewStatement } from "#protocol/identity/join-messages.ts";
import { signStatement } from "#protocol/identity/signed-statement.ts";
import { askAuthority } from "./ask-authority.ts";
import { decideRenewalTime } from "./decide-renewal-time.ts";
import { type DeviceIdentity, pendingKey, readIdentity, writeIdentity } from "./device-identity.ts";

export interface RenewalParts {
  readonly stateDir: string;
  readonly identity: DeviceIdentity;
  /** Called with the new identity: connections are to use it. */
  readonly onRenewed: (identity: DeviceIdentity) => void;
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

  /** Renews the certificate if it is time. To be called every minute. */
  async evaluate(): Promise<void> {
    const { nowMs, log, onRenewed } = this.#parts;
    const { notBeforeMs, notAfterMs } = this.#identity;
    if (!decideRenewalTime({ notBeforeMs, notAfterMs, triedMs: this.#triedMs, nowMs: nowMs() }).isDue) return;
    this.#triedMs = nowMs();
    try {
      this.#identity = await this.#renew();
      this.#problem = null;
      log.info({ until: new Date(this.#identity.notAfterMs).toISOString() }, "the certificate was renewed");
      onRenewed(this.#identity);
    } catch (error) {
      this.#problem = describeError(error);
      log.warn({ err: this.#problem }, "the certificate could not be renewed");
    }
  }

  async #renew(): Promise<DeviceIdentity> {
    const { stateDir } = this.#parts;
    const { key, certificate, authority, controllerUrl, agentId, tokenId, joinedMs } = this.#identity;
    const next = pendingKey(stateDir);
    const pin = keyHash(parseCertificate(authority).publicKey);
    const statement: RenewStatement = { authority: pin, certificate, request: await makeRequest(next, agentId) };
    const request = { signed: signStatement(key, "renew", statement), pin, key: next };
    const proven = await askAuthority(controllerUrl, "/api/v1/identity/renew", request);
    const { answer } = proven;
    if (answer.certificate === null) throw new Error("the controller's answer holds no certificate. This is a bug.");
    writeIdentity(stateDir, {
      ...{ fleet: answer.fleet, agentId: answer.agentId, region: answer.region, key: keyToLine(next) },
      ...{ certificate: answer.certificate, authority: proven.authority, broker: answer.broker },
      ...{ controllerUrl, tokenId, joinedMs },
    });
    return readIdentity(stateDir) as DeviceIdentity;
  }
}
