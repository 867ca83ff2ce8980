import type { ComponentChildren } from "preact";
import { renderToString } from "preact-render-to-string";
import { safeText } from "#platform/page/safe-text.ts";
import stylePath from "#platform/page/styles.css" with { type: "file" };

interface ReportProps {
  readonly title: string;
  /** Sentence below the title. */
  readonly lead: string;
  /** Program that made the report. */
  readonly origin: string;
  readonly children: ComponentChildren;
}

function ReportBody({ title, lead, origin, children }: ReportProps) {
  return (
    <>
      <header class="top">
        <span class="brand">thormesh</span>
      </header>
      <main>
        <h1>{safeText(title)}</h1>
        <p class="muted">{lead}</p>
        {children}
        <p class="muted">{origin}</p>
      </main>
    </>
  );
}

/** Writes a report as one file with the styles of the pages: nothing is fetched, nothing runs, dark where the reader's system is, and to be printed. */
export async function reportDocument(report: ReportProps): Promise<string> {
  // What the styles take from elsewhere is of charts that need a script.
  const style = await Bun.file(stylePath).text();
  const head = renderToString(
    <>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <title>{safeText(report.title)}</title>
    </>,
  );
  const body = renderToString(<ReportBody {...report} />);
  return `<!doctype html>\n<html lang="en">\n<head>${head}<style>${style}</style></head>\n<body>${body}</body>\n</html>\n`;
}
