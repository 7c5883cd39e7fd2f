/** What stock Nix answers about a closure of 400 paths, derivations and their outputs, `sluice` answers in the same bytes. */
import assert from 'node:assert/strict';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { cliOutput, runCli } from '../support/cli.ts';
import { type DerivedStore, makeDerivedStore } from '../support/derived-store.ts';
import { Nix } from '../support/nix.ts';
import { lines, needs, run } from '../support/run.ts';
import { makeScratch } from '../support/scratch.ts';

const COUNT = 400;
const resources = new AsyncDisposableStack();
let dir: string;
let nix: Nix;
let made: DerivedStore;
let all: readonly string[];

const stock = (...args: readonly string[]): Promise<string> =>
  nix.output('nix-store', '--store', made.root, '--query', ...args);
const ours = (...args: readonly string[]): Promise<string> => cliOutput(['query', '--store', made.root, ...args]);

describe('queries', needs('nix-store', 'nix-instantiate'), () => {
  before(async () => {
    dir = resources.use(await makeScratch(200)).path;
    nix = await Nix.open(join(dir, 'home'));
    made = await makeDerivedStore(nix, join(dir, 'made'), { count: COUNT, derivations: 20 });
    const dump = await nix.output('nix-store', '--store', made.root, '--dump-db');
    all = lines(dump).filter(
      (line, index, whole) => line.startsWith('/') && /^[0-9a-f]{64}$/.test(whole[index + 1] ?? ''),
    );
    await symlink(`${made.outputs.at(-1)}/some/file`, join(dir, 'result'));
    await symlink('result', join(dir, 'again'));
  });
  after(() => resources.disposeAsync());

  /** What is asked about, by name. */
  const SUBJECTS = {
    'a closure of 400 paths': () => [made.top],
    'outputs with derivers': () => [made.outputs[3]!, made.outputs.at(-1)!],
    derivations: () => [made.derivations.at(-1)!, made.derivations[2]!],
    'a symlink to a symlink to a file in a path': () => [join(dir, 'again')],
    'one path twice': () => [made.top, made.top],
    'all paths at once': () => all,
  };
  const QUESTIONS = [
    '--requisites',
    '--requisites --include-outputs',
    '--requisites --use-output',
    '--references',
    '--references --use-output',
    '--referrers',
    '--referrers-closure',
    '--referrers-closure --use-output',
    '--deriver',
    '--outputs',
    '--hash',
    '--hash --use-output',
    '--size',
    '--tree',
    '--graph',
    '--graph --use-output',
    '--graphml',
    '--resolve',
    '',
  ];
  for (const [name, subject] of Object.entries(SUBJECTS)) {
    for (const question of QUESTIONS) {
      test(`${question || 'no flag'}, of ${name}`, async () => {
        const args = [...question.split(' ').filter(Boolean), ...subject()];
        const expected = await nix.run('nix-store', '--store', made.root, '--query', ...args);
        const got = await runCli(['query', '--store', made.root, ...args]);
        assert.equal(got.code, expected.code, got.stderr + expected.stderr);
        // Where an output is not there, both end in an error; Nix may have printed something by then.
        if (expected.code === 0) assert.equal(got.stdout, expected.stdout);
      });
    }
  }

  test('each path of the closure has the same referrers and references by itself', async () => {
    for (const path of all.filter((_, index) => index % 40 === 0)) {
      for (const question of ['--referrers', '--references', '--referrers-closure', '-R', '-d']) {
        assert.equal(await ours(question, path), await stock(question, path));
      }
    }
  });

  test('all valid derivers are found, whichever is recorded', async () => {
    const [derivation, path] = [made.derivations[4]!, made.outputs[4]!];
    assert.equal(await ours('--valid-derivers', path), `${derivation}\n`);
    assert.equal(await ours('--valid-derivers', made.top), '');
  });

  test('a path that is not valid is an error, where it is one to stock Nix', async () => {
    const missing = '/nix/store/00000000000000000000000000000000-missing';
    for (const question of [
      '-R',
      '--references',
      '--referrers',
      '--referrers-closure',
      '-d',
      '--size',
      '--tree',
      '--graph',
      '--outputs',
    ]) {
      const expected = await nix.run('nix-store', '--store', made.root, '-q', question, missing, made.top);
      const got = await runCli(['query', '--store', made.root, question, missing, made.top]);
      assert.equal(got.code, expected.code, question);
      if (got.code === 0) assert.equal(got.stdout, expected.stdout);
      else assert.match(got.stderr, /path '.*-missing' is not valid/);
    }
  });

  test('a binary cache is asked with the same result', async () => {
    const cache = `file://${join(dir, 'cache')}`;
    await nix.output(
      'nix',
      'copy',
      '--no-check-sigs',
      '--from',
      made.root,
      '--to',
      `${cache}?compression=none`,
      made.top,
    );
    for (const question of ['-R', '--references', '--size', '--hash', '--tree', '--graph', '-d']) {
      const args = ['--store', cache, question, made.top];
      assert.equal(await cliOutput(['query', ...args]), await nix.output('nix-store', '--query', ...args));
    }
  });

  const strip = (text: string): string => stripVTControlCharacters(text);
  for (const flags of [[], ['--all'], ['--precise'], ['--all', '--precise']]) {
    test(`why-depends ${flags.join(' ')}`, async () => {
      const [from, ...to] = [made.outputs[6]!, made.outputs[0]!, made.outputs[5]!, made.outputs[6]!];
      for (const path of to) {
        const args = ['why-depends', '--store', made.root, ...flags, from, path];
        const expected = await nix.output('nix', ...args);
        assert.equal(await cliOutput(args, { isTerminal: true }), expected);
        assert.equal(await cliOutput(args), strip(expected));
      }
    });
  }

  test('why-depends says so where there is no way, as stock Nix', async () => {
    const args = ['why-depends', '--store', made.root, made.top, made.outputs[0]!];
    const [expected, got] = [await nix.run('nix', ...args), await runCli(args)];
    assert.deepEqual(got, { ...expected, stderr: strip(expected.stderr) });
  });

  test('a dump is the same, of all paths and of some, and each loads what the other dumped', async () => {
    const theirs = await nix.output('nix-store', '--store', made.root, '--dump-db');
    const dump = await cliOutput(['store', 'dump-db', '--store', made.root]);
    assert.equal(dump, theirs);
    const some = [made.outputs[5]!, made.top, join(dir, 'again')];
    assert.equal(
      await cliOutput(['store', 'dump-db', '--store', made.root, ...some]),
      await nix.output('nix-store', '--store', made.root, '--dump-db', ...some),
    );

    const [byNix, bySluice] = [await copyOfContents('by-nix'), await copyOfContents('by-sluice')];
    const loaded = await run('nix-store', ['--store', byNix, '--load-db'], { env: nix.env, input: dump });
    assert.equal(loaded.code, 0, loaded.stderr);
    const result = await cliOutput(['store', 'load-db', '--json', '--store', bySluice], { input: theirs });
    assert.deepEqual(JSON.parse(result), { added: all.length, changed: 0, absent: 0 });
    for (const root of [byNix, bySluice]) assert.deepEqual(await nix.problems(root), []);
    const args = ['-q', '--tree', made.top, ...made.derivations, ...made.outputs];
    const tree = await nix.output('nix-store', '--store', bySluice, ...args);
    assert.equal(tree, await nix.output('nix-store', '--store', byNix, ...args));
    const drv = ['-q', '-R', '--include-outputs', ...made.derivations];
    assert.equal(
      await nix.output('nix-store', '--store', bySluice, ...drv),
      await nix.output('nix-store', '--store', byNix, ...drv),
    );
  });

  /** A chroot store that holds all files and has no database. */
  async function copyOfContents(name: string): Promise<string> {
    const root = join(dir, name);
    await mkdir(join(root, 'nix'), { recursive: true });
    const { code, stderr } = await run('cp', ['-a', join(made.root, 'nix/store'), join(root, 'nix/store')]);
    assert.equal(code, 0, stderr);
    return root;
  }
});
