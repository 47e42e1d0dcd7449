// What a run is made of: an upstream that shows what it gets, the gateway, a browser, and how all of it ends.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const ends = [];

/** Has `end` run when all is over, whatever came of it. */
export function finally_(end) {
  ends.push(end);
}

export async function endAll() {
  for (const end of ends.reverse()) await Promise.resolve(end()).catch(() => {});
}

/** A server on a free port of this machine. */
export async function listen(server) {
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  finally_(() => server.close());
  return server.address().port;
}

/** A port that is free now. */
export async function freePort() {
  const server = createServer();
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/** Shows the header fields that it gets, as JSON within a page. */
export async function upstream() {
  return listen(createServer((request, response) => {
    const told = JSON.stringify({ url: request.url, headers: request.headers });
    response.setHeader('content-type', 'text/html');
    response.setHeader('set-cookie', 'upstream=1; Path=/');
    response.end(`<title>upstream</title><pre id="seen">${told.replace(/</g, '&lt;')}</pre>
      <form method="post" action="/${request.url.split('/')[1]}/logout"><button id="out">log out</button></form>`);
  }));
}

/** Starts a program, and waits until `ready` says so. */
export async function start(program, args, options, ready) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  const lines = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => lines.push(String(data)));
  finally_(() => child.kill());
  child.on('error', (error) => lines.push(String(error)));
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`${program} ended: ${lines.join('')}`);
    return ready(lines.join(''));
  }, `${program} to be ready`, () => lines.join(''));
  return { child, lines };
}

/** Waits, half a minute at most. */
export async function until(check, what, told = () => '') {
  const end = Date.now() + 30_000;
  while (Date.now() < end) {
    const found = await check();
    if (found) return found;
    await new Promise((go) => setTimeout(go, 50));
  }
  throw new Error(`waited for ${what} in vain ${told()}`);
}

/** The gateway with these plugins' configurations, each below a path of its own. */
export async function gateway(program, port, upstreamPort, routes) {
  const folder = mkdtempSync(join(tmpdir(), 'gateway-oidc-'));
  finally_(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'kong.json');
  writeFileSync(file, JSON.stringify({
    _format_version: '3.0',
    services: routes.map(({ name, config }) => ({
      name,
      url: `http://127.0.0.1:${upstreamPort}`,
      routes: [{ name, paths: [`/${name}/`], strip_path: false, preserve_host: true }],
      plugins: [{ name: 'openid-connect', config }],
    })),
  }));
  return start(program, ['--listen', `127.0.0.1:${port}`, '--admin', '127.0.0.1:0', file], {},
    (lines) => lines.includes('"message":"ready"'));
}

/** A browser without a past. */
export async function browser(program) {
  const browser = await chromium.launch({
    executablePath: program, args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
  });
  finally_(() => browser.close());
  return async () => {
    const context = await browser.newContext();
    context.setDefaultTimeout(20_000);
    return { context, page: await context.newPage() };
  };
}

/** What the upstream got with the page that is shown. */
export async function seen(page) {
  return JSON.parse(await page.locator('#seen').textContent());
}
