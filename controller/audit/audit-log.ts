import { describeError, ServiceError } from "#platform/errors.ts";
import type { Caller } from "#platform/http/guard/identify-caller.ts";
import type { Logger } from "#platform/log.ts";
import { canonicalJson } from "#protocol/canonical-json.ts";
import { cleanText } from "#protocol/clean-text.ts";
import type { AuditStore } from "../store/store.ts";
import type { AuditHead } from "./audit-check.ts";
import type { AuditDraft } from "./audit-entry.ts";

/** Author of a change, and the place it came from. */
export interface AuditSource extends Pick<Caller, "name" | "role"> {
  readonly from: string;
  /** Reason that the actor gives. */
  readonly reason: string | null;
}

export interface AuditedChange {
  readonly action: string;
  readonly target: string;
  /** State before; null: none. */
  readonly before: unknown;
  /** Reason, where the change has one of its own. */
  readonly reason?: string;
}

export interface AuditLogParts {
  readonly store: Pick<AuditStore, "appendAudit">;
  readonly nowMs: () => number;
  readonly log: Logger;
}

/** Maximum characters of a state; a longer one is recorded by its beginning. */
const maxStateLength = 4096;

function boundedState(state: unknown): unknown {
  const json = canonicalJson(state ?? null);
  return json.length <= maxStateLength ? JSON.parse(json) : { beginning: json.slice(0, maxStateLength) };
}

const bounded = (value: string, maxLength: number) => cleanText(value).slice(0, maxLength);

/** Record of every change by people and programs: first that it is about to be made, then what came of it. */
export class AuditLog {
  readonly #parts: AuditLogParts;
  #failures = 0;
  #isFailing = false;

  constructor(parts: AuditLogParts) {
    this.#parts = parts;
  }

  /** Entries that could not be written since the start. */
  failures(): number {
    return this.#failures;
  }

  /** True while the newest entry could not be written. */
  get isFailing(): boolean {
    return this.#isFailing;
  }

  /**
   * Makes a change if it can be recorded.
   * @param act makes it; what it resolves with is recorded as the state afterwards, by `afterOf`
   * @throws ServiceError AUDIT_UNAVAILABLE when it can't be recorded: nothing was changed then
   */
  async change<T>(
    source: AuditSource,
    change: AuditedChange,
    act: () => Promise<T>,
    afterOf: (result: T) => unknown = (result) => result,
  ): Promise<T> {
    const draft: Omit<AuditDraft, "phase" | "of" | "after"> = {
      atMs: Math.round(this.#parts.nowMs()),
      actor: bounded(source.name ?? "unknown", 200),
      role: source.role ?? "none",
      from: bounded(source.from, 64),
      action: change.action,
      target: bounded(change.target, 200),
      before: boundedState(change.before),
      reason: this.#reasonOf(source, change),
    };
    let begun: AuditHead;
    try {
      begun = await this.#append({ ...draft, phase: "begun", of: null, after: null });
    } catch (cause) {
      throw new ServiceError("AUDIT_UNAVAILABLE", "the audit log can't be written, so nothing was changed", { cause });
    }
    const end = (outcome: Pick<AuditDraft, "phase" | "after" | "reason">) =>
      this.#append({ ...draft, ...outcome, atMs: Math.round(this.#parts.nowMs()), of: begun.seq }).catch(
        () => undefined,
      );
    try {
      const result = await act();
      await end({ phase: "done", after: boundedState(afterOf(result)), reason: draft.reason });
      return result;
    } catch (error) {
      await end({ phase: "failed", after: draft.before, reason: bounded(describeError(error), 512) });
      throw error;
    }
  }

  #reasonOf(source: AuditSource, change: AuditedChange): string | null {
    const reason = change.reason ?? source.reason;
    return reason === null ? null : bounded(reason, 512);
  }

  /** The log's newest entry goes to the service's log as well, which usually leaves the machine: an end that is cut off is noticed by it. */
  async #append(draft: AuditDraft): Promise<AuditHead> {
    try {
      const { seq, hash } = await this.#parts.store.appendAudit(draft);
      this.#isFailing = false;
      const { actor, from, action, target, phase } = draft;
      this.#parts.log.info({ auditSeq: seq, auditHash: hash, actor, from, action, target, phase }, "audit");
      return { seq, hash };
    } catch (error) {
      this.#failures += 1;
      this.#isFailing = true;
      this.#parts.log.error({ err: describeError(error), action: draft.action }, "the audit log can't be written");
      throw error;
    }
  }
}
