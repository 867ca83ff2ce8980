import { computed, type ReadonlySignal, signal } from "@preact/signals";

const here = () => ({ path: location.pathname, query: location.search });

/** Path and query of the view: what one sees is in the address, and can be sent to others. */
const place = signal({ path: "/", query: "" });

export const path: ReadonlySignal<string> = computed(() => place.value.path);
export const query: ReadonlySignal<URLSearchParams> = computed(() => new URLSearchParams(place.value.query));

/** Goes to a path of this page with a new entry of the browser's history. */
export function goTo(href: string): void {
  history.pushState(null, "", href);
  place.value = here();
  scrollTo(0, 0);
}

/** Changes parts of the query; null removes one. The history's entry is replaced: typing a filter makes no entries. */
export function setQuery(changes: Readonly<Record<string, string | null>>): void {
  const next = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === "") next.delete(name);
    else next.set(name, value);
  }
  const text = next.toString();
  history.replaceState(null, "", `${location.pathname}${text === "" ? "" : `?${text}`}`);
  place.value = here();
}

/** Follows the browser's history, and links of this page without loading it again. */
export function watchPlace(isOwnPath: (path: string) => boolean): void {
  place.value = here();
  addEventListener("popstate", () => {
    place.value = here();
  });
  document.addEventListener("click", (event) => {
    if (
      event.defaultPrevented ||
      event.button !== 0 ||
      event.metaKey ||
      event.ctrlKey ||
      event.shiftKey ||
      event.altKey
    )
      return;
    const link = (event.target as Element | null)?.closest("a");
    if (
      link === null ||
      link === undefined ||
      link.target !== "" ||
      link.hasAttribute("download") ||
      link.origin !== location.origin
    )
      return;
    if (link.hash !== "" && link.pathname === location.pathname) return;
    if (!isOwnPath(link.pathname)) return;
    event.preventDefault();
    goTo(link.pathname + link.search);
  });
}

/** Values of a path by its pattern (`/agents/:id`); null: it does not match. */
export function matchPath(pattern: string, path: string): Readonly<Record<string, string>> | null {
  const wanted = pattern.split("/");
  const given = (path.length > 1 ? path.replace(/\/$/, "") : path).split("/");
  if (wanted.length !== given.length) return null;
  const values: Record<string, string> = {};
  for (const [index, segment] of wanted.entries()) {
    const value = given[index] ?? "";
    if (!segment.startsWith(":")) {
      if (segment !== value) return null;
      continue;
    }
    try {
      values[segment.slice(1)] = decodeURIComponent(value);
    } catch {
      return null;
    }
    if (value === "") return null;
  }
  return values;
}
