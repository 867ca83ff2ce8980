import type { StoreReceipt } from "#protocol/messages.ts";
import type { KeyRing } from "../access/key-ring.ts";
import type { TenantShares } from "../access/tenant-shares.ts";
import type { Tenants } from "../access/tenants.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { TenantDataStore, TenantJob } from "../store/store.ts";
import { renameTenants } from "./rename-tenant.ts";

export interface ControllerTenantDataParts {
  readonly store: TenantDataStore;
  readonly fleet: Pick<Fleet, "agents" | "put">;
  readonly tenants: Pick<Tenants, "load" | "list">;
  readonly keys: Pick<KeyRing, "load" | "list">;
  readonly shares: Pick<TenantShares, "forgetTenant">;
}

/** Data of tenants in the stores of the controller. */
export class ControllerTenantData {
  readonly #parts: ControllerTenantDataParts;
  #erasers: readonly ((tenant: string) => Promise<number>)[] = [];

  constructor(parts: ControllerTenantDataParts) {
    this.#parts = parts;
  }

  /** Adds parts that keep documents which may name tenants. Each resolves with the number of things that it removed. */
  alsoErase(erasers: readonly ((tenant: string) => Promise<number>)[]): void {
    this.#erasers = [...this.#erasers, ...erasers];
  }

  /** Erases a tenant from all stores of the controller. Again: does what is left. */
  async erase(
    { tenant, pseudonym }: Pick<TenantJob, "tenant" | "pseudonym">,
    isFirst: boolean,
  ): Promise<StoreReceipt[]> {
    const { store, fleet, tenants, keys, shares } = this.#parts;
    const rows = await store.eraseTenant(tenant, pseudonym);
    await store.wipeOverwritten();
    await tenants.load();
    await keys.load();
    shares.forgetTenant(tenant);
    let documents = 0;
    for (const eraser of this.#erasers) documents += await eraser(tenant);
    // At the end it can only be in a text by people.
    const left = rows.kept > 0 ? [{ store: "controller.db/kept", fate: "kept", records: rows.kept } as const] : [];
    let recent = 0;
    const nameOf = (name: string) => (name === tenant ? pseudonym : name);
    for (const agent of fleet.agents()) {
      const minutes = agent.recent.map((minute) => renameTenants(minute, nameOf));
      recent += minutes.filter((minute, index) => minute !== agent.recent[index]).length;
      if (minutes.some((minute, index) => minute !== agent.recent[index])) fleet.put({ ...agent, recent: minutes });
    }
    return [
      { store: "controller.db/minute", fate: "renamed", records: rows.minute },
      { store: "controller.db/cost_work", fate: "renamed", records: rows.costs },
      { store: "label tenant of thormesh_tenant_cost_today_usd", fate: "renamed", records: 0 },
      { store: "controller.db/decision", fate: "renamed", records: rows.decision },
      { store: "controller.db/set_aside", fate: "renamed", records: rows.setAside },
      { store: "controller.db/tenant", fate: "removed", records: rows.tenant },
      { store: "controller.db/api_key", fate: "removed", records: rows.key },
      { store: "controller.db/tenant_job", fate: "renamed", records: isFirst ? 1 : 0 },
      { store: "controller.db/kept", fate: "removed", records: documents },
      ...left,
      { store: "controller.db/audit", fate: "kept", records: rows.audit },
      { store: "agents/{id}/data", fate: "renamed", records: 0 },
      { store: "controller/access", fate: "removed", records: rows.tenant },
      { store: "newest minutes and shares of tenants", fate: "removed", records: recent },
      { store: "the controller's log (standard error)", fate: "kept", records: 0 },
    ];
  }

  /** Tells what there is to be exported of a tenant. */
  async exportable(tenant: string): Promise<StoreReceipt[]> {
    const { store, tenants, keys } = this.#parts;
    await tenants.load();
    await keys.load();
    const aside = (await store.setAsideNaming(tenant)).length;
    return [
      {
        store: "controller.db/tenant",
        fate: "exported",
        records: tenants.list().filter(({ id }) => id === tenant).length,
      },
      {
        store: "controller.db/api_key",
        fate: "exported",
        records: keys.list().filter((key) => key.tenant === tenant).length,
      },
      { store: "controller.db/set_aside", fate: "exported", records: aside },
    ];
  }
}
