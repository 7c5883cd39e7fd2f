import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { TransferError } from '../../src/errors.ts';
import type { Machine } from '../../src/formats/machines.ts';
import { type MadeDerivation, makeDerivation } from '../support/derivations.ts';
import { buildOutputs, type Handlers } from '../support/fake-builder.ts';
import { openRunner, outcome, type RunnerOptions, request } from '../support/goal-runner.ts';

const machine = (name: string, more: Partial<Machine> = {}): Machine => ({
  store: `ssh://${name}`,
  systems: ['aarch64-linux', 'x86_64-linux'],
  maxJobs: 1,
  speedFactor: 1,
  supportedFeatures: [],
  mandatoryFeatures: [],
  ...more,
});

describe('places to build', () => {
  const foreign = makeDerivation({ name: 'foreign', system: 'aarch64-linux' });
  const local = makeDerivation({ name: 'local', env: { preferLocalBuild: '1' } });
  const plain = makeDerivation({ name: 'plain' });

  /** Where each was built. */
  async function placesOf(options: RunnerOptions, ...made: readonly MadeDerivation[]): Promise<Record<string, string>> {
    const remoteBuild: Handlers['remoteBuild'] = async ({ on, ...asked }) => {
      if (on.includes('broken')) throw new TransferError('cannot be reached');
      return await buildOutputs(asked);
    };
    await using given = await openRunner({ ...options, handlers: { remoteBuild, ...options.handlers } });
    const places: Record<string, string> = {};
    given.events.on('buildStarted', ({ name, machine: place }) => {
      places[name] = [places[name], place ?? 'here'].filter(Boolean).join(', then ');
    });
    const results = await given.runner.request(made.map(request));
    for (const [index, result] of results.entries()) {
      if (result.state !== 'succeeded') places[made[index]!.derivation.name] = outcome(result).replace(/'[^']*-/, "'");
    }
    return places;
  }

  for (const [what, options, made, wanted] of [
    ['are other machines first', { machines: [machine('m')] }, plain, 'ssh://m'],
    ['are here where a derivation prefers that', { machines: [machine('m')] }, local, 'here'],
    ['are machines of its system', { machines: [machine('m')] }, foreign, 'ssh://m'],
    [
      'are none where there are none',
      {},
      foreign,
      "unable to build 'foreign.drv': it is for aarch64-linux, and this is x86_64-linux",
    ],
    ['are here where a machine cannot be reached', { machines: [machine('broken')] }, plain, 'ssh://broken, then here'],
    [
      'are other machines where one cannot be reached',
      { machines: [machine('broken', { speedFactor: 9 }), machine('m')], settings: { maxJobs: 0 } },
      plain,
      'ssh://broken, then ssh://m',
    ],
    [
      'are the hook',
      { settings: { buildHook: '/hook' }, handlers: hookThat('declined') },
      plain,
      'build-hook, then here',
    ],
    [
      'are the hook once more, where it wants to be asked later',
      {
        settings: { buildHook: '/hook', buildPollInterval: 0 },
        handlers: hookThat('postponed', 'declinedPermanently'),
      },
      plain,
      'build-hook, then build-hook, then here',
    ],
  ] as const satisfies readonly (readonly [string, Partial<RunnerOptions>, MadeDerivation, string])[]) {
    test(what, async () => {
      const { derivation } = made;
      assert.deepEqual(await placesOf({ derivations: [made], ...options }, made), { [derivation.name]: wanted });
    });
  }

  function hookThat(...answers: readonly ('declined' | 'postponed' | 'declinedPermanently')[]): Handlers {
    const left = [...answers];
    return { hookBuild: async () => ({ state: left.shift()! }) };
  }

  test('are as many on a machine as it has jobs, and one here', async () => {
    const many = Array.from({ length: 4 }, (_, id) => makeDerivation({ name: `job-${id}` }));
    const places = await placesOf({ derivations: many, machines: [machine('m', { maxJobs: 2 })] }, ...many);
    assert.deepEqual(Object.values(places).sort().slice(0, 1), ['here']);
    assert.equal(Object.values(places).filter((place) => place === 'ssh://m').length >= 2, true);
  });
});
