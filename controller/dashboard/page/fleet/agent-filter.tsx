import { useEffect, useId, useState } from "preact/hooks";
import { getJson } from "#platform/page/api-client.ts";
import { showError } from "#platform/page/page-errors.ts";
import { query, setQuery } from "#platform/page/url-state.ts";
import { completeFilter, filterFields, readLastTerm } from "./complete-filter.ts";

const typingPauseMs = 200;
const isField = (field: string | null) => filterFields.some((each) => each === field);

interface Values {
  readonly values: readonly { readonly value: string }[];
}

/** Input of the filter, which the server applies; fields and values are completed. */
export function AgentFilter({ problem }: { readonly problem: string | null }) {
  const inAddress = query.value.get("q") ?? "";
  const listId = useId();
  const problemId = useId();
  const [text, setText] = useState(inAddress);
  const [values, setValues] = useState<readonly string[]>([]);
  useEffect(() => setText(inAddress), [inAddress]);
  const term = readLastTerm(text);
  useEffect(() => {
    const stop = new AbortController();
    const timer = setTimeout(() => {
      if (text !== inAddress) setQuery({ q: text, from: null });
      if (!isField(term.field)) return;
      const asked = new URLSearchParams({ field: term.field ?? "", part: term.part });
      getJson<Values>(`/api/v1/fleet/values?${asked}`, stop.signal).then(
        (answer) => setValues(answer.values.map(({ value }) => value)),
        (error) => {
          if (!stop.signal.aborted) showError(error);
        },
      );
    }, typingPauseMs);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [text]);
  return (
    <>
      <label class="filter">
        <span class="hidden">Filter agents</span>
        <input
          data-filter=""
          type="search"
          list={listId}
          value={text}
          maxLength={256}
          placeholder='filter: words of ids, state:offline, region:"hall 1", tag:rack=r7'
          autocomplete="off"
          spellcheck={false}
          aria-invalid={problem !== null}
          aria-describedby={problem === null ? undefined : problemId}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </label>
      <datalist id={listId}>
        {completeFilter(term, isField(term.field) ? values : []).map((each) => (
          <option key={each} value={each} />
        ))}
      </datalist>
      {problem === null ? null : (
        <span id={problemId} class="problem">
          {problem}
        </span>
      )}
    </>
  );
}
