import { expect } from "bun:test";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { eventually } from "../e2e/program.ts";
import { patienceMs as longestMs } from "../patience.ts";

const root = join(import.meta.dir, "..", "..");
const axeSource = readFileSync(join(root, "node_modules", "axe-core", "axe.min.js"), "utf8");
/** Folder of screenshots, which git ignores. */
const screenshotFolder = join(root, "coverage", "screenshots");

/** Time until a wait ends in an error; a browser on a machine under load is slow. */
const patienceMs = Number(process.env["BROWSER_PATIENCE_MS"] ?? longestMs);

/** Starts Debian's chromium. Each test file starts one, and closes it. */
export async function startBrowser(): Promise<Browser> {
  const executablePath = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
  // The first start on a loaded machine takes long; the wait is for the browser's own word that it is up.
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"], timeout: longestMs });
}

export interface Look {
  readonly width?: number;
  readonly height?: number;
  readonly dark?: boolean;
}

/** A page that was opened, and all that went wrong on it. */
export interface Visit {
  readonly page: Page;
  /** Console errors, errors of scripts, and requests to other origins. */
  readonly problems: string[];
  /** Bytes of all answers as they came over the network. */
  transferredBytes(): Promise<number>;
  /** Waits until an element is visible. Fails with all that went wrong, and what is shown. */
  see(selector: string): Promise<void>;
  /** Waits until an expression is true on the page. */
  until(expression: string): Promise<void>;
  /** Fails if anything went wrong. */
  expectNoProblems(): void;
  screenshot(name: string): Promise<void>;
  close(): Promise<void>;
}

/** Widths and colours that each page is looked at in. */
export const looks: readonly Required<Omit<Look, "height">>[] = [
  { width: 1280, dark: false },
  { width: 1280, dark: true },
  { width: 360, dark: false },
  { width: 360, dark: true },
];

/** Opens an address in a context of its own, without cookies. */
export async function openPage(browser: Browser, url: string, look: Look = {}): Promise<Visit> {
  const { width = 1280, height = 800, dark = false } = look;
  const context = await browser.newContext({
    ...{ viewport: { width, height }, colorScheme: dark ? "dark" : "light", timezoneId: "Europe/Berlin" },
    // No browser knows the authority of a fleet that a test has made.
    ignoreHTTPSErrors: url.startsWith("https:"),
  });
  context.setDefaultTimeout(patienceMs);
  const page = await context.newPage();
  const { origin } = new URL(url);
  const problems: string[] = [];
  const sizes: Promise<number>[] = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) problems.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => problems.push(`script: ${error.message}`));
  page.on("request", (request) => {
    const asked = new URL(request.url());
    if (asked.protocol !== "data:" && asked.origin !== origin) problems.push(`another origin: ${request.url()}`);
  });
  page.on("requestfinished", (request) => {
    const size = request
      .sizes()
      .then(({ responseBodySize, responseHeadersSize }) => responseBodySize + responseHeadersSize);
    sizes.push(size.catch(() => 0));
  });
  await page.goto(url, { waitUntil: "domcontentloaded" });
  return {
    page,
    problems,
    async transferredBytes() {
      return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
    },
    async see(selector) {
      try {
        await page.waitForSelector(selector, { timeout: patienceMs });
      } catch (cause) {
        const shown = String(await page.evaluate("document.body.innerText"));
        throw new Error(`${selector} is not seen. ${JSON.stringify(problems)}\n${shown.slice(0, 2_000)}`, { cause });
      }
    },
    async until(expression) {
      // Not waitForFunction: the page's policy forbids to evaluate texts, which the developer tools may.
      await eventually(async () => page.evaluate(expression), Boolean, patienceMs);
    },
    expectNoProblems: () => expect(problems).toEqual([]),
    async screenshot(name) {
      mkdirSync(screenshotFolder, { recursive: true });
      await page.screenshot({ path: join(screenshotFolder, `${name}.png`) });
    },
    close: () => context.close(),
  };
}

interface AxeResults {
  readonly violations: readonly AxeFinding[];
  readonly incomplete: readonly AxeFinding[];
}
interface AxeFinding {
  readonly id: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
}

const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/**
 * Fails if the page as it is now breaks a rule of accessibility, or has text whose contrast can't be told.
 * @param within selector of the part that is looked at, e.g. one that lies above others
 */
export async function expectNoAxeFindings(page: Page, within = ":root"): Promise<void> {
  await page.evaluate(axeSource);
  const { violations, incomplete } = (await page.evaluate(
    `axe.run(document.querySelector(${JSON.stringify(within)}), { runOnly: ${JSON.stringify(rules)}, resultTypes: ["violations", "incomplete"] })`,
  )) as AxeResults;
  const shown = ({ id, nodes }: AxeFinding) => ({
    id,
    nodes: nodes.map(({ html, failureSummary }) => [html, failureSummary]),
  });
  expect(violations.map(shown)).toEqual([]);
  expect(incomplete.filter(({ id }) => id.startsWith("color-contrast")).map(shown)).toEqual([]);
}

/**
 * Opens an address in each width and colour, waits for `ready` (a selector), and fails on findings of accessibility, on whatever went wrong, and if
 * the page is wider than its window. Leaves a screenshot of each.
 */
export async function expectGoodInAllLooks(browser: Browser, url: string, ready: string, name: string): Promise<void> {
  for (const look of looks) {
    const visit = await openPage(browser, url, look);
    try {
      await visit.see(ready);
      await visit.screenshot(`${name}-${look.width}-${look.dark ? "dark" : "light"}`);
      await expectNoAxeFindings(visit.page);
      const overflow = await visit.page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth",
      );
      expect({ look, overflow }).toEqual({ look, overflow: 0 });
      visit.expectNoProblems();
    } finally {
      await visit.close();
    }
  }
}
