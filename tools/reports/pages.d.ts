import type { ReportSection, TraceReport } from "./report-sections.ts";

/**
 * Types of page/all-reports.ts for the rest of the program. It is written with the parts of the pages, whose types are those of a browser: they would replace
 * Bun's own everywhere. package.json names both under `#tools/reports/pages`.
 */

/** Writes a report as one file: for each trace a table, and demand, capacity and cost over time for each policy. */
export declare function backtestReport(
  fleetName: string,
  header: readonly string[],
  traces: readonly TraceReport[],
): Promise<string>;

/** Writes a report as one file: how well each model would have forecast recorded traffic. */
export declare function forecastReport(sections: readonly ReportSection[], version: string): Promise<string>;
