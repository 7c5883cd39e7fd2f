/**
 * What Nix's own tests try of builds, through the command line: the same exit code as stock Nix, the same outputs with
 * the same contents and references, and a store in which stock Nix finds nothing wrong.
 *
 * Source of the ideas: Nix 2.8 tests/ fixed.sh, check-refs.sh, check-reqs.sh, timeout.sh, export-graph.sh,
 * structured-attrs.sh, multiple-outputs.sh, pass-as-file.sh, check.sh, keep-going cases of build.sh.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { removeTree } from '../../src/stores/remove-tree.ts';
import { cliOutput, runCli } from '../support/cli.ts';
import { type BuildStore, buildsMissing, openBuildStore, shellDerivation as shell } from '../support/local-builds.ts';
import { lines, output, run } from '../support/run.ts';
import { makeScratch } from '../support/scratch.ts';

interface Case {
  /** Of a derivation. */
  readonly expression: string;
  readonly flags?: readonly string[];
  /** Both build it first, without the flags. */
  readonly before?: boolean;
  readonly code: number;
}

/** Of `hello`, by sha1, md5, and as a tree. */
const HELLO = {
  sha1: 'aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d',
  md5: '5d41402abc4b2a76b9719d911017c592',
  sha512:
    '9b71d224bd62f3785d96d46ad3ea3d73319bfbc2890caadae2dff72519673ca72323c3d99ba5c11d7c7acc6e14b8c5da0c4663475c2e5c3adef46f73bcdec043',
} as const;

const fixed = (
  algorithm: keyof typeof HELLO,
  script = 'printf hello > $out',
  { mode = 'flat', name = 'fixed' } = {},
): string =>
  shell(
    name,
    script,
    `outputHash = "${HELLO[algorithm]}"; outputHashAlgo = "${algorithm}"; outputHashMode = "${mode}";`,
  );

const dep = `(${shell('dep', 'echo dep > $out')})`;
const middle = `(${shell('middle', 'echo $dep > $out', `dep = ${dep};`)})`;
/** Refers to `middle`, and so needs `dep`. */
const top = (attributes: string, script = 'echo $middle > $out'): string =>
  `let dep = ${dep}; middle = ${middle}; in ${shell('top', script, `inherit dep middle; ${attributes}`)}`;
const DIFFERENT = '/bin/cat /proc/sys/kernel/random/uuid > $out';
const wrong = (script: string, name: string): string => `(${shell(name, script)})`;
const all = (...inputs: readonly string[]): string => shell('all', 'echo > $out', `inputs = [ ${inputs.join(' ')} ];`);

/** Two quotes keep Nix from reading what follows as an expression of its own. */
const OUTPUTS = ['out', 'dev'].map((name) => `''$\{outputs[${name}]}`);
const STRUCTURED = `. ./.attrs.sh; /bin/cat .attrs.json > ${OUTPUTS[0]}; echo ''$\{list[1]} $text > ${OUTPUTS[1]}`;
const STRUCTURED_ATTRIBUTES = `__structuredAttrs = true; outputs = [ "out" "dev" ]; list = [ "a" "b" ]; text = "a b";
  nested = { x = [ 1 true null ]; };`;

