import { createServer, type Server } from "node:http";
import Provider from "oidc-provider";

/** A provider of its own port; its address is its issuer. */
export async function startProvider(): Promise<{
  issuer: string;
  server: Server;
  tokenFor(values: string[], audience?: string): Promise<string>;
}> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const issuer = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  let claims: string[] = [];
  let audience = "thormesh";
  const provider = new Provider(issuer, {
    clients: [
      {
        ...{ client_id: "ci", client_secret: "secret", grant_types: ["client_credentials"], redirect_uris: [] },
        ...{ response_types: [], token_endpoint_auth_method: "client_secret_post" },
      },
    ],
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => "https://api.example",
        getResourceServerInfo: () => ({ scope: "fleet", audience, accessTokenFormat: "jwt", accessTokenTTL: 600 }),
      },
    },
    ttl: { ClientCredentials: 600 },
    extraTokenClaims: () => ({ groups: claims }),
  });
  server.on("request", provider.callback());
  return {
    issuer,
    server,
    async tokenFor(values, forWhom = "thormesh") {
      claims = values;
      audience = forWhom;
      const answer = await fetch(`${issuer}/token`, {
        method: "POST",
        body: new URLSearchParams({ grant_type: "client_credentials", client_id: "ci", client_secret: "secret" }),
      });
      return ((await answer.json()) as { access_token: string }).access_token;
    },
  };
}
