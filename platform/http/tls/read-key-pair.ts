import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { closeSync, fstatSync, readFileSync } from "node:fs";
import { UsageError } from "#platform/errors.ts";
import { openRegularFile } from "#platform/files/read-regular-file.ts";
import { openFault, readSecretText } from "#platform/files/read-secret-file.ts";

/** Certificate of a listener with those between it and its authority, and its key, both in PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** Key pair from files, and the time in which its certificate is valid. */
export interface DatedKeyPair extends KeyPair {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export interface KeyPairFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

const maxBytes = 256 * 1024;
const certificateBlock = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

function readCertificateText(path: string, what: string): string {
  let descriptor: number;
  try {
    descriptor = openRegularFile(path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const fault = code === undefined ? "it is not a file" : openFault(cause);
    throw new UsageError(`${what}: ${path} can't be read: ${fault}`, { cause });
  }
  try {
    const { size, mode } = fstatSync(descriptor);
    if (size > maxBytes) throw new UsageError(`${what}: expected at most ${maxBytes} bytes in ${path}, got ${size}`);
    const text = readFileSync(descriptor, "latin1");
    if (text.includes("PRIVATE KEY-----") && (mode & 0o077) !== 0)
      throw new UsageError(
        `${what}: ${path} also contains a private key, and others can read it: chmod 600 it, or move the key to its own file`,
      );
    return text;
  } finally {
    closeSync(descriptor);
  }
}

function parseCertificates(text: string, path: string, what: string): X509Certificate[] {
  const blocks = text.match(certificateBlock) ?? [];
  if (blocks.length === 0) {
    const isDer = text.charCodeAt(0) === 0x30;
    const advice = isDer ? `: it is in DER; convert it: openssl x509 -inform der -in ${path} -out NEW.pem` : "";
    throw new UsageError(
      `${what}: expected a certificate in PEM (-----BEGIN CERTIFICATE-----), got none in ${path}${advice}`,
    );
  }
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch (cause) {
      throw new UsageError(`${what}: certificate ${index + 1} in ${path} is damaged: copy the file again`, { cause });
    }
  });
}

function parseKey(text: string, path: string, what: string): KeyObject {
  if (text.includes("BEGIN ENCRYPTED PRIVATE KEY") || text.includes("Proc-Type: 4,ENCRYPTED"))
    throw new UsageError(
      `${what}: the key in ${path} is protected by a passphrase: decrypt it into a file of mode 0600 (openssl pkey -in ${path} -out NEW.pem)`,
    );
  if (!text.includes("PRIVATE KEY-----"))
    throw new UsageError(`${what}: expected a private key in PEM (-----BEGIN PRIVATE KEY-----), got none in ${path}`);
  try {
    return createPrivateKey(text);
  } catch (cause) {
    throw new UsageError(`${what}: the key in ${path} is damaged: copy the file again`, { cause });
  }
}

/**
 * Reads a listener's certificate and key.
 * @param what the setting, such as "serving.tls"
 * @throws UsageError for files that can't be used, each fault with its remedy. A certificate that is not valid now is no such fault.
 */
export function readKeyPair({ certFile, keyFile }: KeyPairFiles, what: string): DatedKeyPair {
  const cert = readCertificateText(certFile, `${what}.certFile`);
  const [leaf, ...others] = parseCertificates(cert, certFile, `${what}.certFile`);
  const keyText = readSecretText(keyFile, `${what}.keyFile`);
  const key = parseKey(keyText, keyFile, `${what}.keyFile`);
  if (leaf === undefined || !leaf.checkPrivateKey(key)) {
    const isLater = others.some((other) => other.checkPrivateKey(key));
    throw new UsageError(
      isLater
        ? `${what}.certFile: the certificate of the key must come first in ${certFile}, before those of its authorities`
        : `${what}.keyFile: the key in ${keyFile} does not match the certificate in ${certFile}: set both to files that were made together`,
    );
  }
  return {
    ...{ cert: (cert.match(certificateBlock) ?? []).join("\n"), key: keyText },
    ...{ notBeforeMs: leaf.validFromDate.getTime(), notAfterMs: leaf.validToDate.getTime() },
  };
}
