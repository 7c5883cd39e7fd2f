/** One whole run of `sluice bench`: finds the paths, measures step by step, tells how it goes on. */
import { cpus } from 'node:os';
import { InvalidPathError, StoreError } from '../../errors.ts';
import { printStorePath, type StorePath } from '../../formats/store-path.ts';
import type { Settings } from '../../settings.ts';
import type { Store } from '../../stores/store.ts';
import type { Work } from '../command.ts';
import { describeStep } from './describe.ts';
import { clock, type Step } from './records.ts';
import { type BenchReport, type ClosureReport, type Machine, reportQueries, reportStep } from './report.ts';
import { type Limits, type Selection, selectPaths } from './selection.ts';
import { measureStep, type StepOptions } from './sweep.ts';
import { randomPath, TimedQueries } from './timed-queries.ts';

/** Enough to keep a distant cache busy while the closure is looked for. */
const DISCOVERY_PARALLELISM = 64;
/** How many paths that nobody has are asked for in a step, where no limit says otherwise. */
const MISSES = 200;

export interface BenchOptions {
  /** Freshly opened. */
  readonly store: Store;
  /** Paths whose closure is measured; undefined where only misses can be. */
  readonly paths: readonly StorePath[] | undefined;
  readonly limits: Limits;
  /** One step for each number. */
  readonly parallelism: readonly number[];
  /** Where throw-away stores are made; undefined where nothing is to be written. */
  readonly directory: string | undefined;
  readonly settings: Settings;
  readonly work: Work;
}

export interface BenchResult {
  readonly report: BenchReport;
  /** What `report.steps` sums up, one by one. */
  readonly steps: readonly Step[];
}

/**
 * @throws {InvalidPathError} where the store lacks one of the paths; {@link SluiceError} where one cannot be had;
 *   the reason of the signal.
 */
export async function runBench(options: BenchOptions): Promise<BenchResult> {
  const { store, parallelism, settings, work } = options;
  const date = new Date().toISOString();
  const found = options.paths === undefined ? undefined : await discover(options, options.paths);
  const transfer = transferOf(options);
  const steps: Step[] = [];
  let narBytes = 0; // of the steps before
  for (const [index, atOnce] of parallelism.entries()) {
    const paths = found?.paths ?? randomPaths(options.limits.paths ?? MISSES);
    const expected = paths.length;
    const step = await measureStep({
      uri: store.openUri,
      paths,
      parallelism: atOnce,
      transfer,
      settings,
      signal: work.signal,
      onQueries: (done) => work.reporter.showCheck({ verb: 'measure', done, expected, narBytes }),
      onTransfers: (progress) => {
        const view = {
          verb: 'measure' as const,
          done: progress.paths,
          expected,
          narBytes: narBytes + progress.narBytes,
        };
        work.reporter.showCheck(view);
      },
    });
    narBytes += found?.closure.narBytes ?? 0;
    steps.push(step);
    work.reporter.say('notice', `step ${index + 1} of ${parallelism.length}, ${describeStep(reportStep(step))}`);
  }
  const report = {
    store: store.uri,
    date,
    to: transfer.to,
    machine: thisMachine(),
    ...(found !== undefined && { closure: found.closure }),
    steps: steps.map(reportStep),
  };
  return { report, steps };
}

interface Found {
  readonly paths: readonly StorePath[];
  readonly closure: ClosureReport;
}

/** Looks for all that the paths refer to, and takes of it what the limits allow. */
async function discover({ store, limits, work }: BenchOptions, roots: readonly StorePath[]): Promise<Found> {
  const { reporter, signal } = work;
  const onQuery = (done: number): void => reporter.showCheck({ verb: 'measure', done, expected: done, narBytes: 0 });
  const queries = new TimedQueries(store, { parallelism: DISCOVERY_PARALLELISM, signal, onQuery });
  await queries.warmUp();
  const started = clock();
  const infos = await queries.queryClosure(roots);
  const discovery = reportQueries({ started, ended: clock(), queries: queries.records });
  const missing = roots.find((path) => !infos.has(path));
  if (missing !== undefined) throw new InvalidPathError(printStorePath(store.storeDir, missing), store.uri);
  const selection = selectPaths(infos, limits);
  if (selection.paths.length === 0) throw nothingLeft(selection);
  const { selected, leftOut, incomplete } = selection;
  const closure = { ...selected, leftOut, incompletePaths: incomplete, discovery };
  return { paths: selection.paths, closure };
}

function nothingLeft({ leftOut }: Selection): StoreError {
  if (leftOut.paths > 0) return new StoreError('no path is small enough', { hint: 'raise --max-size' });
  return new StoreError('there is nothing to measure: no path has all it refers to in the store');
}

function transferOf({ paths, directory }: BenchOptions): StepOptions['transfer'] {
  if (paths === undefined) return { to: 'none' };
  return directory === undefined ? { to: 'nowhere' } : { to: 'store', directory };
}

function randomPaths(count: number): StorePath[] {
  return Array.from({ length: count }, randomPath);
}

function thisMachine(): Machine {
  const processors = cpus();
  return {
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    processor: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
  };
}
