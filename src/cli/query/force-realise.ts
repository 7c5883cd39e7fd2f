/**
 * `--force-realise`: what a question is about is made valid before it is asked: paths are fetched, and derivations are
 * built.
 *
 * Source: Nix 2.35 nix-store/nix-store.cc, maybeUseOutputs, realisePath.
 */
import { isDerivationPath } from '../../formats/derivation-hash.ts';
import type { DerivedPath } from '../../formats/derived-path.ts';
import type { StorePath } from '../../formats/store-path.ts';
import { exitStatusOf } from '../../scheduler/build-outcome.ts';
import { Scheduler } from '../../scheduler/scheduler.ts';
import type { LocalStore } from '../../stores/local-store.ts';
import { withPath } from '../build-outcomes.ts';
import type { Cli } from '../command.ts';
import { Failures } from '../failures.ts';

/**
 * Tells on the way, as a build does, and sets the exit code.
 *
 * @returns whether all is valid now.
 */
export async function forceRealise(store: LocalStore, paths: readonly StorePath[], cli: Cli): Promise<boolean> {
  const { settings, narInfoCache } = cli;
  await using scheduler = await Scheduler.open({ store, settings, narInfoCache });
  const { storeDir } = store;
  const work = await cli.startWork();
  work.reporter.follow(scheduler.events, { storeDir, to: store.uri, sources: scheduler.substituters.length });
  const failures = new Failures(storeDir, scheduler.events, settings.keepBuildLog ? store.uri : undefined);
  const requests = [...new Set(paths)].map((path): DerivedPath => {
    return isDerivationPath(path) ? { kind: 'built', path, outputs: 'all' } : { kind: 'opaque', path };
  });
  const outcomes = await scheduler.build(requests, { signal: work.signal });
  work.reporter.summarise();
  for (const text of failures.describe(outcomes.map(withPath), cli)) work.reporter.say('error', text);
  cli.exitCode = exitStatusOf(outcomes);
  return cli.exitCode === 0;
}
