import type { RowQuarantine } from "../row-quarantine.ts";
import type { Store } from "../store.ts";
import { createPostgresCostLines } from "./costs/postgres-cost-lines.ts";
import { createPostgresCostRolls } from "./costs/postgres-cost-rolls.ts";
import { createPostgresAccess } from "./postgres-access.ts";
import { createPostgresAgents } from "./postgres-agents.ts";
import { createPostgresAudit } from "./postgres-audit.ts";
import type { PostgresDatabase } from "./postgres-database.ts";
import { createPostgresDecisions } from "./postgres-decisions.ts";
import { createPostgresIdentity } from "./postgres-identity.ts";
import { createPostgresMinutes } from "./postgres-minutes.ts";
import { createPostgresSafety } from "./postgres-safety.ts";
import { createPostgresSetAside } from "./postgres-set-aside.ts";
import { createPostgresTenantData } from "./postgres-tenant-data.ts";

/**
 * The store in a schema that `migratePostgres` has brought up to date. Several controllers may have it open; who holds the lease writes.
 * @param quarantine records rows that can't be read.
 */
export async function createPostgresStore(database: PostgresDatabase, quarantine: RowQuarantine): Promise<Store> {
  const { measure, ...minutes } = createPostgresMinutes(database, quarantine);
  await measure();
  return {
    ...minutes,
    ...createPostgresCostLines(database, quarantine),
    ...createPostgresCostRolls(database, quarantine),
    ...createPostgresAgents(database, quarantine),
    ...createPostgresSetAside(database, quarantine),
    ...createPostgresDecisions(database, quarantine),
    ...createPostgresSafety(database, quarantine),
    ...createPostgresAudit(database, quarantine),
    ...createPostgresAccess(database, quarantine),
    ...createPostgresIdentity(database, quarantine),
    ...createPostgresTenantData(database, quarantine),
    unreadableRows: () => quarantine.report(),
    fault: () => database.fault,
    close: () => database.close(),
  };
}
