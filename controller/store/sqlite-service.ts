import type { Database } from "bun:sqlite";
import { dayMs, hourMs, minuteMs } from "#platform/time.ts";
import { addLatencyCounts, emptyLatencyCounts } from "#protocol/latency-histogram.ts";
import type { MinuteData, RefusalCause } from "#protocol/messages.ts";
import { columnValue, type RowQuarantine } from "./row-quarantine.ts";
import { ServiceRow } from "./row-schemas.ts";
import type { ServiceStore, ServiceSums } from "./store.ts";

/** Lengths of the sums. */
export const serviceSpans = { "five-minutes": { spanMs: 5 * minuteMs }, hour: { spanMs: hourMs } } as const;
/** Time for which the short ones are kept. */
export const shortKeptMs = dayMs + hourMs;
/** Regions and models kept separate per interval: agents could make names up. */
export const maxServiceNames = 100;
/** Name of all the rest together. */
export const otherNames = "(other)";

/** Sums of one minute, by model. Agents of earlier versions do not report the model of refused requests, which then count for no model. */
export function serviceOfMinute({ role, traffic }: MinuteData, region: string): ServiceSums[] {
  const isOld = traffic.models.every(({ refused }) => refused === undefined);
  const rejected = isOld && role === "active" ? traffic.rejected : 0;
  const errors = isOld ? traffic.errors : 0;
  const sums = traffic.models.map(({ model, requests, latencyCounts, refused = [] }): ServiceSums => {
    const of = (cause: RefusalCause) =>
      refused.reduce((sum, each) => sum + (each.cause === cause ? each.requests : 0), 0);
    return {
      ...{ region, model, requests, latencyCounts },
      ...{ queue: of("queue"), deadline: of("deadline"), standby: of("standby") },
      ...{ rateLimit: of("rate-limit"), error: of("error") },
    };
  });
  if (rejected + errors === 0) return sums;
  const unnamed = { region, model: "", requests: 0, queue: rejected, deadline: 0, standby: 0, rateLimit: 0 };
  return [...sums, { ...unnamed, error: errors, latencyCounts: emptyLatencyCounts() }];
}

type StoredService = Omit<ServiceSums, "latencyCounts"> & { latencyCounts: string };

export function createServiceTable(database: Database, quarantine: RowQuarantine) {
  const columns =
    "region, model, requests, queue, deadline, standby, rate_limit AS rateLimit, error, latency_counts AS latencyCounts";
  const present = database.query<StoredService, [number, number, string, string]>(
    `SELECT ${columns} FROM service WHERE span_ms = ? AND start_ms = ? AND region = ? AND model = ?`,
  );
  const names = database.query<{ count: number }, [number, number]>(
    `SELECT count(*) AS count FROM service WHERE span_ms = ? AND start_ms = ?`,
  );
  const save = database.query(
    `INSERT OR REPLACE INTO service
       (span_ms, start_ms, region, model, requests, queue, deadline, standby, rate_limit, error, latency_counts)
     VALUES ($spanMs, $startMs, $region, $model, $requests, $queue, $deadline, $standby, $rateLimit, $error, $latencyCounts)`,
  );
  const since = database.query<StoredService & { startMs: number }, [number, number]>(
    `SELECT start_ms AS startMs, ${columns} FROM service WHERE span_ms = ? AND start_ms >= ?
     ORDER BY start_ms, region, model`,
  );
  // After a start with a clock in the past, sums must not stay for ever as those of the future.
  const prune = database.query(
    `DELETE FROM service WHERE span_ms = $spanMs AND (start_ms < $beforeMs OR start_ms > $afterMs)`,
  );
  const read = (row: StoredService, key: string) =>
    quarantine.decode("service", key, ServiceRow, { ...row, latencyCounts: columnValue(row.latencyCounts) });

  const addTo = (spanMs: number, startMs: number, sums: ServiceSums) => {
    const keyOf = ({ region, model }: Pick<ServiceSums, "region" | "model">) => `${startMs}/${region}/${model}`;
    let { region, model } = sums;
    let before = present.get(spanMs, startMs, region, model);
    if (before === null && (names.get(spanMs, startMs)?.count ?? 0) >= maxServiceNames) {
      [region, model] = [otherNames, otherNames];
      before = present.get(spanMs, startMs, region, model);
    }
    // A row that can't be read is begun anew.
    const known = before === null ? null : read(before, keyOf({ region, model }));
    const plus = (key: "requests" | "queue" | "deadline" | "standby" | "rateLimit" | "error") =>
      sums[key] + (known?.[key] ?? 0);
    save.run({
      ...{ spanMs, startMs, region, model, requests: plus("requests"), queue: plus("queue") },
      ...{ deadline: plus("deadline"), standby: plus("standby"), rateLimit: plus("rateLimit"), error: plus("error") },
      latencyCounts: JSON.stringify(addLatencyCounts(sums.latencyCounts, known?.latencyCounts ?? [])),
    });
  };
  const reading: ServiceStore = {
    async service(step, startMs) {
      const { spanMs } = serviceSpans[step];
      return since
        .all(spanMs, Math.floor(startMs / spanMs) * spanMs)
        .flatMap(({ startMs: rowMs, ...row }) => read(row, `${rowMs}/${row.region}/${row.model}`) ?? []);
    },
    async pruneService(nowMs, hoursKeptMs) {
      for (const { spanMs } of Object.values(serviceSpans)) {
        const keptMs = spanMs === hourMs ? hoursKeptMs : shortKeptMs;
        prune.run({ spanMs, beforeMs: Math.floor(nowMs - keptMs), afterMs: Math.ceil(nowMs + dayMs) });
      }
    },
  };
  return {
    reading,
    /** Adds a minute to the sums of its time; to be called once for each. */
    add(data: MinuteData, region: string): void {
      const { minuteStartMs } = data.traffic;
      for (const sums of serviceOfMinute(data, region)) {
        for (const { spanMs } of Object.values(serviceSpans))
          addTo(spanMs, Math.floor(minuteStartMs / spanMs) * spanMs, sums);
      }
    },
  };
}
