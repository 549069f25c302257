// SPDX-License-Identifier: MIT
// cluster-examples.test.mjs - the files of examples/cluster say what the server understands, and
// what docs/cluster.md says of them.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { ownFolder } from '../lib/daemon.mjs';
import { BUILD, REPO } from '../lib/server.mjs';

const SYSTEMD = '/usr/bin/systemd-analyze';
const at = (name) => path.join(REPO, 'examples/cluster', name);
const read = (name) => fs.readFileSync(at(name), 'utf8');

/** The server reads these settings, with a root, keys and a password of the test's own. */
function isUnderstood(settings, ...args) {
  const folder = ownFolder('examples');
  const key = path.join(folder, 'key');
  fs.writeFileSync(key, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600 });
  const file = path.join(folder, 'httpsocket.conf');
  fs.writeFileSync(
    file,
    settings
      .replace(/^root = .*/m, `root = "${folder}"`)
      .replace(/^((?:cluster-key|state-key|broker-password-file) =) .*/gm, `$1 "${key}"`),
  );
  const { status, stderr } = spawnSync(
    path.join(BUILD, 'httpsocketd'),
    ['--check-config', '--config', file, ...args],
    { encoding: 'utf8' },
  );
  assert.equal(status, 0, stderr);
}

test('the settings of a server are understood', () => isUnderstood(read('httpsocket.conf')));

test('the settings of one of two servers on a machine are understood', () =>
  isUnderstood(read('systemd/a.conf')));

test('the unit of several servers on a machine is one', { skip: !fs.existsSync(SYSTEMD) }, () => {
  const folder = ownFolder('units');
  const unit = path.join(folder, 'httpsocketd@.service');
  const built = fs.readFileSync(path.join(BUILD, 'httpsocketd.service'), 'utf8');
  const binary = path.join(BUILD, 'httpsocketd');
  const here = (text) => text.replace(/^(ExecStart=)\S*\/httpsocketd/m, `$1${binary}`);
  fs.writeFileSync(unit, here(built).replace(/^Documentation=.*\n/m, ''));
  fs.mkdirSync(`${unit}.d`);
  fs.writeFileSync(path.join(`${unit}.d`, 'instance.conf'), here(read('systemd/instance.conf')));
  const { status, stderr } = spawnSync(SYSTEMD, ['verify', '--man=no', 'httpsocketd@a.service'], {
    encoding: 'utf8',
    env: { ...process.env, SYSTEMD_UNIT_PATH: `${folder}:` },
  });
  const ours = stderr.split('\n').filter((line) => line.includes('httpsocketd@'));
  assert.deepEqual([status, ours], [0, []], stderr);
});

describe('kubernetes.yaml', () => {
  const script = 'puts YAML.load_stream(STDIN.read).to_json';
  const objects = JSON.parse(
    execFileSync('ruby', ['-ryaml', '-rjson', '-e', script], { input: read('kubernetes.yaml') }),
  );
  const of = (kind) => objects.find((object) => object.kind === kind);
  const pod = of('Deployment').spec.template;
  const [container] = pod.spec.containers;
  const settings = of('ConfigMap').data['httpsocket.conf'];

  test('its objects know each other by their labels and names', () => {
    const labels = { app: 'httpsocket' };
    assert.deepEqual(pod.metadata.labels, labels);
    assert.deepEqual(of('Deployment').spec.selector.matchLabels, labels);
    assert.deepEqual(of('Service').spec.selector, labels);
    assert.deepEqual(of('PodDisruptionBudget').spec.selector.matchLabels, labels);
    const { service } = of('Ingress').spec.rules[0].http.paths[0].backend;
    assert.equal(service.name, of('Service').metadata.name);
    const ports = container.ports.map(({ name }) => name);
    for (const { targetPort } of of('Service').spec.ports) assert.ok(ports.includes(targetPort));
    const mounted = container.volumeMounts.map(({ name }) => name);
    assert.deepEqual(pod.spec.volumes.map(({ name }) => name).sort(), mounted.sort());
  });

  test('its settings and options are understood', () => {
    const args = container.args.map((word) => word.replace('$(POD_IP)', '127.0.0.1'));
    assert.deepEqual(args.splice(0, 2), ['--config', '/etc/httpsocket/httpsocket.conf']);
    isUnderstood(settings, ...args);
    for (const { name, containerPort } of container.ports) {
      const setting = { http: 'listen', admin: 'admin', cluster: 'cluster-listen' }[name];
      assert.match(settings, new RegExp(`^${setting} = .*:${containerPort}"`, 'm'));
    }
  });

  test('a balancer without affinity asks each server for its health', () => {
    assert.equal(of('Service').spec.sessionAffinity, 'None');
    assert.deepEqual(container.readinessProbe.httpGet, { path: '/healthz', port: 'admin' });
    assert.doesNotMatch(read('kubernetes.yaml'), /affinity-mode|session-cookie/);
  });

  test('a server is let go when it has drained', () => {
    const seconds = (text) => Number(/(\d+)s?/.exec(text)[1]);
    const [, wait] = container.lifecycle.preStop.exec.command;
    const drain = seconds(/^drain-timeout = (\S+)/m.exec(settings)[1]);
    assert.ok(pod.spec.terminationGracePeriodSeconds >= seconds(wait) + drain + 15);
    assert.equal(of('Deployment').spec.strategy.rollingUpdate.maxUnavailable, 0);
  });
});
