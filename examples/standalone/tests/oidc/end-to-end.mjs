// Users log in, stay, come back with a new access token, and log out: `node end-to-end.mjs PROVIDER GATEWAY CHROMIUM`.
import assert from 'node:assert/strict';
import { browser, endAll, freePort, gateway, seen, until, upstream } from './kit.mjs';

const [providerName, gatewayProgram, chromiumProgram] = process.argv.slice(2);
const port = await freePort();
// To a browser this machine is as good as TLS.
const app = (name) => `http://localhost:${port}/${name}`;

async function journey(provider, name, newBrowser, log) {
  const { context, page } = await newBrowser();
  const home = app(name);
  const asked = `${home}/orders?page=2&q=%2F%2Fx`;

  // A program is told, a browser is sent.
  const program = await context.request.get(`${home}/api`, { maxRedirects: 0 });
  assert.equal(program.status(), 401);
  assert.match(program.headers()['www-authenticate'], /^Bearer/);
  await page.goto(asked);
  assert.ok(page.url().startsWith(provider.issuer), page.url());
  await provider.logIn(page);
  await page.waitForURL(asked);
  const loggedIn = Date.now();
  const first = await seen(page);
  assert.equal(first.headers['x-user'], 'alice');
  assert.equal(first.headers.cookie, undefined, 'the session is not for the upstream');
  assert.match(first.headers.authorization, /^Bearer /);

  // No script reads the session, and the upstream's own cookie is there beside it.
  assert.equal(await page.evaluate('document.cookie'), 'upstream=1');
  const session = (await context.cookies()).find((cookie) => cookie.name === `__Host-session-${name}`);
  assert.ok(session.httpOnly && session.secure && session.sameSite === 'Lax', JSON.stringify(session));

  // It stays, without the provider.
  const before = await provider.tokens();
  await page.goto(`${home}/second`);
  assert.equal((await seen(page)).headers['x-user'], 'alice');
  assert.equal((await seen(page)).headers.cookie, 'upstream=1');
  assert.equal(await provider.tokens(), before);

  // A script of the page itself is admitted, too.
  const fetched = await page.evaluate((home) => fetch(`${home}/api`, { headers: { accept: 'application/json' } }).then((it) => it.status), home);
  assert.equal(fetched, 200);

  // The access token is over: several requests at a time make one new one.
  await new Promise((go) => setTimeout(go, loggedIn + provider.over - Date.now()));
  const issued = await provider.tokens();
  const cookie = (await context.cookies(home)).map(({ name, value }) => `${name}=${value}`).join('; ');
  const all = await Promise.all([...Array(200).keys()].map((at) => fetch(`${home}/many/${at}`, { headers: { cookie } })));
  assert.deepEqual([...new Set(all.map((answer) => answer.status))], [200]);
  assert.equal(await provider.tokens(), issued + 1, 'one refresh for all');
  await page.goto(`${home}/third`);
  const renewed = await seen(page);
  assert.notEqual(renewed.headers.authorization, first.headers.authorization);

  // The access token by itself: a JWT, or one of which the provider says what it means.
  if (name === 'basic') {
    const status = async (authorization) => (await fetch(`${home}/api`, { headers: { authorization } })).status;
    assert.equal(await status(renewed.headers.authorization), 200);
    assert.equal(await status('Bearer nothing'), 401);
  }

  // Logged out here and there.
  const copy = await context.cookies();
  await page.click('#out');
  if (provider.leave) {
    assert.ok(page.url().startsWith(`${provider.issuer}${provider.end}`), page.url());
    await page.click(provider.leave);
  }
  await page.waitForURL((url) => url.href.startsWith(provider.issuer) || url.pathname.endsWith('/bye'));
  await page.goto(asked);
  assert.ok(page.url().startsWith(provider.issuer), 'it asks again');
  await page.waitForSelector(provider.login);

  // A copy of the session's cookie is worth nothing.
  const thief = await newBrowser();
  await thief.context.addCookies(copy.filter((cookie) => cookie.name.startsWith('__Host-')));
  await thief.page.goto(asked);
  assert.ok(thief.page.url().startsWith(provider.issuer), thief.page.url());
  log(`${name}: logged in, stayed, was refreshed, logged out`);
}

/** The user logs out at the provider alone, which tells the gateway. */
async function toldByTheProvider(provider, name, newBrowser, log) {
  const { page } = await newBrowser();
  await page.goto(`${app(name)}/`);
  await provider.logIn(page);
  await page.waitForURL(`${app(name)}/`);
  await page.goto(`${provider.issuer}${provider.end}`);
  await page.click(provider.leave);
  await until(async () => {
    const answer = await page.goto(`${app(name)}/`);
    return answer.url().startsWith(provider.issuer);
  }, 'the back-channel logout');
  log(`${name}: logged out by the provider`);
}

// Nothing of it stays if something hangs.
setTimeout(async () => { console.error('it takes too long'); await endAll(); process.exit(1); }, 200_000).unref();

try {
  const log = (text) => console.log(text);
  const { begin } = await import(`./${providerName}.mjs`);
  const provider = await begin(app);
  const { lines } = await gateway(gatewayProgram, port, await upstream(), provider.routes);
  process.on('exit', (code) => { if (code) console.error(lines.join('')); });
  const newBrowser = await browser(chromiumProgram);
  for (const { name } of provider.routes) await journey(provider, name, newBrowser, log);
  for (const name of provider.tells) await toldByTheProvider(provider, name, newBrowser, log);
  const said = lines.join('');
  for (const secret of [...provider.secrets, 'eyJ']) assert.ok(!said.includes(secret), `the log has ${secret}`);
  console.log('done');
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await endAll();
}
process.exit();
