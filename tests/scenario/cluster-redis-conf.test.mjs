// SPDX-License-Identifier: MIT
// cluster-redis-conf.test.mjs - Redis as examples/cluster/redis.conf has it: its users may do what
// they are for, and nothing else.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { Cluster } from '../lib/cluster.mjs';
import { endDaemons } from '../lib/daemon.mjs';
import { WatchedPair } from '../lib/redis.mjs';
import { Resp } from '../lib/resp.mjs';
import { REPO, stopAll } from '../lib/server.mjs';
import { SessionClient } from '../lib/session-client.mjs';
import { Subscriber } from '../lib/subscriber.mjs';
import { after, before, test } from '../lib/test.mjs';

const conf = fs.readFileSync(path.join(REPO, 'examples/cluster/redis.conf'), 'utf8');
let pair;

before(async () => {
  pair = await WatchedPair.start({
    conf,
    password: 'PASSWORD-ADMIN',
    user: { name: 'sentinel', password: 'PASSWORD-SENTINEL' },
  });
});
after(async () => (SessionClient.dropAll(), await stopAll(), await endDaemons()));

test('the user of the servers can neither read other keys nor run other commands', async () => {
  const redis = new Resp((await pair.master()).port);
  await redis.call('AUTH', 'httpsocket', 'PASSWORD');
  for (const words of ['GET b-example:x', 'KEYS *', 'FLUSHALL', 'CONFIG GET *', 'EVAL 1 0'])
    await assert.rejects(redis.call(...words.split(' ')), /NOPERM/);
  await assert.rejects(redis.call('PUBLISH', 'b-example:c:x', '1'), /NOPERM/);
  redis.close();
  await (await pair.master()).asks('ACL', 'LOG', 'RESET');
});

test('the user may run what the scripts run', () => {
  const allowed = new Set(/^user httpsocket (.*)/m.exec(conf)[1].match(/(?<= \+)\S+/g));
  const folder = path.join(REPO, 'src/cluster/scripts');
  const scripts = fs.readdirSync(folder).map((name) => path.join(folder, name));
  const text = scripts.map((file) => fs.readFileSync(file, 'utf8')).join('');
  const run = [...text.matchAll(/call\('([A-Z]+)'/g)].map(([, word]) => word.toLowerCase());
  assert.ok(run.length > 50);
  assert.deepEqual(
    run.filter((word) => !allowed.has(word)),
    [],
  );
});

test('topics and presence work for that user, also at the master that Sentinel has chosen, and nothing is refused', async () => {
  const cluster = await Cluster.start({
    count: 2,
    broker: pair.url.replace('//', '//httpsocket:PASSWORD@'),
    name: 'a-example',
  });
  const [one, other] = await Promise.all(
    cluster.places.map(({ server }) => Subscriber.opens(server)),
  );
  await one.subscribes('x', { presence: { n: 1 } });
  await other.subscribes('x', { presence: { n: 2 }, history: 10 });
  const hear = async (data) => {
    one.publishes('x', 'e', data);
    for (const who of [one, other]) assert.deepEqual((await who.events(1))[0].data, data);
  };
  await hear(1);
  const { old, master } = await pair.losesMaster();
  await hear(2);
  await old.starts();
  await other.closes();
  await one.closes();
  await cluster.ends();
  assert.deepEqual(await master.asks('ACL', 'LOG'), []);
});
