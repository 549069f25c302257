// SPDX-License-Identifier: MIT
// cluster-sessions.test.mjs - a session lives at one of several servers, and its client's
// connections come to any of them.
import assert from 'node:assert/strict';
import { Cluster } from '../lib/cluster.mjs';
import { endDaemons } from '../lib/daemon.mjs';
import { Redis } from '../lib/redis.mjs';
import { program, stopAll } from '../lib/server.mjs';
import { Page, SessionClient } from '../lib/session-client.mjs';
import { after, before, describe, test } from '../lib/test.mjs';

/** What the balancer in front of all servers is called. */
const SITE = 'http://site.example';
const HOST = { host: 'site.example' };
const TIMES = '--goodbye-timeout 500ms --attach-timeout 20s --detach-timeout 30s --eof-grace 5s';
const files = {
  'talk.py': program('talk.py'),
  'lines.sh': program('lines.sh'),
  'ledger.py': program('ledger.py'),
};

let redis;
before(async () => (redis = await Redis.start()));
after(async () => {
  SessionClient.dropAll();
  await stopAll();
  await endDaemons();
});

const start = ({ args = [], ...more } = {}) =>
  Cluster.start({
    count: 2,
    broker: redis.url,
    files,
    threads: 2,
    ...more,
    args: [...TIMES.split(' '), '--origin', SITE, ...args],
  });

const options = { origin: SITE, headers: HOST };

/** A page that `place` has made; it is not connected. */
async function loads(place, where) {
  const page = await Page.loads(place, where, options);
  return Object.assign(page, { headers: HOST });
}

/** Each knows of all. */
const meet = ({ servers }) =>
  Promise.all(
    servers.map((server) =>
      server.logged(new RegExp(`cluster\\.servers .*count=${servers.length} `)),
    ),
  );

/** Its next connection goes to this place. */
const turnsTo = (client, place) => (client.url = place.url + new URL(client.url).pathname);

describe('two servers', () => {
  let cluster, one, other;
  before(async () => {
    cluster = await start();
    [one, other] = cluster.places;
    await meet(cluster);
  });
  after(() => cluster.ends());

  test('a page that was made at one connects by way of the other', async () => {
    const page = await loads(one, 'talk');
    turnsTo(page, other);
    page.welcome = await page.connect();
    assert.equal(page.welcome.resumed, false);
    page.says('a 1');
    await page.hears('echo ["a",1]');
    await page.cuts();
    turnsTo(page, one);
    await page.comesBack();
    page.says('b 2');
    await page.hears('echo ["b",2]');
    turnsTo(page, other);
    await page.comesBack(); // and takes over from the connection that is still there
    page.says('c 3');
    await page.hears('echo ["c",3]');
    await page.closes();
  });
});
