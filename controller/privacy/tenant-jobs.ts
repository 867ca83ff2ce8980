import { createHmac, randomInt } from "node:crypto";
import { describeError, ServiceError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { defaultTenant, maxTenantJobs, pseudonymPrefix } from "#protocol/messages.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { TenantDataStore, TenantJob, TenantReceipt } from "../store/store.ts";
import type { ControllerTenantData } from "./controller-tenant-data.ts";

export interface TenantJobsParts {
  readonly store: TenantDataStore;
  readonly fleet: Pick<Fleet, "agents" | "get">;
  readonly data: Pick<ControllerTenantData, "erase" | "exportable">;
  readonly nowMs: () => number;
  readonly log: Logger;
}

/** A job as it is shown. */
export interface TenantJobView extends Omit<TenantJob, "agents" | "nameHash"> {
  readonly state: "under way" | "done";
  readonly agents: number;
  /** Those whose answer is still to come: at most 100 are named. */
  readonly waitingFor: readonly string[];
  readonly waiting: number;
}

/** Maximum jobs on record; beyond it the oldest that are done give way. */
const maxJobs = 1000;
const maxNamed = 100;
/** Names of tenants whose hash was looked up, with the result. */
const maxRemembered = 10_000;
/** Name of the controller among those who answer, which no agent can have. */
const controllerName = "(controller)";
/** Text right before that name in the order of receipts. */
const justBefore = "(controlleq\uffff";

const characters = "0123456789abcdefghijklmnopqrstuvwxyz";
const randomId = () => Array.from({ length: 8 }, () => characters[randomInt(characters.length)]).join("");

const hashOf = (jobId: string, tenant: string) =>
  createHmac("sha256", `thormesh erasure ${jobId}`).update(tenant).digest("hex");

/**
 * Erasures and exports of tenants' data. A job is sent to all agents; it is done when the controller's stores and every agent known at its
 * start have answered, or the agent was retired. It continues after a restart.
 */
export class TenantJobs {
  readonly #parts: TenantJobsParts;
  #jobs = new Map<string, TenantJob>();
  /** Answers by job, in memory while it is under way. */
  readonly #answered = new Map<string, Set<string>>();
  #remembered = new Map<string, string>();
  #running: Promise<void> | undefined;

  constructor(parts: TenantJobsParts) {
    this.#parts = parts;
  }

  /** Loads what an earlier run began. */
  async load(): Promise<void> {
    const { store } = this.#parts;
    this.#jobs = new Map((await store.loadTenantJobs()).map((job) => [job.id, job]));
    for (const { id } of this.#open()) {
      const answered = new Set<string>();
      for (let after = ""; ; ) {
        const page = await store.tenantReceipts(id, after, 1000);
        for (const { of } of page) answered.add(of);
        const last = page.at(-1);
        if (last === undefined) break;
        after = last.of;
      }
      this.#answered.set(id, answered);
    }
    this.#remembered.clear();
  }

  #open(): TenantJob[] {
    return [...this.#jobs.values()].filter(({ doneMs }) => doneMs === null);
  }

  /** Jobs for the agents. */
  told(): { id: string; kind: TenantJob["kind"]; tenant: string; pseudonym: string }[] {
    return this.#open()
      .slice(0, maxTenantJobs)
      .map(({ id, kind, tenant, pseudonym }) => ({ id, kind, tenant, pseudonym }));
  }

  /** @throws ServiceError CONFLICT while the tenant is being erased */
  assertNotErasing(tenant: string): void {
    const job = this.#open().find((each) => each.kind === "erase" && each.tenant === tenant);
    if (job !== undefined)
      throw new ServiceError(
        "CONFLICT",
        `id: tenant ${tenant} is being erased (job ${job.id}): wait until that is done`,
      );
  }

  /** Ends the pseudonym of an erased name, which belongs to a new tenant from now on. */
  async reuseName(tenant: string): Promise<void> {
    for (const job of this.#jobs.values())
      if (job.nameHash !== null && job.nameHash === hashOf(job.id, tenant))
        await this.#save({ ...job, nameHash: null });
    this.#remembered.clear();
  }

  /** Name for a tenant of an incoming record: the pseudonym of an erased one. */
  readonly nameOf = (tenant: string): string => {
    if (tenant === defaultTenant || this.#jobs.size === 0) return tenant;
    const known = this.#remembered.get(tenant);
    if (known !== undefined) return known;
    const erased = [...this.#jobs.values()].findLast(
      ({ id, kind, tenant: name, nameHash }) =>
        kind === "erase" && (name === tenant || (nameHash !== null && nameHash === hashOf(id, tenant))),
    );
    if (this.#remembered.size >= maxRemembered) this.#remembered.clear();
    const name = erased?.pseudonym ?? tenant;
    this.#remembered.set(tenant, name);
    return name;
  };

  /**
   * Begins a job, or returns the one that is under way for the same.
   * @throws ServiceError CONFLICT for the tenant of all others, and when too many are under way
   */
  async begin(kind: TenantJob["kind"], tenant: string): Promise<TenantJobView> {
    const { fleet, nowMs, log } = this.#parts;
    if (tenant === defaultTenant)
      throw new ServiceError("CONFLICT", `id: ${defaultTenant} is reserved for requests without a tenant`);
    if (kind === "export") this.assertNotErasing(tenant);
    const same = this.#open().find((job) => job.kind === kind && job.tenant === tenant);
    if (same !== undefined) return this.view(same.id);
    if (this.#open().length >= maxTenantJobs)
      throw new ServiceError(
        "CONFLICT",
        `${maxTenantJobs} jobs are in progress, which is the maximum: wait for one of them`,
      );
    await this.#makeRoom();
    const id = randomId();
    const pseudonym = `${pseudonymPrefix}${randomId()}`;
    this.#answered.set(id, new Set());
    await this.#save({
      ...{ id, kind, tenant, pseudonym, createdMs: Math.round(nowMs()), doneMs: null },
      nameHash: kind === "erase" ? hashOf(id, tenant) : null,
      agents: fleet.agents().map(({ agentId }) => agentId),
    });
    this.#remembered.clear();
    log.info({ job: id, kind, agents: this.#jobs.get(id)?.agents.length }, "a job with a tenant's data has begun");
    return this.view(id);
  }

  async #makeRoom(): Promise<void> {
    if (this.#jobs.size < maxJobs) return;
    const oldest = [...this.#jobs.values()].find(({ doneMs }) => doneMs !== null);
    if (oldest !== undefined) await this.#remove(oldest.id);
  }

  async #save(job: TenantJob): Promise<void> {
    await this.#parts.store.saveTenantJob(job);
    this.#jobs.set(job.id, job);
  }

  async #remove(id: string): Promise<void> {
    await this.#parts.store.removeTenantJob(id);
    this.#jobs.delete(id);
    this.#remembered.clear();
  }

  /** Removes jobs that were done before `beforeMs`; resolves with their number. */
  async prune(beforeMs: number): Promise<number> {
    const old = [...this.#jobs.values()].filter(({ doneMs }) => doneMs !== null && doneMs < beforeMs);
    for (const { id } of old) await this.#remove(id);
    return old.length;
  }

  /** All jobs, newest first. */
  list(): TenantJobView[] {
    return [...this.#jobs.keys()].reverse().map((id) => this.view(id));
  }

  /** @throws ServiceError NOT_FOUND */
  view(id: string): TenantJobView {
    const { nameHash: _, agents, ...job } = this.#job(id);
    const waiting = job.doneMs === null ? this.#waiting(this.#job(id)) : [];
    return {
      ...job,
      state: job.doneMs === null ? "under way" : "done",
      agents: agents.length,
      waiting: waiting.length,
      waitingFor: waiting.slice(0, maxNamed),
    };
  }

  #job(id: string): TenantJob {
    const job = this.#jobs.get(id);
    if (job === undefined) throw new ServiceError("NOT_FOUND", `there is no job ${id}`);
    return job;
  }

  #waiting({ id, agents }: TenantJob): string[] {
    const answered = this.#answered.get(id);
    return [controllerName, ...agents].filter((of) => !answered?.has(of));
  }

  /** Processes agents' answers and does the controller's part; failures are retried next time. */
  run(): Promise<void> {
    this.#running ??= this.#runAll().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #runAll(): Promise<void> {
    for (const job of this.#open()) {
      try {
        await this.#advance(job);
      } catch (error) {
        this.#parts.log.error({ job: job.id, err: describeError(error) }, "a job with a tenant's data can't go on yet");
      }
    }
  }

  async #advance(job: TenantJob): Promise<void> {
    const { log, nowMs } = this.#parts;
    const answered = this.#answered.get(job.id);
    if (!answered?.has(controllerName)) await this.#answer(job, await this.#ownReceipt(job));
    for (const agentId of job.agents.filter((each) => !answered?.has(each))) {
      const receipt = this.#receiptOf(job, agentId);
      if (receipt !== null) await this.#answer(job, receipt);
    }
    if (this.#waiting(job).length > 0) return;
    // What agents had under way came meanwhile.
    if (job.kind === "erase") await this.#answer(job, await this.#ownReceipt(job));
    const tenant = job.kind === "erase" ? job.pseudonym : job.tenant;
    await this.#save({ ...job, tenant, doneMs: Math.round(nowMs()) });
    // Exports of an erased tenant name it, too.
    if (job.kind === "erase")
      for (const other of this.#jobs.values()) if (other.tenant === job.tenant) await this.#save({ ...other, tenant });
    if (job.kind === "erase") await this.#parts.store.wipeOverwritten();
    this.#answered.delete(job.id);
    this.#remembered.clear();
    log.info({ job: job.id, kind: job.kind }, "a job with a tenant's data is done");
  }

  async #answer(job: TenantJob, receipt: TenantReceipt): Promise<void> {
    await this.#parts.store.saveTenantReceipt(job.id, receipt);
    this.#answered.get(job.id)?.add(receipt.of);
  }

  /** Answer of an agent, or that it was retired; null: neither. */
  #receiptOf({ id }: TenantJob, agentId: string): TenantReceipt | null {
    const agent = this.#parts.fleet.get(agentId);
    const atMs = Math.round(this.#parts.nowMs());
    if (agent === undefined) return { of: agentId, atMs, state: "retired", stores: [] };
    const told = agent.reported?.tenantJobs?.find((each) => each.id === id);
    return told === undefined ? null : { of: agentId, atMs, state: "done", stores: told.stores };
  }

  async #ownReceipt(job: TenantJob): Promise<TenantReceipt> {
    const before = (await this.#parts.store.tenantReceipts(job.id, justBefore, 1)).find(
      ({ of }) => of === controllerName,
    );
    const { data } = this.#parts;
    const stores =
      job.kind === "erase" ? await data.erase(job, before === undefined) : await data.exportable(job.tenant);
    return {
      ...{ of: controllerName, atMs: Math.round(this.#parts.nowMs()), state: "done" },
      // The second time only what came late is left to do.
      stores: stores.map((each) => {
        const first = before?.stores.find(({ store }) => store === each.store);
        const isSum = each.fate === "removed" || each.fate === "renamed";
        return { ...each, records: each.records + (isSum ? (first?.records ?? 0) : 0) };
      }),
    };
  }

  /** Receipts of a job behind that of `after`, by whom they are of. @throws ServiceError NOT_FOUND */
  async receipts(id: string, after: string, limit: number): Promise<TenantReceipt[]> {
    this.#job(id);
    return this.#parts.store.tenantReceipts(id, after, limit);
  }
}
