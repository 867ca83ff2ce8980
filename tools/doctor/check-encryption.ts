import { describeError } from "#platform/errors.ts";
import { isLoopback } from "#platform/http/guard/listen-address.ts";
import { decideCertificate } from "#platform/http/tls/decide-certificate.ts";
import { explainCertificate } from "#platform/http/tls/explain-certificate.ts";
import { readKeyPair } from "#platform/http/tls/read-key-pair.ts";
import type { TlsConfig } from "#platform/http/tls/tls-config.ts";
import { type CheckResult, failed, note, ok } from "./check.ts";

const name = "encryption";

/** Checks the certificate that an agent is to serve with, or that it needs none. @param joined true for a device that has joined a fleet */
export function checkEncryption(tls: TlsConfig, host: string, joined: boolean, nowMs: number): CheckResult {
  const { certFile, keyFile, fleet } = tls;
  if (fleet)
    return joined
      ? ok(name, "with the fleet's certificate of this device")
      : failed(name, "serving.tls.fleet: this device has not joined a fleet", "run thormesh agent join URL TOKEN");
  if (certFile === null || keyFile === null) {
    if (isLoopback(host)) return ok(name, "none; only this machine can connect");
    const advice = "set serving.tls (docs/security.md), or let only a proxy with TLS reach the agent";
    return note(name, `other machines reach ${host} without encryption: keys and texts can be read in transit`, advice);
  }
  try {
    const pair = readKeyPair({ certFile, keyFile }, "serving.tls");
    const facts = { ...pair, nowMs };
    const rule = decideCertificate(facts);
    const problem = explainCertificate(rule, facts, `replace ${certFile} and ${keyFile}`);
    if (problem === null) return ok(name, `${certFile} until ${new Date(pair.notAfterMs).toISOString()}`);
    const [what = "", remedy = ""] = problem.split(/: (?=set it|replace)/);
    return rule === "ends-soon" ? note(name, what, remedy) : failed(name, what, remedy);
  } catch (error) {
    const [what = "", ...remedy] = describeError(error).split(
      /: (?=chmod|set both|copy the file|unlock it|convert it)/,
    );
    return failed(name, what, remedy.join(": ") || "correct serving.tls.certFile and serving.tls.keyFile");
  }
}
