import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseIsolation } from '../../src/build/isolation.ts';
import type { DerivationOptions } from '../../src/formats/derivation-options.ts';
import type { Notice } from '../../src/pool/messages.ts';
import { makeSettings, type Settings } from '../../src/settings.ts';

const FOUND = { bubblewrap: { program: '/bwrap', hasArgv0: true } } as const;
const MISSING = { problem: 'it is missing', hint: 'install it' } as const;

interface Case {
  readonly sandbox: Settings['sandbox'];
  readonly noChroot?: boolean;
  readonly fixed?: boolean;
  readonly diverted?: boolean;
}

function choose({ sandbox, noChroot = false, fixed = false, diverted = false }: Case, fallback = true, found = true) {
  const told: Notice[] = [];
  const chosen = chooseIsolation(
    {
      drvPath: '/store/x.drv',
      options: { noChroot } as DerivationOptions,
      settings: makeSettings({ sandbox, sandboxFallback: fallback }),
      fixed,
      diverted,
      tell: (notice) => told.push(notice),
    },
    async () => (found ? FOUND : MISSING),
  );
  return chosen.then((bubblewrap) => ({ isolated: bubblewrap !== undefined, told }));
}

const CASES: readonly [Case, boolean][] = [
  [{ sandbox: 'true' }, true],
  [{ sandbox: 'true', fixed: true }, true],
  [{ sandbox: 'false' }, false],
  [{ sandbox: 'false', diverted: true }, true],
  [{ sandbox: 'relaxed' }, true],
  [{ sandbox: 'relaxed', fixed: true }, false],
  [{ sandbox: 'relaxed', noChroot: true }, false],
];

for (const [given, isolated] of CASES) {
  test(`${isolated ? 'a' : 'no'} sandbox with ${JSON.stringify(given)}`, async () => {
    assert.equal((await choose(given)).isolated, isolated);
  });
}

test('a derivation that wants no sandbox is refused where there must be one', async () => {
  await assert.rejects(choose({ sandbox: 'true', noChroot: true }), /'__noChroot' set/);
});

test('where no sandbox can be had, builds run without one, which is told once', async () => {
  const first = await choose({ sandbox: 'true' }, true, false);
  const next = await choose({ sandbox: 'true' }, true, false);
  assert.deepEqual([first.isolated, next.isolated], [false, false]);
  assert.deepEqual([...first.told, ...next.told].length, 1);
});

test('where that is not wanted, or paths would not be found, it is an error', async () => {
  await assert.rejects(choose({ sandbox: 'true' }, false, false), /it is missing/);
  await assert.rejects(choose({ sandbox: 'false', diverted: true }, true, false), /lies elsewhere than it is called/);
});
