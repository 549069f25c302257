// SPDX-License-Identifier: MIT
// calls.mjs - the system calls of a process, as strace(1) counts them. Its children are not looked
// at.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';

/** Why calls can't be counted here; undefined: they can. */
export const whyNoCalls = () => {
  const done = spawnSync('strace', ['-o', '/dev/null', 'true'], { encoding: 'utf8' });
  if (done.error) return 'strace is not installed';
  return done.status === 0 ? undefined : `strace can't trace: ${done.stderr.trim()}`;
};

const attach = async (tasks, output) => {
  const strace = spawn('strace', ['-c', '-o', output, ...tasks.flatMap((task) => ['-p', task])], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let attached = 0;
  for await (const line of readline.createInterface({ input: strace.stderr })) {
    attached += /attached/.test(line);
    if (attached === tasks.length) return strace;
  }
  throw new Error('strace does not attach');
};

/** Resolves with {call: how often} of all threads of the process while `work` is done. */
export async function countCalls(pid, work) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'httpsocket-calls-'));
  const output = path.join(folder, 'calls');
  const strace = await attach(fs.readdirSync(`/proc/${pid}/task`), output);
  try {
    await work();
  } finally {
    strace.kill('SIGINT');
    await once(strace, 'exit');
  }
  const rows = fs.readFileSync(output, 'utf8').split('\n').slice(2);
  fs.rmSync(folder, { recursive: true });
  const words = rows.map((row) => row.trim().split(/\s+/));
  const calls = words.filter((row) => /^\d/.test(row[0]) && row.at(-1) !== 'total');
  return Object.fromEntries(calls.map((row) => [row.at(-1), Number(row[3])]));
}
