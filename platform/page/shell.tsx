import { effect, signal } from "@preact/signals";
import type { ComponentChildren, ComponentType } from "preact";
import { useEffect } from "preact/hooks";
import { connection } from "./connection.ts";
import { formatDuration, quantityText } from "./format.ts";
import { dismissError, pageErrors } from "./page-errors.ts";
import { browserSkewMs, inUtc, serverNowMs, timeText } from "./time-zone.ts";
import { matchPath, path } from "./url-state.ts";

/** Page of the navigation. A page registers itself by its entry in the list that its shell is given. */
export interface PageEntry {
  /** Pattern of its path, e.g. `/agents/:id`. */
  readonly path: string;
  readonly title: string;
  /** False: not in the navigation. Default: it is. */
  readonly isInNavigation?: boolean;
  readonly View: ComponentType<{ readonly params: Readonly<Record<string, string>> }>;
}

const dayMs = 86_400_000;
const keysShown = signal(false);
/** Present time, once a second, for ages. */
const tick = signal(0);

type Theme = "auto" | "light" | "dark";
const theme = signal<Theme>("auto");
const nextTheme: Readonly<Record<Theme, Theme>> = { auto: "light", light: "dark", dark: "auto" };

/** Choices are the browser's, not the server's; without storage they last as long as the page. */
function remember(name: string, value: string): void {
  try {
    localStorage.setItem(`thormesh.${name}`, value);
  } catch {
    // Storage is switched off.
  }
}

function recall(name: string): string | null {
  try {
    return localStorage.getItem(`thormesh.${name}`);
  } catch {
    return null;
  }
}

function applyChoices(): () => void {
  const known = recall("theme");
  if (known === "light" || known === "dark") theme.value = known;
  inUtc.value = recall("utc") === "true";
  return effect(() => {
    if (theme.value === "auto") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = theme.value;
    remember("theme", theme.value);
    remember("utc", String(inUtc.value));
  });
}

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName));

function onKey(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") {
    keysShown.value = false;
    if (isTyping(event.target)) (event.target as HTMLElement).blur();
  } else if (isTyping(event.target)) return;
  else if (event.key === "/") {
    const filter = document.querySelector<HTMLInputElement>("[data-filter]");
    if (filter === null) return;
    event.preventDefault();
    filter.focus();
    filter.select();
  } else if (event.key === "?") keysShown.value = !keysShown.value;
}

function Banners({ server }: { readonly server: string }) {
  tick.value;
  const { state, asOfMs, problem } = connection.value;
  const skewMs = browserSkewMs();
  return (
    <div class="banners" role="status">
      {state === "away" ? (
        <p class="banner warn">
          ▲ No connection to the {server}: {problem}.{" "}
          {asOfMs === null ? "Nothing is known yet" : `What is shown is of ${timeText(asOfMs, "second")}`}; trying
          again.
        </p>
      ) : null}
      {asOfMs !== null && Math.abs(skewMs) > 60_000 ? (
        <p class="banner">
          {Math.abs(skewMs) > dayMs
            ? `Times here are by the ${server}'s clock: it is ${timeText(serverNowMs(), "full")} there.`
            : `This browser's clock is ${quantityText(formatDuration(Math.abs(skewMs)))} ${skewMs > 0 ? "ahead of" : "behind"} the ${server}'s; times here are the ${server}'s.`}
        </p>
      ) : null}
    </div>
  );
}

const Errors = () => (
  <div role="alert">
    {pageErrors.value.map(({ text, count }) => (
      <p class="banner bad" key={text}>
        ■ {text}
        {count > 1 ? ` (${count} times)` : ""}{" "}
        <button type="button" class="quiet" onClick={() => dismissError(text)}>
          dismiss
        </button>
      </p>
    ))}
  </div>
);

const keys = [
  ["/", "go to the filter"],
  ["Esc", "leave it"],
  ["Tab", "go on to the next link, button or table"],
  ["?", "show or hide these keys"],
] as const;

