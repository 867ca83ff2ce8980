import { stripVTControlCharacters } from "node:util";

/** A process that writes without an end of line must not fill this one's memory. */
const longestLine = 8_192;

/** Tells each line of what a child process writes, without colours; a last one without its end, too. Never rejects. */
export async function followOutput(output: ReadableStream<Uint8Array>, onLine: (line: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  const tell = (text: string) => {
    const line = stripVTControlCharacters(text).trim();
    if (line !== "") onLine(line);
  };
  try {
    for await (const piece of output) {
      const lines = (rest + decoder.decode(piece, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) tell(line.slice(0, longestLine));
      if (rest.length > longestLine) {
        tell(rest.slice(0, longestLine));
        rest = "";
      }
    }
  } catch {
    // What a process wrote that ended meanwhile is lost with it.
  }
  tell(rest);
}
