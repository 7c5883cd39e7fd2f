import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseDerivationOptions } from '../../src/formats/derivation-options.ts';
import type { DerivedPath } from '../../src/formats/derived-path.ts';
import { DEFAULT_STORE_DIR, type StorePath } from '../../src/formats/store-path.ts';
import { type FoundPath, queryMissing } from '../../src/scheduler/query-missing.ts';
import { makeSettings, type Settings } from '../../src/settings.ts';
import { type MadeDerivation, makeDerivation } from '../support/derivations.ts';
import { infoOf, NAMED } from '../support/substituters.ts';

const [app, library, tool, lost] = ['app', 'library', 'tool', 'lost'].map(NAMED) as [
  StorePath,
  StorePath,
  StorePath,
  StorePath,
];

interface Known {
  readonly valid?: readonly StorePath[];
  readonly derivations?: readonly MadeDerivation[];
  readonly settings?: Partial<Settings>;
}

/** @param references - of the paths that a substituter has. */
function ask(
  requests: readonly (StorePath | DerivedPath)[],
  references: Readonly<Record<string, readonly StorePath[]>>,
  { valid = [tool], derivations = [], settings = {} }: Known = {},
) {
  const asked: StorePath[] = [];
  const find = async (path: StorePath): Promise<FoundPath | undefined> => {
    asked.push(path);
    const found = references[path];
    return found && { substituter: 'a', info: infoOf(path, found) };
  };
  const made = new Map(derivations.map((each) => [each.drvPath, each.derivation]));
  const missing = queryMissing(
    requests.map((request) => (typeof request === 'string' ? { kind: 'opaque', path: request } : request)),
    {
      settings: makeSettings(settings),
      isValidPath: async (path) => valid.includes(path) || made.has(path),
      find,
      readDerivation: async (drvPath) => {
        const derivation = made.get(drvPath)!;
        return { derivation, options: parseDerivationOptions(DEFAULT_STORE_DIR, derivation) };
      },
    },
  );
  return missing.then((answer) => ({ ...answer, asked }));
}

describe('what is missing', () => {
  test('is the closure, without what is valid', async () => {
    const missing = await ask([app], { [app]: [library, tool, app], [library]: [] });
    assert.deepEqual(
      missing.willSubstitute.map(({ path }) => path),
      [app, library],
    );
    assert.deepEqual([missing.narSize, missing.downloadSize, missing.unknown], [240, 240, []]);
    assert.ok(!missing.asked.includes(tool));
  });

  test('is asked for once, however many refer to it', async () => {
    const { asked } = await ask([app, library], { [app]: [library], [library]: [app] });
    assert.deepEqual(asked.toSorted(), [app, library].toSorted());
  });

  test('is unknown where nobody has it, among what is referred to as well', async () => {
    const { unknown } = await ask([app], { [app]: [lost] });
    assert.deepEqual(unknown, [lost]);
  });

  test('is nothing where all is valid', async () => {
    const { willSubstitute, unknown, narSize } = await ask([tool], {});
    assert.deepEqual([willSubstitute, unknown, narSize], [[], [], 0]);
  });

  test('may be as deep as it likes', async () => {
    const chain = Array.from({ length: 20_000 }, (_, index) => NAMED(`link-${index}`));
    const references = Object.fromEntries(chain.map((path, index) => [path, chain.slice(index + 1, index + 2)]));
    const { willSubstitute } = await ask([chain[0]!], references);
    assert.equal(willSubstitute.length, chain.length);
  });

  test('cannot be told where asking fails', async () => {
    const find = (): Promise<never> => Promise.reject(new Error('as asked'));
    const readDerivation = find;
    const options = { isValidPath: async () => false, find, readDerivation, settings: makeSettings() };
    await assert.rejects(queryMissing([{ kind: 'opaque', path: app }], options), /as asked/);
  });
});

describe('what is missing of a derivation', () => {
  const source = NAMED('source');
  const lib = makeDerivation({ name: 'lib', outputs: ['out', 'dev'], sources: [source] });
  const top = makeDerivation({ name: 'top', inputs: [[lib, 'dev']] });
  const forced = makeDerivation({ name: 'forced', env: { allowSubstitutes: '' } });
  const derivations = [lib, top, forced];
  const dev = lib.derivation.outputs.get('dev')!.path;
  const all = ({ drvPath }: MadeDerivation): DerivedPath => ({ kind: 'built', path: drvPath, outputs: 'all' });
  const names = (paths: readonly StorePath[]): string[] => paths.map((path) => path.slice(33)).sort();

  for (const [what, request, has, known, wanted] of [
    ['is nothing where its outputs are valid', all(top), [], { valid: [top.out] }, {}],
    ['is a build of it and of what it needs', all(top), [], {}, { build: ['lib.drv', 'top.drv'], unknown: ['source'] }],
    ['is only what a substituter has', all(top), [top.out], {}, { fetch: ['top'] }],
    [
      'is a build of it, with inputs from a substituter',
      all(top),
      [dev],
      {},
      { build: ['top.drv'], fetch: ['lib-dev'] },
    ],
    ['is a build where one output is lacking', all(lib), [dev, source], {}, { build: ['lib.drv'], fetch: ['source'] }],
    ['is a build where it does not want substitutes', all(forced), [forced.out], {}, { build: ['forced.drv'] }],
    [
      'is what a substituter has, where that is always allowed',
      all(forced),
      [forced.out],
      { settings: { alwaysAllowSubstitutes: true } },
      { fetch: ['forced'] },
    ],
    [
      'is a build where nothing is substituted',
      all(top),
      [top.out],
      { settings: { substitute: false }, valid: [dev] },
      { build: ['top.drv'] },
    ],
    [
      'is only the outputs that are wanted',
      { kind: 'built', path: lib.drvPath, outputs: ['dev'] },
      [dev],
      {},
      { fetch: ['lib-dev'] },
    ],
    [
      'is the derivation itself where that is not there',
      { kind: 'built', path: NAMED('gone.drv'), outputs: 'all' },
      [NAMED('gone.drv')],
      {},
      { fetch: ['gone.drv'] },
    ],
  ] as const satisfies readonly (readonly [string, DerivedPath, readonly StorePath[], Known, object])[]) {
    test(what, async () => {
      const references = Object.fromEntries(has.map((path) => [path, []]));
      const missing = await ask([request], references, { derivations, ...known });
      const { build = [], fetch = [], unknown = [] } = wanted as Record<string, string[]>;
      const fetched = names(missing.willSubstitute.map(({ path }) => path));
      assert.deepEqual([names(missing.willBuild), fetched, names(missing.unknown)], [build, fetch, unknown]);
    });
  }
});
