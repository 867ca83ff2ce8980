import { type AuditEntry, hashOfEntry, noHash } from "./audit-entry.ts";

/** Entry as it is stored or exported; null: it can't be read. */
export interface AuditRow {
  readonly seq: number;
  readonly hash: string;
  readonly entry: AuditEntry | null;
}

/** Entry and hash by which a log is known again elsewhere. */
export interface AuditHead {
  readonly seq: number;
  readonly hash: string;
}

export type AuditVerdict =
  | {
      readonly kind: "intact";
      readonly entries: number;
      readonly first: number | null;
      readonly head: AuditHead | null;
    }
  | { readonly kind: "broken"; readonly seq: number; readonly rule: AuditBreak; readonly detail: string };

export type AuditBreak = "unreadable" | "gap" | "changed" | "unchained" | "cut-at-start" | "not-there" | "other-head";

/** Action of the entry that the log makes when it removes its oldest ones. */
export const pruneAction = "audit.prune";

const broken = (seq: number, rule: AuditBreak, detail = ""): AuditVerdict => ({ kind: "broken", seq, rule, detail });

/** Checks a log entry by entry: begin with `add` in the order of the log, end with `verdict`. */
export class AuditCheck {
  readonly #against: AuditHead | null;
  #entries = 0;
  #first: AuditEntry | null = null;
  #head: AuditHead | null = null;
  #fault: AuditVerdict | null = null;
  #isPruneSeen = false;
  #isAgainstSeen = false;

  /** @param against entry that was noted elsewhere earlier; null: none */
  constructor(against: AuditHead | null = null) {
    this.#against = against;
  }

  /** Returns false once the log is known to be broken. */
  add(row: AuditRow): boolean {
    this.#fault ??= this.#check(row);
    return this.#fault === null;
  }

  #check({ seq, hash, entry }: AuditRow): AuditVerdict | null {
    const before = this.#head;
    if (entry === null) return broken(seq, "unreadable");
    if (entry.seq !== seq) return broken(seq, "changed", `it is numbered ${entry.seq}`);
    if (before !== null && seq !== before.seq + 1) return broken(seq, "gap", `it follows ${before.seq}`);
    if (hashOfEntry(entry) !== hash) return broken(seq, "changed", "its hash differs");
    if (before !== null && entry.prevHash !== before.hash) return broken(seq, "unchained");
    this.#first ??= entry;
    this.#entries += 1;
    this.#head = { seq, hash };
    if (this.#against?.seq === seq) {
      if (this.#against.hash !== hash) return broken(seq, "other-head", `${hash} instead of ${this.#against.hash}`);
      this.#isAgainstSeen = true;
    }
    if (entry.action === pruneAction && entry.phase === "done") {
      const { throughSeq, hash: removed } = Object(entry.after) as { throughSeq?: unknown; hash?: unknown };
      if (throughSeq === this.#first.seq - 1 && removed === this.#first.prevHash) this.#isPruneSeen = true;
    }
    return null;
  }

  verdict(): AuditVerdict {
    if (this.#fault !== null) return this.#fault;
    const first = this.#first;
    if (first !== null) {
      const isWhole = first.seq === 1 && first.prevHash === noHash;
      if (!isWhole && !this.#isPruneSeen) return broken(first.seq, "cut-at-start");
    }
    const against = this.#against;
    // An entry that was removed in order can't be compared any more.
    if (against !== null && !this.#isAgainstSeen && against.seq >= (first?.seq ?? 1))
      return broken(against.seq, "not-there", `the last one is ${this.#head?.seq ?? "none"}`);
    return { kind: "intact", entries: this.#entries, first: first?.seq ?? null, head: this.#head };
  }
}
