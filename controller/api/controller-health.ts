import type { ServerCertificate } from "#platform/http/tls/server-certificate.ts";
import type { OpenFilesWatch } from "#platform/process/open-files.ts";
import { dayMs } from "#platform/time.ts";
import { version } from "#platform/version.ts";
import type { Broker } from "#protocol/broker.ts";
import type { AuditLog } from "../audit/audit-log.ts";
import type { AgentState } from "../fleet/agent-state.ts";
import { refusalsOf, refusedOrderOf } from "../fleet/broker-problems.ts";
import { clockSkewMs } from "../fleet/clock-skew.ts";
import type { IngestCounts } from "../fleet/ingest-counts.ts";
import type { Housekeeping } from "../housekeeping.ts";
import type { Store } from "../store/store.ts";
import type { Health } from "./schemas.ts";

const shownForMs = dayMs;

/** Health without secrets, as it is served without a key. */
export function controllerHealth(
  parts: {
    readonly broker: Pick<Broker, "connected">;
    readonly counts: Pick<IngestCounts, "totals">;
    readonly store: Pick<Store, "unreadableRows" | "fault">;
    readonly housekeeping: Pick<Housekeeping, "recentlyTrimmed">;
    /** Recent damage of the store's file; null: none. */
    readonly damage: (nowMs: number) => string | null;
    readonly agents?: () => readonly AgentState[];
    readonly audit?: Pick<AuditLog, "isFailing">;
    /** Certificate of the API; undefined: it does not encrypt. */
    readonly tls?: Pick<ServerCertificate, "problem"> | undefined;
    /** Controller that this one waits for; null or absent: it leads. */
    readonly standingBy?: { readonly leader: () => string | null } | null;
    readonly openFiles: Pick<OpenFilesWatch, "check">;
  },
  nowMs: number,
): Health {
  const { refused, setAside, conflicts, noRoom, storeFault, lastConflictMs, lastNoRoomMs } = parts.counts.totals();
  const isRecent = (atMs: number | null) => atMs !== null && nowMs - atMs <= shownForMs;
  const unreadableRows = parts.store.unreadableRows().map(({ table, rows }) => ({ table, rows }));
  const trimmed = parts.housekeeping.recentlyTrimmed(nowMs);
  const damage = parts.damage(nowMs);
  const wrongClocks = (parts.agents?.() ?? []).filter((agent) => clockSkewMs(agent) !== 0).length;
  const openFiles = parts.openFiles.check();
  const refusedByBroker = (parts.agents?.() ?? []).filter(
    (agent) => agent.presence?.status === "online" && refusalsOf(agent).length > 0,
  ).length;
  const refusedOrders = (parts.agents?.() ?? []).filter(
    (agent) => agent.presence?.status === "online" && refusedOrderOf(agent) !== null,
  ).length;
  const cantStore = "minutes can't be stored; they are not acknowledged, so agents will send them again";
  const full = `ingest.maxAgents: ${noRoom} message(s) were refused because no further agent fits`;
  const storeServerFault = parts.store.fault();
  const problems = [
    damage,
    storeServerFault === null ? null : "the store's server is unavailable; agents keep their minutes until it is back",
    storeFault === null ? null : cantStore,
    parts.audit?.isFailing === true ? "the audit log can't be written: changes are refused" : null,
    parts.tls?.problem() ?? null,
    ...unreadableRows.map(({ table, rows }) => `${rows} row(s) of table ${table} can't be read and are skipped`),
    trimmed === 0 ? null : `retention.maxBytes: ${trimmed} minute(s) were removed early`,
    isRecent(lastNoRoomMs) ? full : null,
    wrongClocks === 0 ? null : `${wrongClocks} agent(s) have a clock that is minutes away from this controller's`,
    openFiles.status === "healthy" ? null : openFiles.detail,
    refusedByBroker === 0
      ? null
      : `the broker refuses publications or subscriptions of ${refusedByBroker} agent(s): see their brokerProblems`,
    refusedOrders === 0 ? null : `${refusedOrders} agent(s) rejected orders: see their brokerProblems`,
    isRecent(lastConflictMs) ? `${conflicts} minute(s) arrived with the id of a different minute` : null,
  ].filter((problem) => problem !== null);
  const { standingBy = null } = parts;
  return {
    role: standingBy === null ? "leading" : "standing by",
    leader: standingBy?.leader() ?? null,
    status: problems.length === 0 ? "ok" : "degraded",
    version,
    brokerConnected: parts.broker.connected,
    problems,
    messages: { refused, setAside, conflicts, noRoom },
    unreadableRows,
  };
}