const CASES: Readonly<Record<string, Case>> = {
  'fixed: sha1': { expression: fixed('sha1'), code: 0 },
  'fixed: md5': { expression: fixed('md5'), code: 0 },
  'fixed: sha512': { expression: fixed('sha512'), code: 0 },
  'fixed: a directory where a file is wanted': { expression: fixed('sha1', '/bin/mkdir $out'), code: 1 },
  'fixed: an executable where a file is wanted': {
    expression: fixed('sha1', 'printf hello > $out; /bin/chmod +x $out'),
    code: 1,
  },
  'fixed: a flat hash where that of a tree is wanted': {
    expression: fixed('sha1', undefined, { mode: 'recursive', name: 'mismatch' }),
    code: 102,
  },
  'fixed: two with the same output': {
    expression: all(`(${fixed('sha1')})`, `(${fixed('sha1', 'echo another way >&2; printf hello > $out')})`),
    code: 0,
  },
  'references: to an input and to itself': {
    expression: top('', '/bin/mkdir $out; echo $middle $out > $out/file; /bin/ln -s $dep $out/link'),
    code: 0,
  },
  'references: one that is allowed': { expression: top('allowedReferences = [ middle ];'), code: 0 },
  'references: itself, which is allowed': {
    expression: top('allowedReferences = [ "out" ];', 'echo $out > $out'),
    code: 0,
  },
  'references: itself, which is not': { expression: top('allowedReferences = [ ];', 'echo $out > $out'), code: 1 },
  'references: one that is disallowed': { expression: top('disallowedReferences = [ middle ];'), code: 1 },
  'references: one further away than is disallowed': { expression: top('disallowedReferences = [ dep ];'), code: 0 },
  'requisites: all that are allowed': { expression: top('allowedRequisites = [ middle dep ];'), code: 0 },
  'requisites: one that is not allowed': { expression: top('allowedRequisites = [ middle ];'), code: 1 },
  'requisites: one that is disallowed': { expression: top('disallowedRequisites = [ dep ];'), code: 1 },
  'timeout: too long': { expression: wrong('/bin/sleep 60', 'slow'), flags: ['--timeout', '1'], code: 101 },
  'timeout: silent for too long': {
    expression: wrong('echo before; /bin/sleep 60', 'silent'),
    flags: ['--max-silent-time', '1'],
    code: 101,
  },
  'timeout: talkative, and so not silent': {
    expression: wrong('for i in 1 2 3 4 5 6; do echo $i; /bin/sleep 0.3; done; echo > $out', 'talkative'),
    flags: ['--max-silent-time', '1'],
    code: 0,
  },
  'a log that is too large': {
    expression: wrong('while :; do echo and on and on and on; done', 'chatter'),
    flags: ['--option', 'max-build-log-size', '1000'],
    code: 1,
  },
  'graph: exportReferencesGraph': {
    expression: top('exportReferencesGraph = [ "refs" middle ];', '/bin/cat refs > $out'),
    code: 0,
  },
  'structured attributes': {
    expression: shell('structured', STRUCTURED, STRUCTURED_ATTRIBUTES).replace('/bin/sh', '/bin/bash'),
    code: 0,
  },
  'attributes in files': {
    expression: shell('files', '/bin/cat $longPath > $out', 'passAsFile = [ "long" ]; long = "in a file";'),
    code: 0,
  },
  'outputs: one that refers to another': {
    expression: shell('two', 'echo $dev > $out; echo dev > $dev', 'outputs = [ "out" "dev" ];'),
    code: 0,
  },
  'outputs: two that refer to each other': {
    expression: shell('cycle', 'echo $dev > $out; echo $out > $dev', 'outputs = [ "out" "dev" ];'),
    code: 1,
  },
  'outputs: one that is not made': {
    expression: shell('half', 'echo > $out', 'outputs = [ "out" "dev" ];'),
    code: 1,
  },
  'check: the same again': { expression: wrong('echo same > $out', 'same'), flags: ['--check'], before: true, code: 0 },
  'check: something else': { expression: wrong(DIFFERENT, 'other'), flags: ['--check'], before: true, code: 104 },
  'check: not built yet': { expression: wrong('echo > $out', 'unbuilt'), flags: ['--check'], code: 1 },
  'keep-going: failures of several kinds': {
    expression: all(
      wrong('exit 1', 'fails'),
      wrong('/bin/sleep 60', 'slow'),
      `(${fixed('sha1', 'printf other > $out', { name: 'mismatch' })})`,
      wrong('echo > $out', 'fine'),
    ),
    flags: ['--keep-going', '--timeout', '1', '--max-jobs', '4'],
    code: 103,
  },
  'a failure, and others that wait': {
    expression: all(
      wrong('exit 1', 'fails'),
      `(${shell('fine', 'echo $either > $out', `either = ${wrong('echo > $out', 'either')};`)})`,
    ),
    flags: ['--max-jobs', '1'],
    code: 100,
  },
};

/** What is valid, by path: contents and references. Both build in the same place, and so make the same paths. */
async function contentsOf({ store }: BuildStore): Promise<object> {
  const paths = (await store.queryAllValidPaths()).filter((path) => !path.endsWith('.drv') && !isRandom(path));
  const infos = await Promise.all(paths.sort().map((path) => store.queryPathInfo(path)));
  return infos.map((info) => [info!.path, info!.narHash, info!.references, info!.deriver]);
}

/** Contents that differ each time; and what may be built before something else fails, or not. */
const isRandom = (path: string): boolean => /-(?:other|either)$/.test(path);

async function ours(builds: BuildStore, { expression, flags = [], before }: Case): Promise<number> {
  const drv = await builds.instantiate(expression);
  const settings = ['--no-sandbox', '--build-users-group', '', '--no-substitute', '--no-fsync-metadata'];
  const args = ['build', '-q', '--store', builds.uri, ...settings, '--worker-threads', '2', drv];
  if (before) await cliOutput(args);
  return (await runCli([...args, ...flags])).code;
}

async function theirs({ env, instantiate }: BuildStore, { expression, flags = [], before }: Case): Promise<number> {
  const args = ['--realise', await instantiate(expression), '--option', 'sandbox', 'false'];
  if (before) await output('nix-store', args, { env });
  return (await run('nix-store', [...args, ...flags], { env })).code!;
}

describe('builds end as with stock Nix', { skip: buildsMissing, concurrency: 2 }, () => {
  for (const [what, each] of Object.entries(CASES)) {
    test(`${what}: ${each.code}`, async () => {
      await using scratch = await makeScratch();
      const dir = join(scratch.path, 'same');
      const codes: number[] = [];
      const contents: object[] = [];
      for (const build of [theirs, ours]) {
        await removeTree(dir);
        await using builds = await openBuildStore(dir);
        codes.push(await build(builds, each));
        contents.push(await contentsOf(builds));
        const { stderr } = await run('nix-store', ['--verify', '--check-contents'], { env: builds.env });
        assert.deepEqual(
          lines(stderr).filter((line) => !/^(reading the Nix store|checking )/.test(line)),
          [],
        );
      }
      assert.deepEqual(codes, [each.code, each.code]);
      assert.deepEqual(contents[1], contents[0]);
    });
  }
});
