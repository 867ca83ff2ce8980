import { useEffect, useState } from "preact/hooks";
import { ApiError } from "./api-client.ts";
import { noteAway } from "./connection.ts";
import { showError } from "./page-errors.ts";

/** Newest state of one address. */
export interface Polled<T> {
  /** Null: not yet. An older value stays while the server is away. */
  readonly value: T | null;
  /** Refusal of the newest try, e.g. that there is no such thing; null: it went well, or no answer came. */
  readonly refusal: ApiError | null;
}

/**
 * Reads something again and again while the page is visible, and at once when it is shown again.
 * @param key names what is read, e.g. its address: with another one it begins anew
 */
export function usePolled<T>(key: string, periodMs: number, load: (signal: AbortSignal) => Promise<T>): Polled<T> {
  const [state, setState] = useState<Polled<T> & { readonly key: string }>({ key, value: null, refusal: null });
  useEffect(() => {
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const read = async () => {
      clearTimeout(timer);
      if (!document.hidden) {
        try {
          const value = await load(stop.signal);
          if (!stop.signal.aborted) setState({ key, value, refusal: null });
        } catch (error) {
          if (stop.signal.aborted) return;
          const isRefusal = error instanceof ApiError && error.status >= 400 && error.status < 500;
          if (isRefusal)
            setState((before) => ({ key, value: before.key === key ? before.value : null, refusal: error }));
          else if (error instanceof ApiError) noteAway(error);
          else showError(error);
        }
      }
      if (!stop.signal.aborted) timer = setTimeout(() => void read(), periodMs);
    };
    const onVisible = () => {
      if (!document.hidden) void read();
    };
    document.addEventListener("visibilitychange", onVisible);
    void read();
    return () => {
      stop.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", onVisible);
    };
  }, [key, periodMs]);
  return state.key === key ? state : { value: null, refusal: null };
}
