/** A place that keeps data, as the data map lists it. */
export interface DataStore {
  /** Names it for good: table, file, topic or memory. */
  readonly id: string;
  readonly of: "controller" | "agent" | "tool";
  readonly kind: "table" | "file" | "topic" | "memory" | "metric" | "log" | "remote";
  readonly holds: string;
  /** Data about people. names: of keys, users, hosts; addresses: network addresses; texts: what clients send. */
  readonly personal: "none" | "names" | "addresses" | "texts";
  /**
   * Fate of a tenant's data when the tenant is erased. removed: gone; renamed: figures stay under a pseudonym; kept: stays until `kept` says; none:
   * nothing here names a tenant.
   */
  readonly tenant: "none" | "removed" | "renamed" | "kept";
  /** True: part of a tenant's export. */
  readonly exported: boolean;
  readonly purpose: string;
  /** Time or event after which it is gone. */
  readonly kept: string;
  /** Modules that write it; needed for files. */
  readonly writtenBy?: readonly string[];
}

/** Fields of stores that hold nothing of people or tenants. */
export const nothingPersonal = { personal: "none", tenant: "none", exported: false } as const;
