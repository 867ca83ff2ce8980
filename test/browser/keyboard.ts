import type { Page } from "playwright-core";

/** Types into the field that has the focus. */
export const type = (page: Page, text: string) => page.keyboard.type(text);
/** Presses a key. */
export const press = (page: Page, key: string) => page.keyboard.press(key);

/** Continues by keyboard until the element with the focus meets a condition. */
async function tabUntil(page: Page, condition: string): Promise<void> {
  for (let each = 0; each < 150; each += 1) {
    if (await page.evaluate(`(() => { const at = document.activeElement; return at !== null && ${condition}; })()`))
      return;
    await press(page, "Tab");
  }
  throw new Error(`${condition} is not reached by keyboard: ${await page.textContent("body")}`);
}

/** Continues by keyboard until an element has the focus. */
export async function tabTo(page: Page, selector: string): Promise<void> {
  await page.waitForSelector(`${selector}:not([disabled])`);
  await tabUntil(page, `at.matches(${JSON.stringify(selector)})`);
}

/** Presses a button by keyboard, once it can be. */
export async function pressButton(page: Page, text: string): Promise<void> {
  await page.waitForSelector(`button:not([disabled]):text-is(${JSON.stringify(text)})`);
  await tabUntil(page, `at.tagName === "BUTTON" && at.textContent.trim() === ${JSON.stringify(text)}`);
  await press(page, "Enter");
}
