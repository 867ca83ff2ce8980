import { dayMs, hourMs } from "#platform/time.ts";
import type { RatedMinute } from "../../costs/cost-rows.ts";
import { maxPairs, minuteBits, otherNames, parts } from "../../costs/sqlite-costs.ts";
import type { Statements } from "../postgres-database.ts";

/** Minute of an agent that has just been stored. */
export interface AddedMinute {
  readonly agentId: string;
  readonly minuteStartMs: number;
  readonly rated: RatedMinute;
}

export const deviceSums = [
  ...["energy_micro", "energy_pico", "owning_micro", "owning_pico", "energy_kwh", "observed_ms", "measured_ms"],
  ...["compute_ms", "gap_minutes"],
] as const;
export const workSums = [
  ...["used_micro", "used_pico", "offers_micro", "offers_pico", "active_kwh", "compute_ms", "requests", "tokens"],
] as const;
type DeviceSum = (typeof deviceSums)[number];
type WorkSum = (typeof workSums)[number];
const isFraction = (column: string) => column.endsWith("_kwh") || column.endsWith("_ms");

interface DeviceLine extends Record<DeviceSum, number> {
  readonly startMs: number;
  readonly agentId: string;
  readonly region: string;
  first: number;
  last: number;
  priceKey: string;
  gaps: string;
}
interface WorkLine extends Record<WorkSum, number> {
  readonly startMs: number;
  readonly agentId: string;
  readonly region: string;
  readonly tenant: string;
  readonly model: string;
}

/** PostgreSQL has no text with a NUL; a name that contains one is made up. */
const clean = (name: string) => name.replaceAll("\0", "\ufffd");
const keyOf = (...names: readonly (string | number)[]) => JSON.stringify(names);
export const hourOf = (timeMs: number) => Math.floor(timeMs / hourMs) * hourMs;
export const dayOf = (timeMs: number) => Math.floor(timeMs / dayMs) * dayMs;

function deviceLine({ agentId, minuteStartMs, rated }: AddedMinute): DeviceLine {
  const { device, region, priceKey, gaps } = rated;
  const [energy, owning] = [parts(device.energy), parts(device.owning)];
  return {
    ...{ startMs: hourOf(minuteStartMs), agentId, region: clean(region), ...minuteBits(minuteStartMs), priceKey, gaps },
    ...{ energy_micro: energy[0], energy_pico: energy[1], owning_micro: owning[0], owning_pico: owning[1] },
    ...{ energy_kwh: device.energyKwh, observed_ms: device.observedMs, measured_ms: device.measuredMs },
    ...{ compute_ms: device.computeMs, gap_minutes: gaps === "" ? 0 : 1 },
  };
}

function workLines({ agentId, minuteStartMs, rated }: AddedMinute): WorkLine[] {
  return rated.work.map((work) => {
    const [used, offers] = [parts(work.used), parts(work.offers)];
    return {
      ...{ startMs: hourOf(minuteStartMs), agentId, region: clean(rated.region) },
      ...{ tenant: clean(work.tenant), model: clean(work.model), used_micro: used[0], used_pico: used[1] },
      ...{ offers_micro: offers[0], offers_pico: offers[1], active_kwh: work.activeKwh },
      ...{ compute_ms: work.computeMs, requests: work.requests, tokens: work.tokens },
    };
  });
}

/** Adds up what goes to one line: a statement may change each row but once. */
function gather<Line extends object>(
  lines: readonly Line[],
  keyOfLine: (line: Line) => string,
  add: (into: Line, line: Line) => void,
): Line[] {
  const gathered = new Map<string, Line>();
  for (const line of lines) {
    const known = gathered.get(keyOfLine(line));
    if (known === undefined) gathered.set(keyOfLine(line), { ...line });
    else add(known, line);
  }
  return [...gathered.values()];
}

async function saveDevices(statements: Statements, added: readonly AddedMinute[]): Promise<void> {
  const lines = gather(
    added.map(deviceLine),
    ({ startMs, agentId, region }) => keyOf(startMs, agentId, region),
    (into, line) => {
      for (const name of deviceSums) into[name] += line[name];
      into.first |= line.first;
      into.last |= line.last;
      if (into.priceKey !== line.priceKey) into.priceKey = "";
      if (line.gaps !== "") into.gaps = line.gaps;
    },
  );
  const names = ["start_ms", "agent_id", "region", ...deviceSums, "first_minutes", "last_minutes", "price_key", "gaps"];
  const types = ["INT8", "TEXT", "TEXT", ...deviceSums.map((name) => (isFraction(name) ? "FLOAT8" : "INT8"))] as const;
  await statements.run(
    `INSERT INTO cost_device (span_ms, ${names.join()})
     SELECT ${hourMs}, * FROM unnest(${[...types, "INT8", "INT8", "TEXT", "TEXT"].map((type, index) => `$${index + 1}::${type}[]`).join()})
     ON CONFLICT (span_ms, start_ms, agent_id, region) DO UPDATE SET
       ${deviceSums.map((name) => `${name} = cost_device.${name} + excluded.${name}`).join()},
       first_minutes = cost_device.first_minutes | excluded.first_minutes,
       last_minutes = cost_device.last_minutes | excluded.last_minutes,
       price_key = CASE WHEN cost_device.price_key = excluded.price_key THEN excluded.price_key ELSE '' END,
       gaps = CASE WHEN excluded.gaps = '' THEN cost_device.gaps ELSE excluded.gaps END`,
    [
      statements.array(
        lines.map(({ startMs }) => startMs),
        "INT8",
      ),
      statements.array(
        lines.map(({ agentId }) => agentId),
        "TEXT",
      ),
      statements.array(
        lines.map(({ region }) => region),
        "TEXT",
      ),
      ...deviceSums.map((name) =>
        statements.array(
          lines.map((line) => line[name]),
          isFraction(name) ? "FLOAT8" : "INT8",
        ),
      ),
      statements.array(
        lines.map(({ first }) => first),
        "INT8",
      ),
      statements.array(
        lines.map(({ last }) => last),
        "INT8",
      ),
      statements.array(
        lines.map(({ priceKey }) => priceKey),
        "TEXT",
      ),
      statements.array(
        lines.map(({ gaps }) => gaps),
        "TEXT",
      ),
    ],
  );
}

