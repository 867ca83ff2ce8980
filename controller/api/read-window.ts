import { ServiceError } from "#platform/errors.ts";
import { explainWindowFault } from "../cost/window/explain-window.ts";
import { parseQueryWindow, type TimeWindow } from "../cost/window/parse-window.ts";

/** Parses the window of a query. @throws ServiceError when the text is none, or its time is empty or in the future. */
export function readWindow(text: string, nowMs: number, timeZone: string): TimeWindow {
  const window = parseQueryWindow(text, nowMs, timeZone);
  if (!("expected" in window)) return window;
  throw new ServiceError("INVALID_REQUEST", explainWindowFault(window, text), { details: { param: "window" } });
}
