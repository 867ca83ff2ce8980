/**
 * Characters that are invisible or act on a terminal: control characters (C0, DEL, C1), line and paragraph separators, direction marks, zero-width
 * characters, tags and unpaired surrogates.
 */
export const unsafeCharacters =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this matches
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}\ud800-\udfff]/gu;

function escapeCharacter(character: string): string {
  let escaped = "";
  for (let index = 0; index < character.length; index += 1)
    escaped += `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`;
  return escaped;
}

/**
 * Makes untrusted text safe to show as one line of a terminal: escapes unsafe characters (`\u001b`) and cuts long texts.
 * @param maxCharacters null: no limit
 */
export function cleanText(text: string, maxCharacters: number | null = 2_000): string {
  const cut = maxCharacters !== null && text.length > maxCharacters;
  const kept = cut ? `${text.slice(0, Math.max(0, maxCharacters - 1))}…` : text;
  return kept.replace(unsafeCharacters, escapeCharacter);
}

/**
 * Makes text or JSON of several lines safe for a terminal. Keeps line breaks and tabs; JSON keeps its value, because unsafe characters are escaped as in JSON.
 */
export function cleanOutput(text: string): string {
  return text.replace(unsafeCharacters, (character) =>
    character === "\n" || character === "\t" ? character : escapeCharacter(character),
  );
}
