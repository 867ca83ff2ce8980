/** Why a client was not let in: the labels of `thormesh_broker_refused_total`. */
export type RefusalReason = "no-secret" | "wrong-secret" | "client-id" | "will" | "too-many";

export interface PublishedPacket {
  readonly topic: string;
  readonly retain: boolean;
  readonly qos: number;
  readonly bytes: number;
}

/** What a client that was let in may do. Whatever is not named is denied. */
export interface ClientRights {
  readonly role: "agent" | "doctor" | "observer";
  readonly name: string;
  /** Says why it may not publish this, or null where it may. Last wills are judged in the same way. */
  denyPublish(packet: PublishedPacket): string | null;
  /** Messages that one counts for within what a client may publish a second: some go to many. */
  costOf(topic: string): number;
  maySubscribe(filter: string): boolean;
  mayReceive(topic: string): boolean;
  readonly maxSubscriptions: number;
}

export interface ConnectRequest {
  readonly clientId: string;
  readonly username: string | undefined;
  readonly password: Uint8Array | undefined;
}

export type Admission =
  | { readonly rights: ClientRights }
  | { readonly refused: Exclude<RefusalReason, "will" | "too-many">; readonly detail: string };

/** Decides who is let in at the broker, and as what. */
export interface ClientAccess {
  admit(request: ConnectRequest): Admission;
}
