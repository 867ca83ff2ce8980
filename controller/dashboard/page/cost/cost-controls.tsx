import { useState } from "preact/hooks";
import { getJson } from "#platform/page/api-client.ts";
import { Completed } from "#platform/page/completed-input.tsx";
import { Choice } from "#platform/page/fields.tsx";
import { safeText } from "#platform/page/safe-text.ts";
import { goTo, setQuery } from "#platform/page/url-state.ts";
import { type CostState, type Dimension, dimensions, dimensionWords, windowButtons } from "./cost-data.ts";

const windowWords = { today: "today", "7d": "7 d", "30d": "30 d", days: "days…" } as const;
const dayText = (ms: number) => new Date(ms).toISOString().slice(0, 10);

/** Address of this page with a filter more, or one less. */
export function withFilter(of: Dimension, name: string, isWanted: boolean, by?: Dimension): string {
  const query = new URLSearchParams(location.search);
  const others = query.getAll(of).filter((each) => each !== name);
  query.delete(of);
  for (const each of isWanted ? [name] : others) query.append(of, each);
  if (by !== undefined) query.set("by", by);
  return `/cost?${query}`;
}

function Windows({ state, nowMs }: { readonly state: CostState; readonly nowMs: number }) {
  const { custom } = state;
  const from = custom?.from ?? dayText(nowMs - 6 * 86_400_000);
  const until = custom?.until ?? dayText(nowMs);
  return (
    <>
      <Choice
        label="Time"
        values={[...windowButtons, "days"] as const}
        chosen={custom === null ? (state.window as "7d") : "days"}
        text={(each) => windowWords[each]}
        onChoose={(each) => {
          if (each === "days")
            setQuery({ window: null, ...(custom === null ? { from, until } : { from: null, until: null }) });
          else setQuery({ window: each === "7d" ? null : each, from: null, until: null });
        }}
      />
      {custom === null ? null : (
        <>
          <label>
            from{" "}
            <input
              type="date"
              value={from}
              max={until}
              onChange={(event) => setQuery({ from: event.currentTarget.value, until })}
            />
          </label>
          <label>
            until{" "}
            <input
              type="date"
              value={until}
              min={from}
              max={dayText(nowMs)}
              onChange={(event) => setQuery({ from, until: event.currentTarget.value })}
            />{" "}
            (days in UTC)
          </label>
        </>
      )}
    </>
  );
}

function Filter({ state }: { readonly state: CostState }) {
  const [of, setOf] = useState<Dimension>("tenant");
  const load = (text: string, signal: AbortSignal) =>
    getJson<{ names: string[] }>(
      `/api/v1/cost/names?${new URLSearchParams({ of, text, window: state.window })}`,
      signal,
    ).then(({ names }) => names);
  return (
    <>
      <label>
        only{" "}
        <select value={of} onChange={(event) => setOf(event.currentTarget.value as Dimension)}>
          {dimensions.map((each) => (
            <option key={each} value={each}>
              {dimensionWords[each]}
            </option>
          ))}
        </select>
      </label>
      <Completed
        key={`${of} ${state.filters.length}`}
        label="named"
        value=""
        isMain
        load={load}
        onChange={(name) => {
          if (name !== "") goTo(withFilter(of, name, true));
        }}
      />
    </>
  );
}

/** Time, breakdown and filter of the costs; all of them are in the address. */
export function CostControls({ state, nowMs }: { readonly state: CostState; readonly nowMs: number }) {
  return (
    <form class="filters" onSubmit={(event) => event.preventDefault()} aria-label="Time, breakdown and filter">
      <Windows state={state} nowMs={nowMs} />
      <label>
        by{" "}
        <select value={state.by} onChange={(event) => setQuery({ by: event.currentTarget.value })}>
          {dimensions.map((each) => (
            <option key={each} value={each}>
              {dimensionWords[each]}
            </option>
          ))}
        </select>
      </label>
      <Filter state={state} />
      <label>
        <input
          type="checkbox"
          checked={state.hidesIdle}
          onChange={(event) => setQuery({ idle: event.currentTarget.checked ? "hidden" : null })}
        />{" "}
        without idle
      </label>
      {state.filters.map(({ of, name }) => (
        <a
          class="chip"
          key={`${of} ${name}`}
          href={withFilter(of, name, false)}
          aria-label={`no longer only ${dimensionWords[of]} ${safeText(name, 64)}`}
        >
          {dimensionWords[of]}: {safeText(name, 64)} ✕
        </a>
      ))}
    </form>
  );
}
