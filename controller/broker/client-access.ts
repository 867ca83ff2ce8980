import type { DeviceCertificate } from "#protocol/identity/device-certificate.ts";

/** Reason for which a client was refused: the labels of `thormesh_broker_refused_total`. */
export type RefusalReason =
  | "no-secret"
  | "wrong-secret"
  | "certificate"
  | "client-id"
  | "will"
  | "too-many"
  | "too-often";

export interface PublishedPacket {
  readonly topic: string;
  readonly retain: boolean;
  readonly qos: number;
  readonly bytes: number;
}

/** Rights of an admitted client. Anything not named is denied. */
export interface ClientRights {
  readonly role: "agent" | "doctor" | "observer";
  readonly name: string;
  /** Returns the reason why this may not be published, or null if it may. Last wills are judged in the same way. */
  denyPublish(packet: PublishedPacket): string | null;
  /** Returns the number of messages that one counts for in the client's rate: some are delivered to many. */
  costOf(topic: string): number;
  maySubscribe(filter: string): boolean;
  mayReceive(topic: string): boolean;
  readonly maxSubscriptions: number;
}

export type Admission =
  | { readonly rights: ClientRights }
  | { readonly refused: Exclude<RefusalReason, "will" | "too-many" | "too-often">; readonly detail: string };

/** Admission of clients to the broker, with their rights. */
export interface ClientAccess {
  /** Returns why a password that admitted an agent does so no longer; null: it still does. Default: it always does. */
  passwordRefusal?(agentId: string): string | null;
  admit(client: {
    clientId: string;
    username: string | undefined;
    password: Uint8Array | undefined;
    /** Certificate of the fleet's authority that the client has proven to be its own; null: none. */
    certificate?: DeviceCertificate | null;
  }): Admission;
}
