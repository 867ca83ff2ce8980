/**
 * Characters that are none to look at and may do something to whoever looks: control characters (C0, DEL, C1), line and paragraph separators, those that turn
 * the direction of writing or have no width, tags, and halves of surrogate pairs.
 */
export const unsafeCharacters =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}\ud800-\udfff]/gu;

function escapeCharacter(character: string): string {
  let escaped = "";
  for (let index = 0; index < character.length; index += 1)
    escaped += `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`;
  return escaped;
}

/**
 * A text of somebody else's as one line for a terminal: what could steer it is shown as `\u001b`, and what is too long is cut.
 * @param maxCharacters of the text; null: as long as it is
 */
export function cleanText(text: string, maxCharacters: number | null = 2_000): string {
  const cut = maxCharacters !== null && text.length > maxCharacters;
  const kept = cut ? `${text.slice(0, Math.max(0, maxCharacters - 1))}…` : text;
  return kept.replace(unsafeCharacters, escapeCharacter);
}

/**
 * Output of several lines, text or JSON, without anything that could steer a terminal: ends of lines and tabs stay, and as the rest is written as JSON
 * escapes it, JSON stays the same value.
 */
export function cleanOutput(text: string): string {
  return text.replace(unsafeCharacters, (character) =>
    character === "\n" || character === "\t" ? character : escapeCharacter(character),
  );
}
