import { cleanText } from "#platform/clean-text.ts";

/** Max characters of a text of others that the page shows in one place. */
const maxShownCharacters = 300;

/** Makes a text of agents or users safe to show: invisible and direction-changing characters are escaped, and long texts cut. */
export const safeText = (text: string, maxCharacters = maxShownCharacters): string => cleanText(text, maxCharacters);

/** Returns an address that a link may have, or null: of http or https, or a path of this server. */
export function safeHref(address: string | null | undefined): string | null {
  if (address === null || address === undefined) return null;
  if (/^\/(?![/\\])/.test(address)) return address;
  try {
    const { protocol, href } = new URL(address);
    return protocol === "http:" || protocol === "https:" ? href : null;
  } catch {
    return null;
  }
}
