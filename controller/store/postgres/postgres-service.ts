import { dayMs, hourMs } from "#platform/time.ts";
import { addLatencyCounts } from "#protocol/latency-histogram.ts";
import type { MinuteData } from "#protocol/messages.ts";
import { columnValue, type RowQuarantine } from "../row-quarantine.ts";
import { ServiceRow } from "../row-schemas.ts";
import { maxServiceNames, otherNames, serviceOfMinute, serviceSpans, shortKeptMs } from "../sqlite-service.ts";
import type { ServiceStore, ServiceSums } from "../store.ts";
import type { PostgresDatabase, Statements } from "./postgres-database.ts";

type StoredSums = Omit<ServiceSums, "latencyCounts"> & { readonly startMs: number; readonly latencyCounts: string };

const counts = ["requests", "queue", "deadline", "standby", "rateLimit", "error"] as const;
const columns = `start_ms::float8 AS "startMs", region, model, requests::float8 AS requests, queue::float8 AS queue,
  deadline::float8 AS deadline, standby::float8 AS standby, rate_limit::float8 AS "rateLimit", error::float8 AS error,
  latency_counts AS "latencyCounts"`;

/** PostgreSQL has no text with a NUL; a name that contains one is made up. */
const cleanName = (name: string) => name.replaceAll("\0", "\ufffd");

/** Sums of one stretch of time, by region and model. */
type SpanSums = Map<string, ServiceSums>;
const keyOf = ({ region, model }: Pick<ServiceSums, "region" | "model">) => JSON.stringify([region, model]);

function addTo(span: SpanSums, sums: ServiceSums): void {
  let { region, model } = sums;
  if (!span.has(keyOf(sums)) && span.size >= maxServiceNames) [region, model] = [otherNames, otherNames];
  const before = span.get(keyOf({ region, model }));
  const total = { ...sums, region, model };
  for (const count of counts) total[count] = sums[count] + (before?.[count] ?? 0);
  total.latencyCounts = addLatencyCounts(sums.latencyCounts, before?.latencyCounts ?? []);
  span.set(keyOf(total), total);
}

/** Table of the service level. */
export function createPostgresService(database: PostgresDatabase, quarantine: RowQuarantine) {
  const read = ({ startMs, ...row }: StoredSums) =>
    quarantine.decode("service", `${startMs}/${row.region}/${row.model}`, ServiceRow, {
      ...row,
      latencyCounts: columnValue(row.latencyCounts),
    });
  const reading: ServiceStore = {
    async service(step, startMs) {
      const { spanMs } = serviceSpans[step];
      const rows = await database.rows<StoredSums>(
        `SELECT ${columns} FROM service WHERE span_ms = $1 AND start_ms >= $2 ORDER BY service.start_ms, region, model`,
        [spanMs, Math.floor(startMs / spanMs) * spanMs],
      );
      return rows.flatMap((row) => read(row) ?? []);
    },
    // After a start with a clock in the past, sums must not stay for ever as those of the future.
    async pruneService(nowMs, hoursKeptMs) {
      for (const { spanMs } of Object.values(serviceSpans)) {
        const keptMs = spanMs === hourMs ? hoursKeptMs : shortKeptMs;
        await database.run(`DELETE FROM service WHERE span_ms = $1 AND (start_ms < $2 OR start_ms > $3)`, [
          ...[spanMs, Math.floor(nowMs - keptMs), Math.ceil(nowMs + dayMs)],
        ]);
      }
    },
  };
  /** Adds minutes to the sums of one stretch of time. */
  const addToSpan = async (statements: Statements, spanMs: number, startMs: number, added: readonly ServiceSums[]) => {
    const rows = await statements.rows<StoredSums>(
      `SELECT ${columns} FROM service WHERE span_ms = $1 AND start_ms = $2`,
      [spanMs, startMs],
    );
    // A row that can't be read is begun anew.
    const span: SpanSums = new Map();
    for (const row of rows) {
      const known = read(row);
      if (known !== null) span.set(keyOf(known), known);
    }
    const changed = new Set(
      added.map((sums) => {
        addTo(span, sums);
        return span.has(keyOf(sums)) ? keyOf(sums) : keyOf({ region: otherNames, model: otherNames });
      }),
    );
    const values = [...changed].flatMap((key) => span.get(key) ?? []);
    const column = (of: (sums: ServiceSums) => string | number, type: "TEXT" | "INT8") =>
      statements.array(values.map(of), type);
    await statements.run(
      `INSERT INTO service (span_ms, start_ms, region, model, requests, queue, deadline, standby, rate_limit, error, latency_counts)
       SELECT $1, $2, * FROM unnest($3::text[], $4::text[], $5::int8[], $6::int8[], $7::int8[], $8::int8[], $9::int8[],
         $10::int8[], $11::text[])
       ON CONFLICT (span_ms, start_ms, region, model) DO UPDATE SET requests = excluded.requests, queue = excluded.queue,
         deadline = excluded.deadline, standby = excluded.standby, rate_limit = excluded.rate_limit,
         error = excluded.error, latency_counts = excluded.latency_counts`,
      [
        ...[spanMs, startMs, column(({ region }) => region, "TEXT"), column(({ model }) => model, "TEXT")],
        ...counts.map((count) => column((sums) => sums[count], "INT8")),
        column(({ latencyCounts }) => JSON.stringify(latencyCounts), "TEXT"),
      ],
    );
  };
  return {
    reading,
    /** Adds minutes to the sums of their times; to be called once for each. */
    async add(statements: Statements, minutes: readonly { readonly data: MinuteData; readonly region: string }[]) {
      const bySpan = new Map<string, { spanMs: number; startMs: number; sums: ServiceSums[] }>();
      for (const { data, region } of minutes) {
        for (const { spanMs } of Object.values(serviceSpans)) {
          const startMs = Math.floor(data.traffic.minuteStartMs / spanMs) * spanMs;
          const entry = bySpan.get(`${spanMs}/${startMs}`) ?? { spanMs, startMs, sums: [] };
          for (const sums of serviceOfMinute(data, cleanName(region)))
            entry.sums.push({ ...sums, model: cleanName(sums.model) });
          bySpan.set(`${spanMs}/${startMs}`, entry);
        }
      }
      for (const { spanMs, startMs, sums } of bySpan.values())
        if (sums.length > 0) await addToSpan(statements, spanMs, startMs, sums);
    },
  };
}
