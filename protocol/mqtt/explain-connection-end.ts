import { secondMs } from "#platform/time.ts";
import type { ConnectionEnd } from "./mqtt-connection.ts";
import { reasonCode } from "./mqtt-reasons.ts";
import type { SentPacket } from "./size-suspicion.ts";
import { type TlsFault, tlsFault } from "./tls-fault.ts";

export interface EndedConnection {
  readonly end: Pick<ConnectionEnd, "code" | "reason" | "loginRefused" | "takenOver">;
  readonly clientId: string;
  /** Largest packet that was under way; null: none. */
  readonly sent: SentPacket | null;
  /** Time for which the connection was there; null: it was never made. */
  readonly forMs: number | null;
  /** Others before it ended as soon, without a reason. */
  readonly likelyTakenOver: boolean;
  readonly refusedAdvice?: string | undefined;
  readonly takenOverAdvice?: string | undefined;
  /** Returns what helps against trouble with certificates. */
  readonly explainTls?: ((fault: TlsFault) => string) | undefined;
}

/** Returns the sentence that a person reads about the end of a connection. */
export function explainConnectionEnd(ended: EndedConnection): string {
  const { end, sent, forMs, likelyTakenOver, clientId, refusedAdvice } = ended;
  const other = `another client connected as ${clientId} and replaced this one`;
  const advice = ended.takenOverAdvice === undefined ? "" : `: ${ended.takenOverAdvice}`;
  const fault = tlsFault(end.reason);
  if (fault !== null && ended.explainTls !== undefined) return `${end.reason}: ${ended.explainTls(fault)}`;
  if (end.takenOver) return `${other} (${end.reason})${advice}`;
  if (end.loginRefused && refusedAdvice !== undefined) return `${end.reason}: ${refusedAdvice}`;
  if (likelyTakenOver && sent === null) {
    const afterS = ((forMs ?? 0) / secondMs).toFixed(1);
    return `the broker ends each connection soon after it is made, the last one after ${afterS} s: probably ${other}${advice}`;
  }
  const sending = sent === null ? "" : `, while ${sent.bytes} bytes were being sent to ${sent.topic}`;
  const limit = end.code === reasonCode.packetTooLarge ? " (more than it accepts)" : "";
  return `${end.reason}${sending}${limit}`;
}
