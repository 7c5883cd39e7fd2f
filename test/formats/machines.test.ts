import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FormatError } from '../../src/errors.ts';
import { type Machine, parseMachines, supportsFeatures, supportsSystem } from '../../src/formats/machines.ts';

const DEFAULTS = { systems: ['x86_64-linux'] };

function machine(store: string, fields: Partial<Machine> = {}): { machine: Machine } {
  const plain = { systems: DEFAULTS.systems, maxJobs: 1, speedFactor: 1, supportedFeatures: [], mandatoryFeatures: [] };
  return { machine: { store, ...plain, ...fields } };
}

const HOST = 'nix@scratchy.labs.cs.uu.nl';
const SCRATCHY = machine(`ssh://${HOST}`);
const ITCHY = machine('ssh://nix@itchy.labs.cs.uu.nl');
const FULL = machine(
  `ssh://${HOST}?base64-ssh-public-host-key=SSH%2BHOST%2BPUBLIC%2BKEY%2BBASE64%2BENCODED%3D%3D` +
    '&ssh-key=/home/nix/.ssh/id_scratchy_auto',
  {
    systems: ['i686-linux'],
    maxJobs: 8,
    speedFactor: 3,
    supportedFeatures: ['kvm'],
    mandatoryFeatures: ['benchmark'],
  },
);

/** Most of these are those of NixOS/nix 2.35, src/libstore-tests/machines.cc; others follow from libstore/machines.cc. */
const ACCEPTED: readonly (readonly [what: string, text: string, entries: readonly unknown[]])[] = [
  ['nothing', '', []],
  ['white space and empty entries', ' \n\t;;; \r\n ; ; ', []],
  ['a host', HOST, [SCRATCHY]],
  ['a host with a port', `${HOST}:2222`, [machine(`ssh://${HOST}:2222`)]],
  ['defaults', `${HOST} - - - - - - -`, [SCRATCHY]],
  ['a line each', `${HOST}\nnix@itchy.labs.cs.uu.nl`, [SCRATCHY, ITCHY]],
  ['semicolons', `${HOST} ; nix@itchy.labs.cs.uu.nl`, [SCRATCHY, ITCHY]],
  ['comments', `# a ; b\n${HOST} # c ; d\n   nix@itchy.labs.cs.uu.nl\n`, [SCRATCHY, ITCHY]],
  [
    'all fields',
    `${HOST}     i686-linux      /home/nix/.ssh/id_scratchy_auto        8 3 kvm benchmark SSH+HOST+PUBLIC+KEY+BASE64+ENCODED==`,
    [FULL],
  ],
  [
    'tabs',
    `${HOST}\ti686-linux\t/home/nix/.ssh/id_scratchy_auto\t8\t3\tkvm\tbenchmark\tSSH+HOST+PUBLIC+KEY+BASE64+ENCODED==`,
    [FULL],
  ],
  [
    'several of what there can be several of',
    `${HOST} b,a,,b - - - s2,s1 m1,m2`,
    [
      machine(`ssh://${HOST}`, {
        systems: ['a', 'b'],
        supportedFeatures: ['s1', 's2'],
        mandatoryFeatures: ['m1', 'm2'],
      }),
    ],
  ],
  ['a decimal speed factor', `${HOST} - - 0 1.5`, [machine(`ssh://${HOST}`, { maxJobs: 0, speedFactor: 1.5 })]],
  ['a speed factor of 0, which is 1', `${HOST} - - 1 0`, [SCRATCHY]],
  ['a speed factor in scientific notation', `${HOST} - - 1 1e2`, [machine(`ssh://${HOST}`, { speedFactor: 100 })]],
  [
    'other stores',
    'ssh-ng://h\nlocal\n/chroot\ndaemon',
    ['ssh-ng://h', 'local', 'local:///chroot', 'daemon'].map((uri) => machine(uri)),
  ],
  [
    'parameters, which stay',
    'ssh-ng://h?remote-store=local - /key',
    [machine('ssh-ng://h?remote-store=local&ssh-key=/key')],
  ],
  ['keys that only ssh takes', 'local - /key - - - - AAAA', [machine('local')]],
  ['more fields than there are', `${HOST} - - - - - - - x`, [SCRATCHY]],
  ['files', '@/etc/nix/machines ; @ /other', [{ include: '/etc/nix/machines' }, { include: '/other' }]],
];

describe('machines are listed with', () => {
  for (const [what, text, entries] of ACCEPTED) {
    test(what, () => assert.deepEqual(parseMachines(text, DEFAULTS), entries));
  }
});

const REJECTED: readonly (readonly [why: string, text: string, offset: number])[] = [
  ['jobs that are no number', `${HOST} - - eight`, 0],
  ['jobs that are negative', `${HOST} - - -1`, 0],
  ['jobs that are not whole', `${HOST} - - 1.5`, 0],
  ['more jobs than 32 bits hold', `${HOST} - - 4294967296`, 0],
  ['a speed factor that is no number', `${HOST} - - 8 three`, 0],
  ['a speed factor that is negative', `${HOST} - - 8 -3`, 0],
  ['a speed factor without end', `${HOST} - - 8 1e999`, 0],
  ['a host key that is not base64', `${HOST} - - 8 3 - - BAD_BASE64`, 0],
  ['no store', `${HOST}\n- x86_64-linux`, HOST.length + 1],
  ['what is no URI', `${HOST};ssh://a b c\nx://[`, HOST.length + 1 + 'ssh://a b c'.length + 1],
];

for (const [why, text, offset] of REJECTED) {
  test(`machines may not be listed with ${why}`, () => {
    assert.throws(
      () => parseMachines(text, DEFAULTS),
      (error) => error instanceof FormatError && error.offset === offset,
    );
  });
}

test('a message says nothing of a password', () => {
  assert.throws(
    () => parseMachines('ssh://me:secret@host - - x', DEFAULTS),
    (error) => error instanceof FormatError && !error.message.includes('secret'),
  );
});

/** NixOS/nix 2.35 libstore/machines.cc: systemSupported, allSupported, mandatoryMet. */
test('a machine builds what it can, and only what wants what it is kept for', () => {
  const plain = machine('x', { supportedFeatures: ['kvm'] }).machine;
  const special = machine('x', { supportedFeatures: ['kvm'], mandatoryFeatures: ['benchmark'] }).machine;
  assert.ok(supportsFeatures(plain, []) && supportsFeatures(plain, ['kvm']));
  assert.ok(!supportsFeatures(plain, ['kvm', 'benchmark']));
  assert.ok(!supportsFeatures(special, []) && !supportsFeatures(special, ['kvm']));
  assert.ok(supportsFeatures(special, ['benchmark']) && supportsFeatures(special, ['benchmark', 'kvm']));
  assert.ok(supportsSystem(plain, 'x86_64-linux') && supportsSystem(plain, 'builtin'));
  assert.ok(!supportsSystem(plain, 'aarch64-linux'));
});
