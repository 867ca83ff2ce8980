import { explainTlsFault } from "#platform/fetch/tls-fault.ts";
import { signPeerRequest } from "#platform/http/guard/peer-signature.ts";
import { minuteMs } from "#platform/time.ts";
import type { PeerCertificates } from "./peer-certificates.ts";
import { peerPath } from "./routing/peer-message.ts";

export interface PeerConnectionParts {
  readonly ownId: string;
  /** Secret of the fleet's agents; null: they need none. */
  readonly secret: string | null;
  /** Certificates of the fleet's agents; null, as by default: this device has not joined. */
  readonly certificates?: PeerCertificates | null;
  /** Real time. */
  readonly nowMs: () => number;
}

/** Time after which a peer that showed no certificate of the fleet is asked for one again. */
const uncertifiedForMs = 5 * minuteMs;
const maxUncertified = 1_024;

/** Chooses how this agent and a peer prove to each other who they are. */
export class PeerConnections {
  readonly #parts: PeerConnectionParts;
  /** Addresses of peers that showed no certificate of the fleet, and when. */
  readonly #uncertified = new Map<string, number>();

  constructor(parts: PeerConnectionParts) {
    this.#parts = parts;
  }

  /** Returns true for a peer that has to show a certificate of the fleet, and is shown this device's. */
  goByCertificate(url: string): boolean {
    if ((this.#parts.certificates ?? null) === null || !url.startsWith("https:")) return false;
    const since = this.#uncertified.get(url);
    return since === undefined || performance.now() - since > uncertifiedForMs;
  }

  /** Returns true where a peer that showed no certificate of the fleet may be asked anyway, until certificates are required. */
  mayDoWithout(url: string, error: unknown): boolean {
    const { certificates = null } = this.#parts;
    if (certificates === null || certificates.areRequired()) return false;
    if (!this.goByCertificate(url) || explainTlsFault(error) === null) return false;
    if (this.#uncertified.size >= maxUncertified) this.#uncertified.clear();
    this.#uncertified.set(url, performance.now());
    return true;
  }

  /** Returns the header by which a peer knows this agent. */
  authorization(peer: string, byCertificate: boolean): { readonly authorization?: string } {
    const { certificates = null, secret, ownId, nowMs } = this.#parts;
    if (byCertificate && certificates !== null) return { authorization: certificates.proofFor(peer) };
    return secret === null ? {} : { authorization: signPeerRequest(secret, ownId, peerPath, nowMs()) };
  }
}