const Keys = () =>
  keysShown.value ? (
    <aside class="keys" aria-label="Keys">
      <h2>Keys</h2>
      <dl>
        {keys.map(([key, does]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
    </aside>
  ) : null;

const stateWords = { connecting: "○ connecting", live: "● live", away: "▲ away" } as const;

function Header({ brand, name, pages, tools }: Pick<ShellProps, "brand" | "name" | "pages" | "tools">) {
  tick.value;
  const { state, asOfMs } = connection.value;
  const isCurrent = (entry: PageEntry) =>
    entry.path === path.value || (entry.path !== "/" && path.value.startsWith(`${entry.path}/`));
  return (
    <header class="top">
      <a class="brand" href="/">
        {brand}
        {name === "" ? null : <span class="name">{name}</span>}
      </a>
      <nav aria-label="Pages">
        {pages
          .filter(({ isInNavigation }) => isInNavigation !== false)
          .map((entry) => (
            <a key={entry.path} href={entry.path} aria-current={isCurrent(entry) ? "page" : undefined}>
              {entry.title}
            </a>
          ))}
      </nav>
      <div class="tools">
        <span class={`connection ${state}`} title={`newest data: ${timeText(asOfMs, "full")}`}>
          {stateWords[state]} <time>{asOfMs === null ? "" : timeText(asOfMs, "second")}</time>
        </span>
        <button type="button" class="quiet" aria-pressed={inUtc.value} onClick={() => (inUtc.value = !inUtc.value)}>
          UTC
        </button>
        <button type="button" class="quiet" onClick={() => (theme.value = nextTheme[theme.value])}>
          theme: {theme.value}
        </button>
        <button
          type="button"
          class="quiet"
          aria-expanded={keysShown.value}
          onClick={() => (keysShown.value = !keysShown.value)}
        >
          keys
        </button>
        {tools}
      </div>
    </header>
  );
}

interface ShellProps {
  readonly brand: string;
  /** Name of the fleet or agent; empty: not known yet. */
  readonly name: string;
  readonly pages: readonly PageEntry[];
  /** Stands at the end of the header. */
  readonly tools?: ComponentChildren;
  /** Stands in place of the view, e.g. a login. */
  readonly instead?: ComponentChildren;
  /** Stands above everything, e.g. a dialog. */
  readonly over?: ComponentChildren;
  /** Word for what the page is served by. Default: controller. */
  readonly server?: string;
}

/** Frame of a page: navigation, banners, and the view that the address names. */
export function Shell({ brand, name, pages, server = "controller", tools, instead, over }: ShellProps) {
  useEffect(() => {
    const stopChoices = applyChoices();
    const timer = setInterval(() => {
      if (!document.hidden) tick.value += 1;
    }, 1_000);
    addEventListener("keydown", onKey);
    return () => {
      stopChoices();
      clearInterval(timer);
      removeEventListener("keydown", onKey);
    };
  }, []);
  const found = pages.flatMap((entry) => {
    const params = matchPath(entry.path, path.value);
    return params === null ? [] : [{ entry, params }];
  })[0];
  const title = found?.entry.title ?? "Not found";
  useEffect(() => {
    document.title = name === "" ? `${title} · ${brand}` : `${title} · ${name} · ${brand}`;
  }, [title, name, brand]);
  return (
    <>
      <a class="skip" href="#content">
        Skip to the content
      </a>
      <Header brand={brand} name={name} pages={instead === undefined ? pages : []} tools={tools} />
      <Banners server={server} />
      <Errors />
      <main id="content" tabIndex={-1}>
        {instead !== undefined ? (
          instead
        ) : found === undefined ? (
          <p class="empty">
            There is no page here. <a href="/">Go to the first page</a>
          </p>
        ) : (
          <found.entry.View params={found.params} />
        )}
      </main>
      <Keys />
      {over}
    </>
  );
}