interface AgentHours {
  readonly startMs: number;
  readonly agentId: string;
}

const columnsOf = (statements: Statements, hours: readonly AgentHours[]) => [
  statements.array(
    hours.map(({ startMs }) => startMs),
    "INT8",
  ),
  statements.array(
    hours.map(({ agentId }) => agentId),
    "TEXT",
  ),
];

/** Renames what is beyond the bound of an agent's hour: agents could make names up. */
async function boundNames(statements: Statements, lines: readonly WorkLine[]): Promise<WorkLine[]> {
  const hours = [...new Map(lines.map((line) => [keyOf(line.startMs, line.agentId), line])).values()];
  const counts = await statements.rows<AgentHours & { readonly count: number }>(
    `SELECT start_ms::float8 AS "startMs", agent_id AS "agentId", count(*)::float8 AS count FROM cost_work
     WHERE span_ms = ${hourMs} AND (start_ms, agent_id) IN (SELECT * FROM unnest($1::int8[], $2::text[]))
     GROUP BY start_ms, agent_id`,
    columnsOf(statements, hours),
  );
  const countOf = new Map(counts.map(({ startMs, agentId, count }) => [keyOf(startMs, agentId), count]));
  const linesOf = (hour: AgentHours) =>
    lines.filter((line) => line.startMs === hour.startMs && line.agentId === hour.agentId);
  const full = hours.filter(
    (hour) => (countOf.get(keyOf(hour.startMs, hour.agentId)) ?? 0) + linesOf(hour).length > maxPairs,
  );
  if (full.length === 0) return [...lines];
  const known = await statements.rows<Pick<WorkLine, "startMs" | "agentId" | "region" | "tenant" | "model">>(
    `SELECT start_ms::float8 AS "startMs", agent_id AS "agentId", region, tenant, model FROM cost_work
     WHERE span_ms = ${hourMs} AND (start_ms, agent_id) IN (SELECT * FROM unnest($1::int8[], $2::text[]))`,
    columnsOf(statements, full),
  );
  const nameOf = (line: (typeof known)[number]) =>
    keyOf(line.startMs, line.agentId, line.region, line.tenant, line.model);
  const names = new Set(known.map(nameOf));
  return lines.map((line) => {
    const hour = keyOf(line.startMs, line.agentId);
    const count = countOf.get(hour) ?? 0;
    if (names.has(nameOf(line))) return line;
    const told = count >= maxPairs ? { ...line, tenant: otherNames, model: otherNames } : line;
    if (!names.has(nameOf(told))) countOf.set(hour, count + 1);
    names.add(nameOf(told));
    return told;
  });
}

async function saveWork(statements: Statements, added: readonly AddedMinute[]): Promise<void> {
  const bounded = await boundNames(statements, added.flatMap(workLines));
  if (bounded.length === 0) return;
  const lines = gather(
    bounded,
    ({ startMs, agentId, region, tenant, model }) => keyOf(startMs, agentId, region, tenant, model),
    (into, line) => {
      for (const name of workSums) into[name] += line[name];
    },
  );
  const texts = ["agentId", "region", "tenant", "model"] as const;
  const types = [
    "INT8",
    "TEXT",
    "TEXT",
    "TEXT",
    "TEXT",
    ...workSums.map((name) => (isFraction(name) ? "FLOAT8" : "INT8")),
  ];
  const names = `start_ms, agent_id, region, tenant, model, ${workSums.join()}`;
  await statements.run(
    `INSERT INTO cost_work (span_ms, ${names}, only_agent)
     SELECT ${hourMs}, ${names}, agent_id FROM unnest(${types.map((type, index) => `$${index + 1}::${type}[]`).join()}) AS line (${names})
     ON CONFLICT (span_ms, start_ms, agent_id, region, tenant, model) DO UPDATE SET
       ${workSums.map((name) => `${name} = cost_work.${name} + excluded.${name}`).join()}`,
    [
      statements.array(
        lines.map(({ startMs }) => startMs),
        "INT8",
      ),
      ...texts.map((name) =>
        statements.array(
          lines.map((line) => line[name]),
          "TEXT",
        ),
      ),
      ...workSums.map((name) =>
        statements.array(
          lines.map((line) => line[name]),
          isFraction(name) ? "FLOAT8" : "INT8",
        ),
      ),
    ],
  );
}

/** Adds minutes to the lines of their agents' hours. */
export async function addMinutes(statements: Statements, added: readonly AddedMinute[]): Promise<void> {
  if (added.length === 0) return;
  await saveDevices(statements, added);
  await saveWork(statements, added);
}
