/** Stands in for the parts of a browser that the page's modules without pictures use: an address, a history, a document that can be hidden. */
export interface FakeBrowser {
  /** Paths and methods of the requests, in order. */
  readonly asked: string[];
  /** Addresses that the page was loaded from anew. */
  readonly loaded: string[];
  /** Answers the page's requests. */
  answer: (request: Request) => Response | Promise<Response>;
  setHidden(hidden: boolean): void;
  /** Goes back to an address, as the browser's button does. */
  goBack(href: string): void;
  /** Clicks on a link, or beside all links. Returns whether the browser is to follow it by itself. */
  click(href: string | null, more?: { readonly link?: object; readonly event?: object }): boolean;
  tell(event: string, more: object): void;
}

/** Puts the stand-ins into this file's globals, which are its own. */
export function fakeBrowser(origin: string): FakeBrowser {
  const [window, document] = [new EventTarget(), Object.assign(new EventTarget(), { hidden: false })];
  let address = new URL("/", origin);
  const self: FakeBrowser = {
    ...{ asked: [], loaded: [], answer: () => new Response("not here", { status: 404 }) },
    setHidden(hidden) {
      document.hidden = hidden;
      document.dispatchEvent(new Event("visibilitychange"));
    },
    goBack(href) {
      address = new URL(href, origin);
      window.dispatchEvent(new Event("popstate"));
    },
    click(href, more = {}) {
      const to = href === null ? null : new URL(href, address);
      const link = to && {
        ...{ origin: to.origin, pathname: to.pathname, search: to.search, hash: to.hash, target: "" },
        ...{ hasAttribute: () => false, ...more.link },
      };
      const event = new Event("click", { cancelable: true });
      const values = { button: 0, ...more.event, target: { closest: () => link } };
      for (const [name, value] of Object.entries(values)) Object.defineProperty(event, name, { value });
      return document.dispatchEvent(event);
    },
    tell: (event, more) => window.dispatchEvent(Object.assign(new Event(event), more)),
  };
  const go = (_state: unknown, _title: string, href: string) => {
    address = new URL(href, address);
  };
  const globals = {
    ...{ window, document, history: { pushState: go, replaceState: go }, scrollTo: () => undefined },
    addEventListener: window.addEventListener.bind(window),
    location: {
      get pathname() {
        return address.pathname;
      },
      get search() {
        return address.search;
      },
      origin: new URL(origin).origin,
      assign: (href: string) => self.loaded.push(href),
    },
    async fetch(path: string, init?: RequestInit) {
      const request = new Request(new URL(path, origin), init);
      self.asked.push(`${request.method} ${path}`);
      return await self.answer(request);
    },
  };
  for (const [name, value] of Object.entries(globals))
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  return self;
}
