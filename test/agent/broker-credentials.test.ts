import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createBrokerCredentials } from "#agent/broker-credentials.ts";
import { parseAgentConfig } from "#agent/check-config.ts";
import { writeSecretFile } from "#platform/files/write-secret-file.ts";
import { agentSecret, sharedKeyPath } from "#protocol/broker-secret.ts";
import { testKey } from "../fakes/broker-clients.ts";

let directory: string;
let notes: string[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "thormesh-credentials-"));
  notes = [];
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const keyText = `${Buffer.from(testKey).toString("base64url")}\n`;
const derived = { username: "a", password: agentSecret(testKey, "f", "a") };
const ask = (broker: object) =>
  createBrokerCredentials({
    broker: parseAgentConfig({ broker }, "test").broker,
    fleet: "f",
    agentId: "a",
    environment: { XDG_STATE_HOME: directory },
    counted: { note: (kind, details) => void notes.push(`${kind} ${JSON.stringify(details)}`) },
  });
const share = (port: number) => writeSecretFile(sharedKeyPath({ XDG_STATE_HOME: directory }, port), keyText);
const file = (name: string, text: string, mode = 0o600) => {
  const path = join(directory, name);
  writeFileSync(path, text, { mode });
  chmodSync(path, mode);
  return path;
};

describe("an agent's name and password at the broker", () => {
  test.each([
    ["mqtt://127.0.0.1:1883", 1883],
    ["mqtt://127.0.0.1", 1883],
    ["mqtt://localhost:2000", 2000],
    ["mqtt://[::1]:2000", 2000],
    ["mqtts://127.0.0.1", 8883],
  ])("beside a controller of this user (%s) follow from the key that it left", (url, port) => {
    const credentials = ask({ url });
    expect(credentials()).toEqual({});
    // The controller may come later, and with another key.
    share(port);
    expect(credentials()).toEqual(derived);
    rmSync(sharedKeyPath({ XDG_STATE_HOME: directory }, port));
    expect(credentials()).toEqual({});
    expect(notes).toEqual([]);
  });

  test.each(["mqtt://10.0.0.1:1883", "mqtt://broker.example:1883", "mqtt://127.0.0.1:1884"])(
    "elsewhere (%s) no key is looked for",
    (url) => {
      share(1883);
      expect(ask({ url })()).toEqual({});
    },
  );

  test("as configured come first", () => {
    share(1883);
    const passwordFile = file("password", "from a file\n");
    const keyFile = file("key", keyText);
    const elsewhere = "mqtt://10.0.0.1:1883";
    expect(ask({ password: "p", passwordFile, keyFile })()).toEqual({ username: "a", password: "p" });
    expect(ask({ password: "p", username: "shared" })()).toEqual({ username: "shared", password: "p" });
    expect(ask({ url: "mqtt://u:p@10.0.0.1:1883" })()).toEqual({ username: "u", password: "p" });
    expect(ask({ passwordFile, keyFile })()).toEqual({ username: "a", password: "from a file" });
    expect(ask({ url: elsewhere, keyFile })()).toEqual(derived);
    expect(ask({ url: elsewhere, username: "alone" })()).toEqual({ username: "alone" });
  });

  test("a file that is missing, of others, or holds something else is not used, and it is said; none of it is quoted", () => {
    share(1883);
    for (const broken of [
      { passwordFile: join(directory, "none") },
      { passwordFile: file("empty", "") },
      { passwordFile: file("open", "s3cr3t", 0o644) },
      { passwordFile: file("lines", "s3cr3t\ns3cr3t") },
      { keyFile: file("open-key", keyText, 0o640) },
      { keyFile: file("no-key", "s3cr3t") },
      { keyFile: directory },
    ]) {
      notes = [];
      expect(ask(broken)()).toEqual({});
      expect(notes).toHaveLength(1);
      expect(notes[0]).not.toContain("s3cr3t");
      expect(notes[0]).not.toContain(keyText.trim());
    }
  });

  test("a key that somebody else could read where the controller's would be is not used", () => {
    share(1883);
    const path = sharedKeyPath({ XDG_STATE_HOME: directory }, 1883);
    chmodSync(path, 0o644);
    expect(ask({})()).toEqual({});
    rmSync(path);
    symlinkSync(file("target", keyText, 0o666), path);
    expect(ask({})()).toEqual({});
    expect(notes).toHaveLength(2);
  });
});
