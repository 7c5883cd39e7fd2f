/** `build` on small stores of their own, with builders that are shell scripts. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { DerivationOutput } from '../../../src/formats/derivation.ts';
import { hashBytes } from '../../../src/formats/hash.ts';
import type { StorePath } from '../../../src/formats/store-path.ts';
import { runCli } from '../../support/cli.ts';
import { type CommandBuilds, openCommandBuilds } from '../../support/command-builds.ts';
import type { MadeDerivation } from '../../support/derivations.ts';

const MULTIPLE = 'for each in $out $dev $doc; do echo $each > $each; done';

const multiple = (builds: CommandBuilds): Promise<MadeDerivation> =>
  builds.add('multi', MULTIPLE, { outputs: ['out', 'dev', 'doc'] });

const pathsOf = ({ derivation }: MadeDerivation, ...names: readonly string[]): StorePath[] =>
  names.map((name) => derivation.outputs.get(name)!.path);

const flat = (contents: string): DerivationOutput['contentAddress'] => ({
  method: 'flat',
  hash: hashBytes('sha256', contents),
});

/** How each kind of failure is made, and what it makes the exit code. */
const FAILURES = {
  fails: { script: 'exit 7', fixed: undefined, code: 100 },
  hangs: { script: 'while :; do :; done', fixed: undefined, code: 101 },
  differs: { script: 'printf other > $out', fixed: flat('wanted'), code: 102 },
} as const;

const COMBINATIONS = [
  [['fails'], 100],
  [['hangs'], 101],
  [['differs'], 102],
  [['hangs', 'differs'], 103],
  [['fails', 'hangs'], 101],
  [['fails', 'differs'], 102],
] as const;

const MALFORMED = [
  [[], /error: nothing to build is given\nhint: write it in full: .*\/HASH-NAME\.drv/, 'nothing'],
  [['hello'], /error: .*'hello'/, 'a name'],
  [['/elsewhere/00000000000000000000000000000000-a.drv'], /error: .*elsewhere/, 'a path of another store'],
  [['DRV^'], /error: .*/, 'no output'],
  [['DRV^no,such'], /no|such/, 'outputs that it has not'],
  [['--check', '--repair', 'DRV'], /option '--check' cannot be used with option '--repair'/, 'to check and to repair'],
] as const;

describe('what is asked for', () => {
  for (const [suffix, names] of [
    ['', ['dev', 'doc', 'out']],
    ['^*', ['dev', 'doc', 'out']],
    ['!*', ['dev', 'doc', 'out']],
    ['^out', ['out']],
    ['!out', ['out']],
    ['^dev,out', ['dev', 'out']],
  ] as const) {
    test(`DRV${suffix} is ${names.join(' and ')}`, async () => {
      await using resources = new AsyncDisposableStack();
      const builds = await openCommandBuilds(resources);
      const made = await multiple(builds);
      const { code, stdout, stderr } = await builds.build(`${builds.full(made.drvPath)}${suffix}`);
      assert.equal(code, 0, stderr);
      const wanted = pathsOf(made, ...names).map(builds.full);
      assert.deepEqual(stdout.trim().split('\n').sort(), wanted.toSorted());
      for (const path of wanted) assert.equal(readFileSync(path, 'utf8'), `${path}\n`);
    });
  }

  test('comes from the standard input as well, each once; plain paths are substituted', async () => {
    await using resources = new AsyncDisposableStack();
    const builds = await openCommandBuilds(resources);
    const made = await multiple(builds);
    const drv = builds.full(made.drvPath);
    const [out] = pathsOf(made, 'out');
    assert.equal((await builds.build(`${drv}^out`)).code, 0);
    const args = ['build', '--stdin', '--json', '--no-substitute', '--store', builds.uri, `${drv}^out`];
    const { code, stdout } = await runCli(args, { input: ` ${drv}^out\n\t${builds.full(out!)} ` });
    const results = JSON.parse(stdout) as object[];
    assert.deepEqual(
      [code, results],
      [
        0,
        [
          {
            drvPath: drv,
            state: 'succeeded',
            status: 'alreadyValid',
            how: 'alreadyValid',
            outputs: { out: builds.full(out!) },
          },
          { path: builds.full(out!), state: 'succeeded', status: 'alreadyValid', how: 'alreadyValid' },
        ],
      ],
    );
  });

  for (const [args, message, what] of MALFORMED) {
    test(`is refused: ${what}`, async () => {
      await using resources = new AsyncDisposableStack();
      const builds = await openCommandBuilds(resources);
      const made = await multiple(builds);
      const { code, stdout, stderr } = await builds.build(
        ...args.map((arg) => arg.replace('DRV', builds.full(made.drvPath))),
      );
      assert.deepEqual([code, stdout], [1, '']);
      assert.match(stderr, message);
      assert.equal(existsSync(builds.full(made.out)), false);
    });
  }
});

