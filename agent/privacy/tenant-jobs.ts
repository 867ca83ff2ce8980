import { Type } from "@sinclair/typebox";
import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { strictObject } from "#platform/schema-parts.ts";
import { TimeMs } from "#protocol/bounds.ts";
import { decodeOwnText } from "#protocol/codec.ts";
import { maxTenantJobs, TenantJobId, type TenantJobs, TenantReceipts } from "#protocol/messages.ts";
import type { TenantData } from "./tenant-data.ts";

export interface AgentTenantJobsParts {
  readonly data: TenantData;
  readonly memory: { load(): string | null; save(text: string): void };
  readonly nowMs: () => number;
  readonly log: Logger;
}

/** Begun jobs and receipts, over restarts. */
const Kept = strictObject({
  begun: Type.Array(strictObject({ id: TenantJobId, atMs: TimeMs }), { maxItems: maxTenantJobs }),
  receipts: TenantReceipts,
});

/** Does the controller's jobs on tenants' data, each once, and keeps each receipt as long as the job is listed. */
export class AgentTenantJobs {
  readonly #parts: AgentTenantJobsParts;
  #told: TenantJobs = [];
  #begunMs = new Map<string, number>();
  #receipts = new Map<string, TenantReceipts[number]>();

  constructor(parts: AgentTenantJobsParts) {
    this.#parts = parts;
    const kept = decodeOwnText(Kept, parts.memory.load() ?? "");
    if (kept === null) return;
    this.#begunMs = new Map(kept.begun.map(({ id, atMs }) => [id, atMs]));
    this.#receipts = new Map(kept.receipts.map((receipt) => [receipt.id, receipt]));
  }

  /** Receipts for the controller. */
  receipts(): TenantReceipts {
    return [...this.#receipts.values()];
  }

  /** Name under which a request of a tenant is counted: the pseudonym of one that is being erased. */
  readonly nameOf = (tenant: string): string =>
    this.#told.find((job) => job.kind === "erase" && job.tenant === tenant)?.pseudonym ?? tenant;

  /** Accepts the current list of jobs and does what can be done. Returns true when there is a new receipt. */
  follow(told: TenantJobs): boolean {
    const before = JSON.stringify([...this.#begunMs]);
    this.#told = told;
    const ids = new Set(told.map(({ id }) => id));
    for (const known of [this.#begunMs, this.#receipts])
      for (const id of known.keys()) if (!ids.has(id)) known.delete(id);
    for (const id of ids) if (!this.#begunMs.has(id)) this.#begunMs.set(id, Math.round(this.#parts.nowMs()));
    const isNew = this.evaluate();
    if (!isNew && JSON.stringify([...this.#begunMs]) !== before) this.#save();
    return isNew;
  }

  /** Does what could not be done before. Returns true when there is a new receipt. */
  evaluate(): boolean {
    let isNew = false;
    for (const job of this.#told.filter(({ id }) => !this.#receipts.has(id))) {
      try {
        const stores = this.#do(job);
        if (stores === null) continue;
        this.#receipts.set(job.id, { id: job.id, atMs: Math.round(this.#parts.nowMs()), stores });
        isNew = true;
      } catch (error) {
        this.#parts.log.error(
          { job: job.id, err: describeError(error) },
          "a job with a tenant's data can't be done yet",
        );
      }
    }
    if (isNew) this.#save();
    return isNew;
  }

  #do({ id, kind, tenant, pseudonym }: TenantJobs[number]) {
    const { data } = this.#parts;
    if (kind === "erase") return data.erase(tenant, pseudonym);
    return data.sentSince(this.#begunMs.get(id) ?? 0);
  }

  #save(): void {
    const begun = [...this.#begunMs].map(([id, atMs]) => ({ id, atMs }));
    this.#parts.memory.save(JSON.stringify({ begun, receipts: this.receipts() }));
  }
}
