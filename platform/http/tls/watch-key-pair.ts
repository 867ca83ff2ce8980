import { statSync } from "node:fs";
import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { secondMs } from "#platform/time.ts";
import { decideCertificate } from "./decide-certificate.ts";
import { explainCertificate } from "./explain-certificate.ts";
import { type KeyPairFiles, readKeyPair } from "./read-key-pair.ts";
import type { ServerCertificate } from "./server-certificate.ts";

const lookEachMs = 5 * secondMs;

/** Identifies the present content of the files without reading them; changes with a link that is set anew, too. */
function fingerprint({ certFile, keyFile }: KeyPairFiles): string {
  return [certFile, keyFile]
    .map((path) => {
      const stat = statSync(path, { throwIfNoEntry: false });
      return stat === undefined ? "none" : `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeMs}:${stat.mode}`;
    })
    .join(" ");
}

/**
 * Reads a listener's certificate and key, and again when the files change or the process gets SIGHUP. New files that can't be used change
 * nothing: the certificate before them stays, and the log and `problem` say why.
 * @param parts.what the setting, such as "serving.tls"
 * @throws UsageError when the files can't be used at the start.
 */
export function watchKeyPair(
  files: KeyPairFiles,
  parts: { readonly what: string; readonly log: Logger; readonly nowMs?: () => number; readonly lookEachMs?: number },
): ServerCertificate {
  const { what, log, nowMs = Date.now } = parts;
  const listeners: (() => void)[] = [];
  let seen = fingerprint(files);
  let pair = readKeyPair(files, what);
  let fault: string | null = null;
  let told: string | null = null;
  const remedy = `replace the files of ${what} (certFile and keyFile); they are reloaded automatically`;
  const problem = () => {
    const facts = { ...pair, nowMs: nowMs() };
    const ofTime = explainCertificate(decideCertificate(facts), facts, remedy);
    const ofFiles = fault === null ? null : `the new files can't be used, so the previous ones stay in use: ${fault}`;
    return [ofFiles, ofTime === null ? null : `${what}: ${ofTime}`].filter((text) => text !== null).join("; ") || null;
  };
  const tell = () => {
    const now = problem();
    if (now !== null && now !== told) log.error({ problem: now }, "the certificate of a listener needs attention");
    told = now;
  };
  const look = () => {
    const now = fingerprint(files);
    // Files that could not be used are read again: they may have been half written.
    if (now !== seen || fault !== null) {
      try {
        const next = readKeyPair(files, what);
        const isOther = next.cert !== pair.cert || next.key !== pair.key;
        pair = next;
        fault = null;
        seen = now;
        if (isOther) {
          log.info(
            { what, until: new Date(pair.notAfterMs).toISOString() },
            "a listener's new certificate is in force",
          );
          for (const listener of listeners) listener();
        }
      } catch (error) {
        fault = describeError(error);
      }
    }
    tell();
  };
  tell();
  const looking = setInterval(look, parts.lookEachMs ?? lookEachMs).unref();
  process.on("SIGHUP", look);
  return {
    current: () => pair,
    onChange: (listener) => listeners.push(listener),
    problem,
    stop() {
      clearInterval(looking);
      process.off("SIGHUP", look);
    },
  };
}
