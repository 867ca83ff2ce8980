/** Stands for an agent of a version: answers what an update looks at. Usage: bun tiny-agent.ts VERSION PORT good|dead|silent|unready|no-vectors|no-broker */
const [version = "", port = "", manner = "good"] = process.argv.slice(2);
if (manner === "dead") process.exit(1);
const routes: Readonly<Record<string, () => Response>> = {
  "/health": () =>
    Response.json({ version, checks: { broker: manner === "no-broker" ? "unused" : "healthy" }, pid: process.pid }),
  "/readyz": () => new Response("", { status: manner === "unready" ? 503 : 200 }),
  "/v1/embeddings": () => new Response("{}", { status: manner === "no-vectors" ? 500 : 200 }),
};
if (manner === "silent") setInterval(() => {}, 60_000);
else
  Bun.serve({
    ...{ port: Number(port), hostname: "127.0.0.1", reusePort: true },
    fetch: (request) => routes[new URL(request.url).pathname]?.() ?? new Response("", { status: 404 }),
  });
