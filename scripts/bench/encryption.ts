/** See scripts/bench/encryption. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../../test/e2e/program.ts";
import { makeCertificates } from "../../test/fakes/certificates.ts";
import { type AskedAgent, type Measured, readRoundOptions, startAskedAgent, textKinds } from "./asked-agent.ts";
import { median } from "./median.ts";
import { printRows } from "./print-rows.ts";

const { binary, rounds, json } = readRoundOptions(9);
const runMs = 2_000;
const key = "a-key-of-the-benchmark";

type Kind = "plain" | "encrypted";
const directory = temporaryDirectory();
const agents: { readonly kind: Kind; readonly agent: AskedAgent }[] = [];
try {
  const { authority, issue } = await makeCertificates();
  const pair = await issue("bench");
  const [ca, certFile, keyFile] = ["ca.pem", "cert.pem", "key.pem"].map((name) => join(directory.path, name)) as [
    string,
    string,
    string,
  ];
  await Bun.write(ca, authority);
  await Bun.write(certFile, pair.cert);
  writeFileSync(keyFile, pair.key, { mode: 0o600 });
  agents.push({ kind: "plain", agent: await startAskedAgent(binary) });
  agents.push({
    kind: "encrypted",
    agent: await startAskedAgent(
      binary,
      {},
      {
        serving: { apiKeys: [key], tls: { certFile, keyFile } },
        clients: { ASKED_KEY: key, NODE_EXTRA_CA_CERTS: ca },
      },
    ),
  });
  const rows = [];
  for (const text of textKinds) {
    const results: Record<Kind, Measured[]> = { plain: [], encrypted: [] };
    for (let round = -1; round < rounds; round += 1) {
      // The order alternates, because the second finds the machine as the first left it.
      for (const { kind, agent } of round % 2 === 0 ? agents : agents.toReversed()) {
        const result = await agent.measure("http base64", text, runMs);
        if (round >= 0) results[kind].push(result); // the first one warms up
      }
    }
    const of = (kind: Kind, field: keyof Measured) => median(results[kind].map((each) => each[field]));
    const ratio = (field: keyof Measured) => Number((of("encrypted", field) / of("plain", field)).toFixed(3));
    rows.push({
      text,
      callsPerSPlain: of("plain", "callsPerS"),
      callsPerSEncrypted: of("encrypted", "callsPerS"),
      callsRatio: ratio("callsPerS"),
      cpuUsPerCallPlain: of("plain", "agentCpuUsPerCall"),
      cpuUsPerCallEncrypted: of("encrypted", "agentCpuUsPerCall"),
      p95Ratio: ratio("p95Ms"),
    });
  }
  printRows(rows, json);
} finally {
  await Promise.all(agents.map(({ agent }) => agent.stop()));
  directory.remove();
}
