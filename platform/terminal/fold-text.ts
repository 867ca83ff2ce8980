import { wrapText } from "./wrap-text.ts";

/** Breaks a text into lines of at most `width` characters: at spaces, and within a word that is longer than a line, such as a path. */
export function foldText(text: string, width: number): string[] {
  return wrapText(text, width, "")
    .split("\n")
    .flatMap((line) => {
      const characters = [...line];
      const lines: string[] = [];
      for (let from = 0; from === 0 || from < characters.length; from += width)
        lines.push(characters.slice(from, from + width).join(""));
      return lines;
    });
}
