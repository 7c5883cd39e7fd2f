import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { UsageError } from '../../../src/errors.ts';
import { parseStoreReference } from '../../../src/formats/store-reference.ts';
import { knownHostsLine, type SshTarget, sshArguments, sshTarget } from '../../../src/stores/remote/ssh-command.ts';

const PROGRAM = { name: 'nix-daemon', args: ['--stdio'] };
const target = (uri: string): SshTarget => sshTarget(parseStoreReference(uri), PROGRAM);
const NO_KEY = { user: undefined, port: undefined, key: undefined, hostKey: undefined, compress: false };
const KEY_LINE = 'ssh-ed25519 AAAA root@host';

const TARGETS: readonly (readonly [uri: string, target: Partial<SshTarget>])[] = [
  ['ssh-ng://host', { host: 'host', command: 'nix-daemon --stdio' }],
  ['ssh-ng://host/', { host: 'host', command: 'nix-daemon --stdio' }],
  ['ssh-ng://me@host:2222', { user: 'me', host: 'host', port: '2222', command: 'nix-daemon --stdio' }],
  ['ssh-ng://[::1]:22', { host: '::1', port: '22', command: 'nix-daemon --stdio' }],
  ['ssh-ng://[fe80::1%25eth0]', { host: 'fe80::1%eth0', command: 'nix-daemon --stdio' }],
  ['ssh-ng://a%40b@host', { user: 'a@b', host: 'host', command: 'nix-daemon --stdio' }],
  [
    'ssh-ng://host?ssh-key=/my%20key&compress=true',
    { host: 'host', key: '/my key', compress: true, command: 'nix-daemon --stdio' },
  ],
  [
    'ssh-ng://host?remote-program=sudo%20~/bin/nix-daemon&remote-store=local?root=/a%20b',
    { host: 'host', command: "sudo ~/bin/nix-daemon --stdio --store 'local?root=/a b'" },
  ],
  [
    `ssh-ng://host?base64-ssh-public-host-key=${encodeURIComponent(btoa(`${KEY_LINE}\n`))}`,
    { host: 'host', hostKey: KEY_LINE, command: 'nix-daemon --stdio' },
  ],
];

describe('ssh logs in', () => {
  for (const [uri, expected] of TARGETS) {
    test(`for ${uri}`, () => assert.deepEqual(target(uri), { ...NO_KEY, ...expected }));
  }
});

for (const [why, uri, said] of [
  ['no host', 'ssh://', /names no host/],
  ['a user and no host', 'ssh://me@', /names no host/],
  ['no user', 'ssh://@host', /names no user/],
  ['a host that would be an option', 'ssh://-oProxyCommand=x', /begins with '-'/],
  ['the same, encoded', 'ssh://%2DoProxyCommand=x', /begins with '-'/],
  ['a user that would be an option', 'ssh://-x@host', /begins with '-'/],
  ['a password', 'ssh://me:secret@host', /password/],
  ['a path', 'ssh://host/path', /nothing else/],
  ['a relative key', 'ssh://host?ssh-key=id', /wants a path/],
  ['a host key that is not base64', 'ssh://host?base64-ssh-public-host-key=%21', /base64/],
  ['a host key of several lines', `ssh://host?base64-ssh-public-host-key=${btoa('a b\nc d')}`, /one line/],
] as const) {
  test(`ssh does not log in for a URI with ${why}`, () => {
    assert.throws(
      () => target(uri),
      (error) => error instanceof UsageError && said.test(error.message) && !error.message.includes('secret'),
    );
  });
}

test('the arguments of ssh are those of the URI and of NIX_SSHOPTS, none of them taken for another', () => {
  const options = `-o 'ProxyJump a b' -i "/other key"`;
  const alive = ['-oServerAliveInterval=15', '-oServerAliveCountMax=4'];
  assert.deepEqual(
    sshArguments(target('ssh-ng://me@host:2222?ssh-key=/key&compress=true'), { options, connectTimeout: 15 }),
    [
      ...['me@host', '-x', '-T', '-o', 'ProxyJump a b', '-i', '/other key', '-i', '/key', '-C', '-p2222'],
      ...['-oConnectTimeout=15', ...alive, '--', 'nix-daemon --stdio'],
    ],
  );
  assert.deepEqual(sshArguments(target('ssh-ng://host'), { connectTimeout: 0 }), [
    ...['host', '-x', '-T', ...alive, '--', 'nix-daemon --stdio'],
  ]);
});

test('the key of a host stands before all that could say otherwise', () => {
  const args = sshArguments(target('ssh-ng://host'), {
    options: '-oStrictHostKeyChecking=no -oUserKnownHostsFile=/other',
    knownHosts: '/file',
    connectTimeout: 0,
  });
  assert.ok(args.indexOf('-oUserKnownHostsFile=/file') < args.indexOf('-oUserKnownHostsFile=/other'));
  assert.ok(args.indexOf('-oStrictHostKeyChecking=yes') < args.indexOf('-oStrictHostKeyChecking=no'));
});

/** OpenSSH sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT". */
test('a known-hosts file names the port where it is another than 22', () => {
  assert.equal(knownHostsLine(target('ssh://host'), KEY_LINE), `host ${KEY_LINE}\n`);
  assert.equal(knownHostsLine(target('ssh://host:22'), KEY_LINE), `host ${KEY_LINE}\n`);
  assert.equal(knownHostsLine(target('ssh://[::1]:2222'), KEY_LINE), `[::1]:2222 ${KEY_LINE}\n`);
});
