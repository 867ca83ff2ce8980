import { styleText } from "node:util";

/** Meaning of a text, which a terminal shows by a colour. */
export type Tone = "title" | "faint" | "good" | "warning" | "bad";

const styles: Readonly<Record<Tone, Parameters<typeof styleText>[0]>> = {
  title: "bold",
  faint: "gray",
  good: "green",
  warning: "yellow",
  bad: ["red", "bold"],
};

/** Returns a text with the colour of its meaning. */
export type Paint = (text: string, tone: Tone) => string;

/** Colours for a terminal. */
export const paintColours: Paint = (text, tone) => styleText(styles[tone], text, { validateStream: false });

/** Colours where output goes to a terminal whose user wants them (no-color.org), plain text elsewhere. */
export function paintFor(
  output: { readonly isTTY?: boolean | undefined },
  environment: Readonly<Record<string, string | undefined>>,
): Paint {
  const wanted = output.isTTY === true && !environment["NO_COLOR"] && environment["TERM"] !== "dumb";
  return wanted ? paintColours : (text) => text;
}
