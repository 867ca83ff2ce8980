import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { maskSecrets } from "#platform/fetch/redact-url.ts";
import { isSealed } from "#platform/files/sealed-secret.ts";
import { stateEncryption } from "#platform/files/state-secret.ts";
import { needsRole } from "#platform/http/guard/roles.ts";
import { orNull } from "#platform/schema-parts.ts";
import { about } from "../api/schemas.ts";
import { brokerKeyPath } from "../broker/broker-key.ts";
import type { ControllerConfig } from "../config.ts";
import { authorityFiles } from "../identity/fleet-authority.ts";

/** State of the secrets in a controller's state directory. */
function secretsIn(stateDir: string) {
  return [join(stateDir, authorityFiles.key), brokerKeyPath(stateDir)]
    .filter((path) => existsSync(path))
    .map((path) => ({ file: path.slice(stateDir.length + 1), encrypted: isSealed(readFileSync(path, "utf8")) }));
}

/** Route by which an admin sees what the controller was told, without its secrets. */
export function configRoutes(config: ControllerConfig, stateDir: string) {
  return new Elysia().get(
    "/api/v1/config",
    () => ({
      config: maskSecrets(config) as Record<string, unknown>,
      state: { keyId: stateEncryption().keyId, secrets: secretsIn(stateDir) },
    }),
    {
      response: {
        200: Type.Object({
          config: Type.Record(Type.String(), Type.Unknown(), { description: "with its secrets masked" }),
          state: Type.Object({
            keyId: orNull(Type.String(), "id of the key that encrypts secrets; null: they are not encrypted"),
            secrets: Type.Array(Type.Object({ file: Type.String(), encrypted: Type.Boolean() }), {
              description: "keys in the state directory",
            }),
          }),
        }),
      },
      detail: {
        ...about("access", "Configuration of this controller", "With all defaults, without secrets."),
        ...needsRole("admin"),
      },
    },
  );
}
