import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import type { GrpcServer } from "#agent/serving/grpc/grpc-server.ts";
import { makeCertificates } from "../../../fakes/certificates.ts";
import { changeableCertificate } from "../../../fakes/server-certificate.ts";
import { type GrpcClient, startGrpcClient } from "./start-client.ts";
import { key, startGrpc } from "./start-grpc.ts";

const { authority, issue } = await makeCertificates();
const tls = changeableCertificate(await issue("first"));
const directory = mkdtempSync(join(tmpdir(), "thormesh-grpc-tls-"));
const authorityFile = join(directory, "ca.pem");
writeFileSync(authorityFile, authority);
let server: GrpcServer;
let client: GrpcClient;
beforeAll(async () => {
  server = await startGrpc({ tls, limits: { maxUnproven: 2 } });
  client = startGrpcClient(server.address, undefined, authorityFile);
});
afterAll(async () => {
  await client.stop();
  await server.stop(0);
  rmSync(directory, { recursive: true, force: true });
});

const metadata = { authorization: `Bearer ${key}` };

/** Name in the certificate that a new connection is shown. */
function shown(): Promise<unknown> {
  const [, port] = server.address.split(":");
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port: Number(port), ca: authority, ALPNProtocols: ["h2"] }, () => {
      resolve(socket.getPeerCertificate().subject.CN);
      socket.destroy();
    });
    socket.on("error", reject);
  });
}

test("a client that trusts the authority is answered, with a key and not without one", async () => {
  const answer = await client.answer("Embed", { inputs: ["one"] }, { metadata });
  expect(answer["embeddings"]).toHaveLength(1);
  expect((await client.failure("Embed", { inputs: ["one"] })).code).toBe(16);
});

test("a new certificate is in force for new connections, while the old ones go on", async () => {
  expect(await shown()).toBe("first");
  tls.replace(await issue("second"));
  expect(await shown()).toBe("second");
  expect((await client.answer("Embed", { inputs: ["two"] }, { metadata }))["embeddings"]).toHaveLength(1);
});

test("a client without encryption gets nothing", async () => {
  const plain = startGrpcClient(server.address);
  expect((await plain.failure("Embed", { inputs: ["one"] }, { metadata, deadlineMs: 2_000 })).code).toBeOneOf([4, 14]);
  await plain.stop();
});
