import { join } from "node:path";

/** Names of the certificates' files in the directory of an external broker. */
const certificateFiles = { authority: "ca.pem", certificate: "server.pem", key: "server.key" } as const;

/** Paths of these files. */
export function certificatePaths(directory: string): Readonly<Record<keyof typeof certificateFiles, string>> {
  const { authority, certificate, key } = certificateFiles;
  return {
    authority: join(directory, authority),
    certificate: join(directory, certificate),
    key: join(directory, key),
  };
}

/** Facts of a fleet that an external broker has to know. */
export interface ExternalBrokerParts {
  readonly fleet: string;
  /** Directory in which the broker finds the files, absolute. */
  readonly directory: string;
  readonly port: number;
  /** Devices that have joined, and those that were shut out. */
  readonly joined: readonly string[];
  readonly revoked: readonly string[];
}

export interface ExternalBrokerFiles {
  /** Texts by file name: what the broker reads beside the certificates. */
  readonly files: ReadonlyMap<string, string>;
  /** Steps that are left to a person. */
  readonly steps: readonly string[];
}
