// A real authorization server on loopback (OAuth 2.1, OpenID Connect), for `oauth.mjs`: it registers
// clients, signs anybody in by any name, and gives out access tokens that are JWTs.
//
// Says `issuer URL` on standard error when it listens.
//
//     node issuer.mjs

import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(join(process.cwd(), "package.json"));
// It is an ES module, which `import` would look for beside this file.
const { default: Provider } = await import(pathToFileURL(require.resolve("oidc-provider")).href);

const listener = createServer();
await new Promise((listening) => listener.listen(0, "127.0.0.1", listening));
const issuer = `http://127.0.0.1:${listener.address().port}`;

const SCOPES = "openid mcp:use tools:write";

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "machine",
      client_secret: "correct-horse-battery-staple",
      grant_types: ["client_credentials"],
      redirect_uris: [],
      response_types: [],
    },
  ],
  clientBasedCORS: () => true,
  scopes: SCOPES.split(" "),
  features: {
    devInteractions: { enabled: true },
    registration: { enabled: true },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      // The address of the proxy's endpoint is the audience, as RFC 8707 has it.
      getResourceServerInfo: (_ctx, resource) => ({
        scope: SCOPES,
        audience: resource,
        accessTokenFormat: "jwt",
        accessTokenTTL: 300,
        jwt: { sign: { alg: "RS256" } },
      }),
      useGrantedResource: () => true,
    },
  },
});

listener.on("request", provider.callback());
console.error(`issuer ${issuer}`);