describe('--dry-run', () => {
  test('says what would be built, and does nothing', async () => {
    await using resources = new AsyncDisposableStack();
    const builds = await openCommandBuilds(resources);
    const made = await multiple(builds);
    const drv = builds.full(made.drvPath);
    const { code, stdout, stderr } = await builds.build('--dry-run', drv);
    assert.deepEqual([code, stdout, stderr], [0, '', `this derivation will be built:\n  ${drv}\n`]);
    const json = await builds.build('--dry-run', '--json', drv);
    assert.deepEqual((JSON.parse(json.stdout) as { willBuild: unknown }).willBuild, [drv]);
    assert.equal(existsSync(builds.full(made.out)), false);
  });
});

describe('what became of it', () => {
  test('is told with --json: what was built, what failed, and what was given up', async () => {
    await using resources = new AsyncDisposableStack();
    const builds = await openCommandBuilds(resources);
    const fine = await builds.add('fine', 'echo fine > $out');
    const failing = await builds.add('failing', 'echo why; exit 3');
    const after = await builds.add('after', 'echo > $out', { inputs: [failing] });
    const { code, stdout } = await builds.build(
      '--json',
      '--keep-going',
      ...[fine, failing, after].map(({ drvPath }) => builds.full(drvPath)),
    );
    assert.equal(code, 100);
    const results = JSON.parse(stdout) as {
      drvPath: string;
      status: string;
      outputs?: object;
      error?: { code: string; build: object; cause?: { build: object } };
    }[];
    assert.deepEqual(
      results.map(({ drvPath, status, outputs }) => [drvPath, status, outputs]),
      [
        [builds.full(fine.drvPath), 'built', { out: builds.full(fine.out) }],
        [builds.full(failing.drvPath), 'permanentFailure', undefined],
        [builds.full(after.drvPath), 'dependencyFailed', undefined],
      ],
    );
    const build = { status: 'permanentFailure', logTail: ['why'] };
    assert.deepEqual(results[1]?.error?.build, build);
    assert.deepEqual(results[2]?.error?.build, {
      status: 'dependencyFailed',
      dependency: builds.full(failing.drvPath),
    });
    assert.deepEqual(results[2]?.error?.cause?.build, build);
  });

  test('without --keep-going, what has not begun is given up, and the user hears how to go on', async () => {
    await using resources = new AsyncDisposableStack();
    const builds = await openCommandBuilds(resources);
    const failing = await builds.add('failing', 'exit 3');
    const later = await builds.add('later', 'echo > $out');
    const args = [failing, later].map(({ drvPath }) => builds.full(drvPath));
    const { code, stdout, stderr } = await builds.build('--json', '--max-jobs', '1', ...args);
    const states = (JSON.parse(stdout) as { state: string }[]).map(({ state }) => state);
    assert.deepEqual([code, states], [100, ['failed', 'cancelled']]);
    assert.match(stderr, /hint: 1 of 2 paths were given up because of that; --keep-going goes on with them/);
  });

  test('a failure comes with the end of the log, and with how to see all of it', async () => {
    await using resources = new AsyncDisposableStack();
    const builds = await openCommandBuilds(resources);
    const failing = await builds.add('failing', 'for i in 1 2 3 4; do echo line $i; done; exit 3');
    const drv = builds.full(failing.drvPath);
    const { code, stderr } = await builds.build('-q', '--log-lines', '2', drv);
    assert.equal(code, 100);
    const error = stderr.slice(stderr.indexOf('error:'));
    assert.deepEqual(error.trimEnd().split('\n'), [
      `error: builder for '${drv}' failed with exit code 3`,
      'last 2 lines of its log:',
      '> line 3',
      '> line 4',
      `hint: the whole log: sluice log --store '${builds.uri}' ${drv}`,
    ]);
    assert.equal((await builds.run('log', drv)).stdout, 'line 1\nline 2\nline 3\nline 4\n');
  });

  for (const [kinds, expected] of COMBINATIONS) {
    test(`the exit code is ${expected} where one ${kinds.join(', and one ')}`, async () => {
      await using resources = new AsyncDisposableStack();
      const builds = await openCommandBuilds(resources);
      const made = await Promise.all(
        kinds.map((kind) => {
          const { script, fixed } = FAILURES[kind];
          return builds.add(kind, script, fixed === undefined ? {} : { fixed });
        }),
      );
      const { code, stdout } = await builds.build(
        '-k',
        '-q',
        '--timeout',
        '1',
        ...made.map(({ drvPath }) => builds.full(drvPath)),
      );
      assert.deepEqual([code, stdout], [expected, '']);
    });
  }

  test('--keep-failed names the directory that is kept', async () => {
    await using resources = new AsyncDisposableStack();
    const builds = await openCommandBuilds(resources);
    const failing = await builds.add('failing', 'echo trace > left; exit 1');
    const { code, stderr } = await builds.build('-q', '-K', builds.full(failing.drvPath));
    const [, kept] = /note: keeping build directory '(.*)'/.exec(stderr) ?? [];
    assert.equal(code, 100);
    assert.ok(kept, stderr);
    const left = ['left', 'build/left'].map((name) => join(kept, name)).find((name) => existsSync(name));
    assert.equal(readFileSync(left!, 'utf8'), 'trace\n');
  });

  test('lines of builders are printed, with the name of the build', async () => {
    await using resources = new AsyncDisposableStack();
    const builds = await openCommandBuilds(resources);
    const made = await builds.add('chatty', 'echo hello; echo > $out');
    const { stderr } = await builds.build('-L', builds.full(made.drvPath));
    assert.match(stderr, /^chatty> hello$/m);
  });
});

