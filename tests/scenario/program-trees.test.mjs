// SPDX-License-Identifier: MIT
// program-trees.test.mjs - a program ends with all that it has started, wherever that has gone: by
// a cgroup, where there are any, and by search.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { openPlain } from '../lib/plain-client.mjs';
import { alive, running } from '../lib/program.mjs';
import { program, PROGRAMS, resources, startServer, stopAll } from '../lib/server.mjs';
import { after, describe, test } from '../lib/test.mjs';
import { until } from '../lib/until.mjs';
import { visitor } from '../lib/visitor.mjs';

const QUICK = '--eof-grace 100ms --term-grace 100ms --drain-timeout 10s'.split(' ');
const FAMILY = 6; // the program, and five that it has started

after(stopAll);

/** What runs of the server's folder. */
const inRoot = (server) => running(`${server.root}/`);
const allEnd = (server) =>
  until(
    () => inRoot(server).length === 0,
    () => `the end of ${inRoot(server)}\n${server.log.slice(-9).join('\n')}`,
  );

for (const cgroups of ['auto', 'off'])
  describe(`--cgroups ${cgroups}`, () => {
    const start = (files, ...args) =>
      startServer({
        files,
        args: [...QUICK, '--cgroups', cgroups, '--stdio-files', '/*', ...args],
      });
    const family = async () => {
      const server = await start({ family: program('tree/family.py') });
      const client = await openPlain(server.at('family'));
      assert.equal((await client.next()).text, 'ready');
      await until(() => inRoot(server).length === FAMILY);
      return { server, client };
    };
    const hasCgroups = (server) => server.lines(/server\.programs.*ended_by=cgroup/).length > 0;

    test('a command whose child has a group of its own is gone when its client leaves', async () => {
      const server = await start({}, '--stdio', `sh -c 'timeout 331 sleep 330; true'`);
      const mine = () => running('sleep\x00330').filter((pid) => descends(pid, server.pid));
      const client = await openPlain(server.at('any'));
      await until(() => mine().length > 0);
      const [sleep] = mine();
      client.close();
      await until(() => !fs.existsSync(`/proc/${sleep}`));
      await server.hasChildren(0);
      await server.ends();
    });

    test('who has left group, session and parent is gone when the client leaves', async () => {
      const { server, client } = await family();
      client.terminate();
      await allEnd(server);
      await server.hasChildren(0);
      await server.ends();
    });

    test('and when the server drains', async () => {
      const { server } = await family();
      await server.ends();
      await allEnd(server);
    });

    test('and when the server is killed', async () => {
      const { server } = await family();
      await server.stop('SIGKILL');
      await allEnd(server);
    });

    test('and when the server is killed, whose keeper was killed before', async () => {
      const { server } = await family();
      for (let i = 1; i <= 3; i++) {
        process.kill(await keeperOf(server), 'SIGKILL');
        await until(() => server.lines(/server\.keeper_lost/).length === i);
        await until(() => server.lines(/server\.keeper_started/).length === i);
      }
      await keeperOf(server);
      await server.stop('SIGKILL');
      await allEnd(server);
    });

    test('and the keeper, when the server ends', async () => {
      const { server } = await family();
      process.kill(await keeperOf(server), 'SIGKILL');
      await server.logged(/server\.keeper_started/);
      const keeper = await keeperOf(server);
      await server.ends();
      await until(() => !alive(keeper));
    });

    test('and when the program exits by itself', async () => {
      const { server } = await family();
      process.kill(inRoot(server)[0], 'SIGKILL');
      await allEnd(server);
      await server.ends();
    });

    test('who has wiped its environment too is gone with the server at the latest', async () => {
      const { server, client } = await family();
      assert.equal(await client.asks('nameless'), 'forgotten');
      await until(() => running(`${server.root}/family\x00nameless`).length === 1);
      client.terminate();
      if (hasCgroups(server)) await allEnd(server);
      else await until(() => inRoot(server).length <= 1);
      await server.ends();
      await allEnd(server);
    });

    test('who forks for ever into new sessions is gone', async () => {
      const server = await start({ 'run.sh': program('#!/bin/sh\nexec "${0%/*}/storm" 3\n') });
      execFileSync('cc', [
        '-o',
        path.join(server.root, 'storm'),
        path.join(PROGRAMS, 'tree/storm.c'),
      ]);
      const client = await openPlain(server.at('run'));
      assert.equal((await client.next()).text, 'ready');
      client.terminate();
      await server.logged(/program\.signalled.*signal=KILL/);
      await server.hasChildren(0);
      assert.deepEqual(server.lines(/program\.remains/), []);
      await allEnd(server);
      assert.equal((await visitor.asks(server.at(''))).status, 404);
      await server.ends();
    });

    test('orphans that end by themselves leave no zombie, and the program its own status', async () => {
      const files = {
        quick: program(
          '#!/bin/sh\nfor i in 1 2 3 4 5 6 7 8; do (setsid sh -c "exec sleep 0.$i" >&- 2>&- &); done\n' +
            'echo started; read x; exit 7\n',
        ),
      };
      const server = await start(files);
      const client = await openPlain(server.at('quick'));
      assert.equal((await client.next()).text, 'started');
      await server.hasChildren(1);
      client.send('go');
      await client.isClosed(4500, 'program-failed status=7');
      await server.hasChildren(0);
      await server.ends();
    });
  });

const PID_1 = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'];
const canBePid1 = spawnSync(PID_1[0], [...PID_1.slice(1), 'true']).status === 0;

if (canBePid1)
  test('a server that is process 1 reaps what programs leave behind', async () => {
    const page =
      "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\n" +
      '(setsid sh -c "exit 0" &)\ngrep -h ^State: /proc/[0-9]*/status\n';
    const server = await startServer({ files: { page: program(page) }, args: QUICK, by: PID_1 });
    const zombies = async () => (await visitor.asks(server.at('page'))).body.match(/zombie/g);
    for (let i = 0; i < 5; i++) await zombies();
    await until(async () => (await zombies()) === null);
    await server.stop('SIGKILL');
  });

/** The process that ends programs when the server is killed: its child, or its parent's. */
const keeperOf = (server) =>
  until(() =>
    [server.child.pid, server.pid]
      .flatMap((pid) => resources(pid).children)
      .find((pid) => alive(pid) && comm(pid) === 'httpsocketd-end'),
  );
const comm = (pid) => fs.readFileSync(`/proc/${pid}/comm`, 'latin1').trim();

/** Does the process descend from that one? */
function descends(pid, from) {
  while (pid > 1 && pid !== from)
    pid = Number(/\) \S (\d+)/.exec(fs.readFileSync(`/proc/${pid}/stat`, 'utf8'))[1]);
  return pid === from;
}
