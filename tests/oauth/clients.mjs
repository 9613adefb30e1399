// Runs oauth4webapi and openid-client against the program; scripts/test-oauth starts both.

import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";

import { end, failure, given, step } from "./steps.mjs";

// Node.js 18 does not define these globals, which the clients need.
globalThis.crypto ??= webcrypto;
globalThis.CryptoKey ??= webcrypto.CryptoKey;
const oauth = await import("oauth4webapi");
const openid = await import("openid-client");

const login = { username: given.username, password: given.password };
const FIRST_PARTY = "first-party";

async function playOauth4webapi() {
  const insecure = { [oauth.allowInsecureRequests]: true };
  const own = { client_id: FIRST_PARTY };
  const service = { client_id: "reports" };
  const named = (name, act) => step(`oauth4webapi ${name}`, act);

  const as = await named("finds the endpoints by their metadata", async () => {
    const issuer = new URL(given.base);
    const response = await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...insecure });
    return oauth.processDiscoveryResponse(issuer, response);
  });
  const grant = async (type, parameters) => {
    const response = await oauth.genericTokenEndpointRequest(as, own, oauth.None(), type, parameters, insecure);
    return oauth.processGenericTokenEndpointResponse(as, own, response);
  };
  const refresh = async (token) => {
    const response = await oauth.refreshTokenGrantRequest(as, own, oauth.None(), token, insecure);
    return oauth.processRefreshTokenResponse(as, own, response);
  };
  const introspect = async (token, secret) => {
    const auth = oauth.ClientSecretBasic(secret);
    const response = await oauth.introspectionRequest(as, service, auth, token, insecure);
    return oauth.processIntrospectionResponse(as, service, response);
  };
  const presented = (token) => new Request(given.base, { headers: { authorization: `Bearer ${token}` } });

  const first = await named("logs in by a password", () => grant("password", login));
  await named("sees that a password is wrong", async () => {
    const error = await failure(() => grant("password", { ...login, password: "another" }));
    // The API contract requires a challenge here, which this client checks first.
    assert.ok(error instanceof oauth.WWWAuthenticateChallengeError, error);
    assert.deepEqual([error.status, error.cause[0].scheme], [401, "bearer"]);
    assert.equal((await error.response.json()).error, "invalid_grant");
  });
  await named("sees that a grant is not supported", async () => {
    const error = await failure(() => grant("client_credentials", login));
    assert.ok(error instanceof oauth.ResponseBodyError, error);
    assert.deepEqual([error.status, error.error], [422, "unsupported_grant_type"]);
  });
  await named("verifies an access token by public key, issuer and audience (RFC 9068)", async () => {
    const claims = await oauth.validateJwtAccessToken(as, presented(first.access_token), given.base, insecure);
    assert.deepEqual([claims.iss, claims.aud, claims.client_id], [given.base, given.base, FIRST_PARTY]);
  });
  await named("refuses an access token for another audience", async () => {
    const other = "https://elsewhere.example.org";
    const error = await failure(() => oauth.validateJwtAccessToken(as, presented(first.access_token), other, insecure));
    assert.equal(error.code, oauth.JWT_CLAIM_COMPARISON);
  });
  const second = await named("refreshes", () => refresh(first.refresh_token));
  await named("sees invalid_grant for a refresh token that is none", async () => {
    const error = await failure(() => refresh("csr_made-up"));
    assert.ok(error instanceof oauth.ResponseBodyError, error);
    assert.deepEqual([error.status, error.error], [400, "invalid_grant"]);
  });
  await named("asks about a token with the service's secret", async () => {
    const about = await introspect(second.access_token, given.secret);
    assert.deepEqual([about.active, about.aud, about.client_id], [true, given.base, FIRST_PARTY]);
  });
  await named("sees that the service's secret is wrong", async () => {
    const error = await failure(() => introspect(second.access_token, "another"));
    assert.ok(error instanceof oauth.WWWAuthenticateChallengeError, error);
    assert.deepEqual([error.status, error.cause[0].scheme], [401, "basic"]);
    assert.equal((await error.response.json()).error, "invalid_client");
  });
  await named("revokes a token", async () => {
    const response = await oauth.revocationRequest(as, own, oauth.None(), second.refresh_token, insecure);
    await oauth.processRevocationResponse(response);
  });
  await named("is told that the token of an ended session is not active", async () => {
    assert.deepEqual(await introspect(second.access_token, given.secret), { active: false });
  });
  await named("sees that the token of an ended session is refused", async () => {
    const me = new URL("/api/users/me", given.base);
    const call = () => oauth.protectedResourceRequest(second.access_token, "GET", me, undefined, undefined, insecure);
    const error = await failure(call);
    assert.ok(error instanceof oauth.WWWAuthenticateChallengeError, error);
    assert.deepEqual([error.cause[0].scheme, error.cause[0].parameters.error], ["bearer", "invalid_token"]);
  });
}

async function playOpenidClient() {
  const named = (name, act) => step(`openid-client ${name}`, act);
  const discover = (id, auth) =>
    openid.discovery(new URL(given.base), id, undefined, auth, {
      algorithm: "oauth2",
      execute: [openid.allowInsecureRequests],
    });
  const own = await named("finds the endpoints by their metadata", () => discover(FIRST_PARTY, openid.None()));
  const service = await discover("reports", openid.ClientSecretBasic(given.secret));

  const first = await named("logs in by a password", () => openid.genericGrantRequest(own, "password", login));
  await named("sees that a password is wrong", async () => {
    const error = await failure(() => openid.genericGrantRequest(own, "password", { ...login, password: "another" }));
    assert.ok(error instanceof openid.WWWAuthenticateChallengeError, error);
    assert.equal((await error.response.json()).error, "invalid_grant");
  });
  const second = await named("refreshes", () => openid.refreshTokenGrant(own, first.refresh_token));
  await named("sees invalid_grant for a refresh token that is none", async () => {
    const error = await failure(() => openid.refreshTokenGrant(own, "csr_made-up"));
    assert.ok(error instanceof openid.ResponseBodyError, error);
    assert.deepEqual([error.status, error.error], [400, "invalid_grant"]);
  });
  await named("calls the API with the access token", async () => {
    const me = new URL("/api/users/me", given.base);
    const answer = await openid.fetchProtectedResource(own, second.access_token, me, "GET");
    assert.equal((await answer.json()).email, given.username);
  });
  await named("asks about a token with the service's secret", async () => {
    const about = await openid.tokenIntrospection(service, second.access_token);
    assert.deepEqual([about.active, about.username], [true, "ada"]);
  });
  await named("revokes a token, which is not active from then on", async () => {
    await openid.tokenRevocation(own, second.access_token);
    assert.deepEqual(await openid.tokenIntrospection(service, second.refresh_token), { active: false });
  });
}

await playOauth4webapi();
await playOpenidClient();
end();