describe('--check, --repair and --out-link', () => {
  for (const flag of ['--check', '--rebuild']) {
    test(`${flag} ends with 104 where a build comes out differently`, async () => {
      await using resources = new AsyncDisposableStack();
      const builds = await openCommandBuilds(resources);
      const same = await builds.add('same', 'echo same > $out');
      const other = await builds.add(
        'other',
        'echo $$ > $out; read uuid < /proc/sys/kernel/random/uuid; echo $uuid >> $out',
      );
      const drvs = [same, other].map(({ drvPath }) => builds.full(drvPath));
      assert.equal((await builds.build('-q', ...drvs)).code, 0);
      const before = readFileSync(builds.full(other.out), 'utf8');
      assert.equal((await builds.build('-q', flag, drvs[0]!)).code, 0);
      const { code, stderr } = await builds.build('-q', flag, drvs[1]!);
      assert.equal(code, 104);
      assert.match(stderr, /error: .*other\.drv.*/);
      assert.equal(readFileSync(builds.full(other.out), 'utf8'), before);
    });
  }

  test('--repair makes anew what is spoiled', async () => {
    await using resources = new AsyncDisposableStack();
    const builds = await openCommandBuilds(resources);
    const made = await builds.add('good', 'echo good > $out');
    const drv = builds.full(made.drvPath);
    await builds.build('-q', drv);
    writeFileSync(builds.full(made.out), 'evil');
    assert.equal((await builds.build('-q', '--repair', drv)).code, 0);
    assert.equal(readFileSync(builds.full(made.out), 'utf8'), 'good\n');
  });

  test('--out-link makes symlinks that keep outputs', async () => {
    await using resources = new AsyncDisposableStack();
    const builds = await openCommandBuilds(resources);
    const made = await multiple(builds);
    const second = await builds.add('second', 'echo > $out');
    const link = join(builds.dir, 'result');
    const drvs = [`${builds.full(made.drvPath)}^out,dev`, builds.full(second.drvPath)];
    assert.equal((await builds.build('-q', '-o', link, ...drvs)).code, 0);
    const [out, dev, doc] = pathsOf(made, 'out', 'dev', 'doc').map(builds.full);
    const links = ['', '-dev', '-1'].map((suffix) => readlinkSync(`${link}${suffix}`));
    assert.deepEqual(links, [out, dev, builds.full(second.out)]);
    const linked = readdirSync(builds.dir).filter((name) => name.startsWith('result'));
    assert.deepEqual(linked.sort(), ['result', 'result-1', 'result-dev']);
    const { code, stderr } = await builds.run('gc', '-q');
    assert.equal(code, 0, stderr);
    assert.deepEqual(
      [out, dev, doc].map((path) => existsSync(path!)),
      [true, true, false],
    );
  });
});
