import type { AlertSeverity } from "../alert-rules.ts";

/** Message about an alert, or without one a digest. */
export interface Notice {
  /** Identity of its subject: a newer notice replaces a waiting one. */
  readonly key: string;
  readonly status: "firing" | "resolved" | "digest" | "test";
  readonly severity: AlertSeverity;
  readonly rule: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly summary: string;
  /** Sentence or text for people. */
  readonly text: string;
  readonly startsAtMs: number;
  readonly endsAtMs: number | null;
  readonly atMs: number;
}

/** Way by which notices leave the controller. */
export interface Notifier {
  readonly name: string;
  readonly kind: "webhook" | "slack" | "alertmanager";
  /** Resolves when the other side has them. @throws NotifierRefusalError when it won't take them, other errors when it may later */
  send(notices: readonly Notice[], nowMs: number, signal: AbortSignal): Promise<void>;
}

/** Answer that says that the same message will not be taken later either. */
export class NotifierRefusalError extends Error {
  override name = "NotifierRefusalError";
}
