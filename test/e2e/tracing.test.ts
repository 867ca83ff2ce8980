import { expect, test } from "bun:test";
import { startOtlpCollector } from "../fakes/otlp-collector.ts";
import { startProgram, temporaryDirectory } from "./program.ts";

test("the program sends traces where OpenTelemetry's variables say, the last ones when it stops", async () => {
  const directory = temporaryDirectory();
  const collector = startOtlpCollector();
  const agent = startProgram(
    ["agent", "--listen", "127.0.0.1:0", "--state-dir", directory.path, "--id", "thor-7"],
    directory.path,
    { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_SERVICE_NAME: "edge" },
  );
  try {
    const { url } = JSON.parse(await agent.untilLogged("agent started")) as { url: string };
    const body = JSON.stringify({ inputs: ["to be traced"] });
    expect(
      (await fetch(`${url}/api/v1/embed`, { method: "POST", headers: { "content-type": "application/json" }, body }))
        .status,
    ).toBe(200);
    expect(await agent.stop()).toBe(0);
    expect(collector.spans.map(({ name }) => name).sort()).toEqual(
      ["POST /api/v1/embed", "admission", "infer", "queue", "respond", "tokenise"].sort(),
    );
    expect(collector.spans[0]?.resource).toMatchObject({ "service.name": "edge", "service.instance.id": "thor-7" });
  } finally {
    await agent.stop("SIGKILL");
    await collector.stop();
    directory.remove();
  }
});
