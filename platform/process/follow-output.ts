import { stripVTControlCharacters } from "node:util";

/** Maximum length of a line: a process that writes without an end of line must not fill this one's memory. */
const maxLineLength = 8_192;

/** Reports each line that a child process writes, without colours, also a last one without its end. Never rejects. */
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
      for (const line of lines) tell(line.slice(0, maxLineLength));
      if (rest.length > maxLineLength) {
        tell(rest.slice(0, maxLineLength));
        rest = "";
      }
    }
  } catch {
    // The rest of the output is lost with its process.
  }
  tell(rest);
}
