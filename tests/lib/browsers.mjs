// SPDX-License-Identifier: MIT
// browsers.mjs - Debian's Chromium and Firefox, headless, driven by puppeteer-core.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import puppeteer from 'puppeteer-core';

const find = (...candidates) => candidates.find((file) => fs.existsSync(file));

const kinds = {
  chromium: {
    browser: 'chrome',
    executablePath: find(
      '/usr/bin/chromium',
      '/usr/bin/chromium-browser',
      '/usr/bin/google-chrome',
    ),
    // Without these Chromium asks for hosts of its maker at every start.
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  },
  firefox: {
    browser: 'firefox',
    executablePath: find('/usr/bin/firefox-esr', '/usr/bin/firefox'),
    extraPrefsFirefox: {
      'network.captive-portal-service.enabled': false,
      'network.connectivity-service.enabled': false,
    },
  },
};

export const browserNames = Object.keys(kinds);

/**
 * How long a busy machine may take to start a browser, to load a page, or
 * for what a test waits for.
 */
const PATIENCE_MS = 120_000;

/** The options by which a browser takes these names for this machine, without a name server. */
const onLoopback = {
  chromium: ({ args }, hosts) => ({
    args: [
      ...args,
      `--host-resolver-rules=${hosts.map((host) => `MAP ${host} 127.0.0.1`).join(', ')}`,
    ],
  }),
  firefox: ({ extraPrefsFirefox }, hosts) => ({
    extraPrefsFirefox: { ...extraPrefsFirefox, 'network.dns.localDomains': hosts.join(',') },
  }),
};

/**
 * A browser with a profile of its own, for which `hosts` are names of this machine; `close()` it.
 * The size of its pages is given here and not by page.setViewport(), which puppeteer can't do with
 * the older ones of Debian's Firefox. `privileged` is for tests/lib/input-method.mjs.
 */
export async function launch(
  name,
  viewport = { width: 1000, height: 900 },
  { hosts = [], privileged = false } = {},
) {
  const kind = kinds[name];
  if (!kind.executablePath) throw new Error(`${name} is not installed`);
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), `httpsocket-${name}-`));
  const own = {
    headless: true,
    defaultViewport: viewport,
    userDataDir: profile,
    timeout: PATIENCE_MS,
    protocolTimeout: 300_000,
  };
  if (privileged && name === 'firefox') own.args = ['--remote-allow-system-access'];
  const browser = await puppeteer.launch({
    ...kind,
    ...(hosts.length && onLoopback[name](kind, hosts)),
    ...own,
  });
  const close = browser.close.bind(browser);
  browser.close = async () => {
    await close();
    fs.rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  const newPage = browser.newPage.bind(browser);
  browser.newPage = async () => {
    const page = await newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    return page;
  };
  return browser;
}

/**
 * Another connection to the browser; `disconnect()` it. Puppeteer may lose the frames of a page for
 * good whose prerendered document is loaded again just when it is shown ("detached Frame"): who
 * comes later finds them.
 */
export const connectAgain = (browser) =>
  puppeteer.connect({
    browserWSEndpoint: browser.wsEndpoint(),
    defaultViewport: null,
    protocolTimeout: 300_000,
  });

/** Saves a picture under the build folder, for people to look at; returns its path. */
export async function picture(page, build, name) {
  const folder = path.join(build, 'screenshots');
  fs.mkdirSync(folder, { recursive: true });
  const file = path.join(folder, `${name}.png`);
  await page.screenshot({ path: file });
  return file;
}
