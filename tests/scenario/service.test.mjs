// SPDX-License-Identifier: MIT
// service.test.mjs - httpsocketd under a service manager: the sockets that it is passed, and what
// it tells of itself (sd_listen_fds(3), sd_notify(3)).
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { BUILD, makeRoot, resources, servingOf } from '../lib/server.mjs';
import { after, afterEach, test } from '../lib/test.mjs';
import { until } from '../lib/until.mjs';
import { visitor } from '../lib/visitor.mjs';

const files = makeRoot({ 'hello.txt': 'hello' });
const managers = new Set();

afterEach(() => managers.forEach((manager) => manager.child.kill('SIGKILL')));
after(() => files.remove());

/**
 * A service manager: binds two TCP sockets, named pages and admin, passes them from descriptor 3
 * on, and says on its stdout their ports and then what it is told by sd_notify.
 */
const MANAGER = `
import os, socket, sys
watchdog, *command = sys.argv[1:]
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.bind('')
address = '@' + notify.getsockname()[1:].decode()
passed = [socket.create_server(('127.0.0.1', 0)) for _ in range(2)]
print(*(s.getsockname()[1] for s in passed), flush=True)
pid = os.fork()
if pid == 0:
    copies = [os.dup(os.dup(s.fileno())) + 0 for s in passed]
    high = [os.dup2(c, 100 + i) for i, c in enumerate(copies)]
    for i, fd in enumerate(high):
        os.dup2(fd, 3 + i)
    os.closerange(5, 200)
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='2', LISTEN_FDNAMES='pages:admin',
                      NOTIFY_SOCKET=address, WATCHDOG_USEC=watchdog)
    os.execv(command[0], command)
print(pid, flush=True)
while True:
    print(notify.recv(4096).decode().replace('\\n', ' '), flush=True)
`;

class Manager {
  said = [];

  /** Starts httpsocketd with these options, over the folder `files`. */
  static async starts(args, { watchdog = 0 } = {}) {
    const manager = new Manager();
    managers.add(manager);
    const command = [path.join(BUILD, 'httpsocketd'), '--threads', '2', ...args, files.root];
    manager.child = spawn('/usr/bin/python3', ['-c', MANAGER, String(watchdog), ...command], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    readline
      .createInterface({ input: manager.child.stdout })
      .on('line', (line) => manager.said.push(line));
    await manager.hears(/^READY=1$/);
    [manager.pages, manager.admin] = manager.said[0].split(' ').map(Number);
    manager.pid = Number(manager.said[1]);
    return manager;
  }

  hears(pattern) {
    return until(() => this.said.some((line) => pattern.test(line)));
  }

  async asks(port, where) {
    return (await visitor.asks(`http://127.0.0.1:${port}/${where}`)).body;
  }

  async ends() {
    process.kill(this.pid);
    await this.hears(/^STOPPING=1$/);
    await until(() => !fs.existsSync(`/proc/${this.pid}/fd`) || !hasFiles(this.pid));
    this.child.kill('SIGKILL');
    await once(this.child, 'close');
  }
}

const hasFiles = (pid) => {
  try {
    return resources(pid).descriptors > 0;
  } catch {
    return false;
  }
};

for (const alone of [[], ['--no-supervisor']])
  test(`serves on the sockets that it is passed, says READY and STOPPING ${alone}`, async () => {
    const manager = await Manager.starts(alone);
    assert.equal(await manager.asks(manager.pages, 'hello.txt'), 'hello');
    assert.match(await manager.asks(manager.admin, 'healthz'), /^ok/);
    assert.ok(manager.said.includes(`listening on http://127.0.0.1:${manager.pages}`));
    assert.equal(manager.said.filter((line) => /^listening/.test(line)).length, 1);
    await manager.ends();
  });

test('an address of the settings that was passed is not bound again; others are', async () => {
  const manager = await Manager.starts(['--listen', '127.0.0.1:0']);
  assert.equal(manager.said.filter((line) => /^listening/.test(line)).length, 2);
  assert.equal(await manager.asks(manager.pages, 'hello.txt'), 'hello');
  await manager.ends();
});

test('passed sockets outlive a crash and a reload; the reload is told', async () => {
  const manager = await Manager.starts([]);
  process.kill(manager.pid, 'SIGHUP');
  await manager.hears(/^RELOADING=1 MONOTONIC_USEC=\d+$/);
  await until(() => manager.said.filter((line) => line === 'READY=1').length === 2);
  process.kill(servingOf(manager.pid), 'SIGKILL');
  assert.equal(await manager.asks(manager.pages, 'hello.txt'), 'hello');
  await manager.ends();
});

test('the watchdog hears that all threads live, until one does not', async () => {
  const manager = await Manager.starts([], { watchdog: 300_000 });
  const beats = () => manager.said.filter((line) => line === 'WATCHDOG=1').length;
  await until(() => beats() > 3);
  process.kill(servingOf(manager.pid), 'SIGSTOP');
  const before = beats();
  await until(() => /State:\s+T/.test(status(servingOf(manager.pid))));
  process.kill(servingOf(manager.pid), 'SIGCONT');
  await until(() => beats() > before);
  await manager.ends();
});

const status = (pid) => fs.readFileSync(`/proc/${pid}/status`, 'utf8');
