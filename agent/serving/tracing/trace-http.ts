import { matchesRoute } from "#platform/http/allowed-methods.ts";
import type { HttpApp } from "#platform/http/create-http-app.ts";
import { requestPath } from "#platform/http/guard/request-target.ts";
import type { FetchHandler } from "#platform/http/serve-http.ts";
import { withTrace } from "#platform/request-trace.ts";
import type { Tracing } from "./tracing.ts";

/**
 * Returns an app whose POST requests are traced (probes and scrapers only use GET), each as a server span with the attributes of OpenTelemetry's
 * HTTP conventions. The response's `traceresponse` header names the span.
 */
export function traceHttp(app: HttpApp, tracing: Tracing): FetchHandler {
  const routes = app.routes.filter(({ method }) => method === "POST").map(({ path }) => path);
  return {
    guardRequest: app.guardRequest,
    answerHeaders: app.answerHeaders,
    async fetch(request) {
      const { method, headers } = request;
      if (method !== "POST") return app.fetch(request);
      const path = requestPath(request);
      const route = routes.find((pattern) => matchesRoute(pattern, path));
      const agent = headers.get("user-agent");
      const trace = tracing.begin({
        name: route === undefined ? method : `${method} ${route}`,
        attributes: {
          "http.request.method": method,
          "url.path": path,
          "url.scheme": "http",
          ...(route === undefined ? {} : { "http.route": route }),
          ...(agent === null ? {} : { "user_agent.original": agent }),
        },
        header: (name) => headers.get(name) ?? undefined,
      });
      try {
        const response = await withTrace(trace, () => app.fetch(request));
        const { status } = response;
        response.headers.set("traceresponse", trace.traceparent);
        trace.end({ failed: status >= 500, attributes: { "http.response.status_code": status } });
        return response;
      } catch (error) {
        trace.end({ failed: true, attributes: { "error.type": "unexpected" } });
        throw error;
      }
    },
  };
}
