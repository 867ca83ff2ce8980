import type { CertificateFacts, CertificateRule } from "./decide-certificate.ts";

/** Returns what is wrong with a server's certificate, and the remedy; null: nothing. @param remedy how it is replaced */
export function explainCertificate(rule: CertificateRule, facts: CertificateFacts, remedy: string): string | null {
  const time = (ms: number) => new Date(ms).toISOString();
  const clock = `this machine's clock says ${time(facts.nowMs)}`;
  switch (rule) {
    case "not-yet-valid":
      return `the certificate is not valid before ${time(facts.notBeforeMs)}, and ${clock}: set it (timedatectl set-ntp true), or ${remedy}`;
    case "ended":
      return `the certificate expired ${time(facts.notAfterMs)}, and ${clock}, so clients refuse it: ${remedy}`;
    case "ends-soon":
      return `the certificate expires ${time(facts.notAfterMs)}: ${remedy}`;
    default:
      return null;
  }
}
