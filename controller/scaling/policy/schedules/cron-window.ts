import { Cron } from "croner";

/** State of a window that opens and closes by cron. */
export interface WindowState {
  readonly open: boolean;
  /** Time at which it next opens or closes; null when it never will again. */
  readonly nextChangeMs: number | null;
}

/** Parsed patterns: the same few are asked for every minute. Bounded, since previews ask for any. */
const parsed = new Map<string, Cron>();
const maxParsed = 1000;

/**
 * Parses five fields, day of month or day of week. The library handles clock changes: a time that the clock skips comes at the moment it
 * skips to, a time that comes twice comes once, the first time.
 */
function parseCron(pattern: string, timeZone: string): Cron {
  const key = `${timeZone}\n${pattern}`;
  let cron = parsed.get(key);
  if (cron === undefined) {
    const [, , day = "", , weekday = ""] = pattern.trim().split(/\s+/);
    // Every second day in */2 is a restriction of * to cron: it holds together with the other field, not instead of it.
    const domAndDow = [day, weekday].some((field) => /^[*?]/.test(field));
    cron = new Cron(pattern, { timezone: timeZone, paused: true, mode: "5-part", domAndDow });
    if (parsed.size >= maxParsed) parsed.clear();
    parsed.set(key, cron);
  }
  return cron;
}

const nextMs = (pattern: string, timeZone: string, nowMs: number) =>
  parseCron(pattern, timeZone).nextRun(new Date(nowMs))?.getTime() ?? Number.POSITIVE_INFINITY;
/** Newest run at or before `nowMs`. */
const previousMs = (pattern: string, timeZone: string, nowMs: number) =>
  parseCron(pattern, timeZone)
    .previousRuns(2, new Date(nowMs + 1000))
    .find((run) => run.getTime() <= nowMs)
    ?.getTime() ?? Number.NEGATIVE_INFINITY;

/** Returns what is wrong with a zone; null when it is one of the IANA database. */
export function timeZoneFault(timeZone: string): string | null {
  const fault = `expected a zone of the IANA database such as Europe/Berlin, got "${timeZone}"`;
  if (/^[+-]/.test(timeZone)) return fault;
  try {
    new Intl.DateTimeFormat("en", { timeZone });
    return null;
  } catch {
    return fault;
  }
}

/** Returns what is likely meant otherwise in a zone; null: nothing. The signs of Etc/GMT zones are those of POSIX: Etc/GMT+2 is behind UTC. */
export function timeZoneDoubt(timeZone: string): string | null {
  const [, sign, hours] = /^Etc\/GMT([+-])(\d+)$/i.exec(timeZone) ?? [];
  if (sign === undefined || Number(hours) === 0) return null;
  return `${timeZone} is ${hours} h ${sign === "+" ? "behind" : "ahead of"} UTC, all year`;
}

/** Returns what is wrong with a pattern; null when it is a cron of five fields that comes some day. */
export function cronFault(pattern: string, timeZone: string): string | null {
  const expected = "expected a cron of five fields (minute hour day month weekday)";
  try {
    const soon = parseCron(pattern, timeZone).nextRun(new Date(0));
    return soon === null ? `${expected} that occurs on some day, got "${pattern}", which never does` : null;
  } catch (error) {
    const why = (error as Error).message.replace(/^CronPattern: /, "");
    return `${expected}, got "${pattern}": ${why}`;
  }
}

/**
 * Returns the state of a window: open when its last event was a start. Where the last start and the last end came at once, it is open when the
 * next end comes before the next start (KEDA's rule): a window of an hour that the change to summer time skips is not open for the day after it,
 * one that opens at midnight when another day's closes is. The same pattern for both is always open. The opening minute belongs to the window, the
 * closing one does not.
 */
export function windowAt(start: string, end: string, timeZone: string, nowMs: number): WindowState {
  const key = `${timeZone}\n${start}\n${end}`;
  const last = states.get(key);
  const isSame = last?.state.nextChangeMs != null && nowMs >= last.sinceMs && nowMs < last.state.nextChangeMs;
  if (last !== undefined && isSame) return last.state;
  const state = findWindow(start, end, timeZone, nowMs);
  if (states.size >= maxParsed) states.clear();
  states.set(key, { sinceMs: nowMs, state });
  return state;
}

/** Latest answers: until the next change a window stays as it is. */
const states = new Map<string, { readonly sinceMs: number; readonly state: WindowState }>();

function findWindow(start: string, end: string, timeZone: string, nowMs: number): WindowState {
  const nextStartMs = nextMs(start, timeZone, nowMs);
  const nextEndMs = nextMs(end, timeZone, nowMs);
  const lastStartMs = previousMs(start, timeZone, nowMs);
  const lastEndMs = previousMs(end, timeZone, nowMs);
  const open = lastStartMs === lastEndMs ? nextEndMs <= nextStartMs : lastStartMs > lastEndMs;
  const nextChangeMs = open ? nextEndMs : nextStartMs;
  return { open, nextChangeMs: Number.isFinite(nextChangeMs) ? nextChangeMs : null };
}

/** Events of a window that are compared; a year has fewer of any pattern that opens once a day. */
const comparedEvents = 500;

/**
 * Returns where starts and ends do not take turns, which is mostly a slip, e.g. an end on days without a start; null when they do.
 * Compares them in UTC, since a change of the clock may join a start and an end.
 */
export function alternationFault(start: string, end: string): string | null {
  if (start === end) return null;
  const runs = (pattern: string, kind: "start" | "end") =>
    parseCron(pattern, "UTC")
      .nextRuns(comparedEvents, new Date(0))
      .map((run) => ({ kind, atMs: run.getTime() }));
  const [starts, ends] = [runs(start, "start"), runs(end, "end")];
  const untilMs = Math.min(starts.at(-1)?.atMs ?? 0, ends.at(-1)?.atMs ?? 0);
  // Ends come first where both come at once: one window closes, the next opens.
  const events = [...ends, ...starts].filter(({ atMs }) => atMs <= untilMs).toSorted((a, b) => a.atMs - b.atMs);
  const second = events.findIndex(({ kind }, index) => kind === events[index - 1]?.kind);
  const [before, event] = [events[second - 1], events[second]];
  if (before === undefined || event === undefined) return null;
  const when = (atMs: number) => new Intl.DateTimeFormat("en-GB", { ...weekdayAndTime, timeZone: "UTC" }).format(atMs);
  return event.kind === "end"
    ? `it closes at ${when(before.atMs)} and again at ${when(event.atMs)} without a start between`
    : `it opens at ${when(before.atMs)} and again at ${when(event.atMs)} without an end between`;
}

const weekdayAndTime = { weekday: "long", hour: "2-digit", minute: "2-digit" } as const;

const wallClocks = new Map<string, Intl.DateTimeFormat>();

/** Writes a time as a clock on the wall shows it, e.g. "2026-03-29 17:00 Europe/Berlin". */
export function localTimeToText(atMs: number, timeZone: string): string {
  let wallClock = wallClocks.get(timeZone);
  if (wallClock === undefined) {
    wallClock = new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "short" });
    wallClocks.set(timeZone, wallClock);
  }
  return `${wallClock.format(atMs)} ${timeZone}`;
}
