// SPDX-License-Identifier: MIT
// sdk-types.test.mjs - what the helpers of sdk/ say of their types is true,
// as far as a tool can see it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { REPO } from '../lib/server.mjs';

const run = (command, ...args) => {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  assert.equal(status, 0, `${stdout}${stderr}`);
  return stdout;
};

test('Node: the sources are typed, and sdk/node/types is what tsc makes of them (npx tsc -p sdk/node)', () => {
  const made = fs.mkdtempSync(path.join(os.tmpdir(), 'httpsocket-types-'));
  try {
    run(
      process.execPath,
      path.join(REPO, 'node_modules/typescript/bin/tsc'),
      '-p',
      path.join(REPO, 'sdk/node'),
      '--outDir',
      made,
    );
    run('diff', '-r', path.join(REPO, 'sdk/node/types'), made);
  } finally {
    fs.rmSync(made, { recursive: true });
  }
});

const PYTHON = `
import inspect, sys, typing
sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True
import httpsocket, httpsocket.aio, httpsocket.request
bad = []
for thing in [httpsocket.aio.Page, httpsocket.request.Request, *vars(httpsocket).values()]:
    functions = [thing]
    if inspect.isclass(thing):
        ours = [c for c in thing.__mro__ if c.__module__.startswith("httpsocket")]
        functions = [f for c in ours for f in vars(c).values()]
    for f in functions:
        f = getattr(f, "fget", None) or getattr(f, "func", None) or getattr(f, "__func__", f)
        if not inspect.isfunction(f) or not f.__module__.startswith("httpsocket"):
            continue
        hints = typing.get_type_hints(f)
        typed = {*hints, "self", "cls"}
        missing = [p for p in inspect.signature(f).parameters if p not in typed]
        if missing or "return" not in hints:
            bad.append(f"{f.__qualname__}: {missing}")
print("\\n".join(bad))
`;

test('Python: every function is annotated, and the annotations mean something', () => {
  assert.equal(
    run('/usr/bin/env', 'python3', '-c', PYTHON, path.join(REPO, 'sdk/python')).trim(),
    '',
  );
  assert.ok(fs.existsSync(path.join(REPO, 'sdk/python/httpsocket/py.typed')));
});

test('PHP and sh: the files are whole', () => {
  run('php', '-l', path.join(REPO, 'sdk/php/httpsocket.php'));
  run('dash', '-n', path.join(REPO, 'sdk/sh/httpsocket.sh'));
});
