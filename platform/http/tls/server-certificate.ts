import type { KeyPair } from "./read-key-pair.ts";

/** Certificate that a listener shows to clients that ask for a certain name. */
export interface NamedKeyPair extends KeyPair {
  readonly serverName: string;
}

/** Certificates of a listener, which change while it runs. */
export interface ServerCertificate {
  /** Certificate for new connections. */
  current(): KeyPair;
  /** Certificates for clients that ask for another name. Default: none. */
  named?(): readonly NamedKeyPair[];
  /** Calls `listener` when one has changed. */
  onChange(listener: () => void): void;
  /** Says what is wrong with it now; null: nothing. */
  problem(): string | null;
  stop(): void;
}
