// npm's `oidc-provider`, which the OpenID Foundation has certified. Its access tokens last for seconds here.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';
import { listen } from './kit.mjs';

const SECRET = 'a secret: with /+ signs & 32 letters';

export async function begin(app) {
  const server = createServer();
  const issuer = `http://127.0.0.1:${await listen(server)}`;
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const common = (home) => ({
    redirect_uris: [`${home}/callback`],
    post_logout_redirect_uris: [`${home}/bye`],
    backchannel_logout_uri: `${home}/backchannel`,
    backchannel_logout_session_required: true,
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
  });
  const provider = new Provider(issuer, {
    clients: [
      { ...common(app('basic')), client_id: 'basic', client_secret: SECRET },
      {
        ...common(app('post')), client_id: 'post', client_secret: SECRET,
        token_endpoint_auth_method: 'client_secret_post', id_token_signed_response_alg: 'ES256',
      },
      {
        ...common(app('key')), client_id: 'key', token_endpoint_auth_method: 'private_key_jwt',
        jwks: { keys: [{ ...pair.publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'RS256', use: 'sig' }] },
        require_pushed_authorization_requests: true, id_token_signed_response_alg: 'PS256',
      },
      { ...common(app('public')), client_id: 'public', token_endpoint_auth_method: 'none' },
    ],
    jwks: { keys: keys() },
    cookies: { keys: ['only for this run'] },
    features: {
      backchannelLogout: { enabled: true },
      introspection: { enabled: true },
      pushedAuthorizationRequests: { enabled: true },
      devInteractions: { enabled: true },
    },
    claims: { openid: ['sub', 'sid'], profile: ['name'], email: ['email'] },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, name: 'Alice Å', email: 'alice@example.com' }) }),
    ttl: { AccessToken: 3, IdToken: 60, Interaction: 600, Session: 600, Grant: 600, RefreshToken: 600 },
    issueRefreshToken: () => true,
    rotateRefreshToken: true,
    conformIdTokenClaims: false,
    pkce: { required: () => true },
  });
  server.on('request', provider.callback());
  let tokens = 0;
  server.on('request', (request) => { tokens += request.url === '/token' ? 1 : 0; });
  const config = (name, more) => ({
    issuer, client_id: [name], redirect_uri: [`${app(name)}/callback`],
    scopes: ['openid', 'profile', 'email'], session_secret: `a secret of ${name}, with 32 letters`,
    upstream_headers_claims: ['sub', 'name'], upstream_headers_names: ['x-user', 'x-name'],
    logout_uri_suffix: '/logout', logout_redirect_uri: [`${app(name)}/bye`],
    backchannel_logout_path: `/${name}/backchannel`,
    session_cookie_name: `session-${name}`, ...more,
  });
  const privateKey = pair.privateKey.export({ type: 'pkcs8', format: 'pem' });
  return {
    issuer, tokens: () => tokens, secrets: [SECRET, 'PRIVATE KEY'], tells: ['basic', 'post'], over: 3500,
    routes: [
      config('basic', { client_secret: [SECRET] }),
      config('post', { client_secret: [SECRET], client_auth: ['client_secret_post'], session_storage: 'local' }),
      config('key', {
        client_auth: ['private_key_jwt'], client_private_key: privateKey, client_key_id: 'k1',
        require_pushed_authorization_requests: true, search_user_info: true,
      }),
      config('public', {}),
    ].map((config) => ({ name: config.client_id[0], config })),
    /** The provider's own pages: who logs in, and that it may be so. */
    async logIn(page) {
      await page.fill('input[name=login]', 'alice');
      await page.fill('input[name=password]', 'any');
      await page.click('button[type=submit]');
      await page.click('button[type=submit]');
    },
    /** Its login page. */
    login: 'input[name=login]',
    end: '/session/end',
    /** What it asks before a logout. */
    leave: 'button[value=yes], button[name=logout]',
  };
}

function keys() {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
  return [{ ...rsa, use: 'sig', kid: 'rsa' }, { ...ec, use: 'sig', kid: 'ec' }];
}
