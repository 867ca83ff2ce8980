import { useEffect, useId, useState } from "preact/hooks";
import { showError } from "./page-errors.ts";

interface CompletedProps {
  readonly label: string;
  readonly value: string;
  /** Names that it is completed by. */
  readonly names?: readonly string[];
  /** Asks the server for names that hold a text. */
  readonly load?: (text: string, signal: AbortSignal) => Promise<readonly string[]>;
  /** Takes a value that was chosen, or entered. */
  readonly onChange: (value: string) => void;
  /** True: the filter that the key `/` goes to. */
  readonly isMain?: boolean;
  readonly placeholder?: string;
}

const typingPauseMs = 150;

/** An input whose value is completed, by a list or by the server as one types. */
export function Completed({ label, value, names, load, onChange, isMain, placeholder }: CompletedProps) {
  const listId = useId();
  const [text, setText] = useState(value);
  const [loaded, setLoaded] = useState<readonly string[]>([]);
  const [isOpen, setOpen] = useState(false);
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    if (load === undefined || !isOpen) return;
    const stop = new AbortController();
    const timer = setTimeout(
      () =>
        load(text, stop.signal).then(setLoaded, (error) => {
          if (!stop.signal.aborted) showError(error);
        }),
      typingPauseMs,
    );
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [text, isOpen]);
  const known = names ?? loaded;
  const take = (given: string) => {
    setText(given);
    if (given === "" || known.includes(given)) onChange(given);
  };
  return (
    <label>
      {label}{" "}
      <input
        type="search"
        list={listId}
        value={text}
        placeholder={placeholder ?? "any"}
        autocomplete="off"
        spellcheck={false}
        maxLength={128}
        onFocus={() => setOpen(true)}
        onInput={(event) => take(event.currentTarget.value)}
        onChange={(event) => onChange(event.currentTarget.value.trim())}
        {...(isMain ? { "data-filter": "" } : {})}
      />
      <datalist id={listId}>
        {known.map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
    </label>
  );
}
