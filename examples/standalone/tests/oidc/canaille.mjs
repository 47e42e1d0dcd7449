// PyPI's `canaille`, a provider of another family: Python, Authlib, with its users in SQLite. Its access tokens are JWTs.
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { finally_, freePort, start } from './kit.mjs';

const SECRET = 'another secret of 32 letters, or more';
const PASSWORD = 'correct horse battery staple';

export async function begin(app) {
  const program = join(dirname(fileURLToPath(import.meta.url)), 'venv/bin/canaille');
  if (!existsSync(program)) throw new Error('there is no venv with requirements.txt');
  const folder = mkdtempSync(join(tmpdir(), 'gateway-canaille-'));
  finally_(() => rmSync(folder, { recursive: true, force: true }));
  const port = await freePort();
  const issuer = `http://127.0.0.1:${port}`;
  const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
  const jwk = Object.entries({ ...key, kid: 'k1' }).map(([name, value]) => `${name} = "${value}"`).join(', ');
  writeFileSync(join(folder, 'config.toml'), `
SECRET_KEY = "only for this run, with 32 letters and more"
SERVER_NAME = "127.0.0.1:${port}"
PREFERRED_URL_SCHEME = "http"
[OAUTH2_TOKEN_EXPIRES_IN]
authorization_code = 20
refresh_token = 20
[CANAILLE]
DATABASE = "sql"
[CANAILLE_SQL]
DATABASE_URI = "sqlite:///${join(folder, 'db.sqlite')}"
PASSWORD_SCHEMES = "pbkdf2_sha512"
[CANAILLE_OIDC]
ACTIVE_JWKS = [{ ${jwk} }]
`);
  const options = {
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: folder, CANAILLE_CONFIG: join(folder, 'config.toml') },
  };
  const canaille = (...args) => execFileSync(program, args, { ...options, stdio: 'pipe', timeout: 60_000 });
  canaille('install');
  canaille('create', 'user', '--user-name', 'alice', '--password', PASSWORD, '--family-name', 'Alice',
    '--given-name', 'Å', '--emails', 'alice@example.com');
  const client = (name, auth) => {
    canaille(
      'create', 'client', '--client-id', name, '--client-secret', SECRET, '--client-name', name,
      '--client-uri', app(name), '--contacts', 'alice@example.com',
      '--redirect-uris', `${app(name)}/callback`, '--post-logout-redirect-uris', `${app(name)}/bye`,
      '--grant-types', 'authorization_code', '--grant-types', 'refresh_token', '--response-types', 'code',
      '--scope', 'openid', '--scope', 'profile', '--scope', 'email', '--token-endpoint-auth-method', auth,
    );
    // Its tokens are for itself, as those of a client that registers by itself are.
    canaille('set', 'client', name, '--audience', name);
  };
  client('basic', 'client_secret_basic');
  client('post', 'client_secret_post');
  const { lines } = await start(
    program, ['run', '--bind', `127.0.0.1:${port}`, '--accesslog', '-'], options,
    () => fetch(`${issuer}/.well-known/openid-configuration`).then((answer) => answer.ok, () => false),
  );
  const config = (name, auth, more) => ({
    issuer, client_id: [name], client_secret: [SECRET], client_auth: [auth],
    redirect_uri: [`${app(name)}/callback`], scopes: ['openid', 'profile', 'email'],
    session_secret: `a secret of ${name}, with 32 letters`, session_cookie_name: `session-${name}`,
    upstream_headers_claims: ['sub', 'name'], upstream_headers_names: ['x-user', 'x-name'],
    logout_uri_suffix: '/logout', logout_redirect_uri: [`${app(name)}/bye`], ...more,
  });
  return {
    issuer,
    secrets: [SECRET],
    tells: [],
    // Its refresh tokens end with its access tokens: the gateway must come a little ahead, in their last fifth.
    over: 16200,
    tokens: () => lines.join('').split('POST /oauth/token').length - 1,
    routes: [
      { name: 'basic', config: config('basic', 'client_secret_basic', {}) },
      { name: 'post', config: config('post', 'client_secret_post', { search_user_info: true, session_storage: 'local' }) },
    ],
    async logIn(page) {
      await page.fill('input[name=login]', 'alice');
      await page.press('input[name=login]', 'Enter');
      await page.fill('input[name=password]', PASSWORD);
      await page.press('input[name=password]', 'Enter');
    },
    login: 'input[name=login]',
    end: '/oauth/end_session',
    // Whoever brings an ID token is not asked before a logout.
    leave: null,
  };
}
