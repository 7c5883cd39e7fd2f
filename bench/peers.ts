/** Compares Sluice with the Nix on PATH: `npm run bench:peers`, see docs/benchmarks.md. */
import { readFile, writeFile } from 'node:fs/promises';
import { describeError } from '../src/cli/describe-error.ts';
import { Interrupts } from '../src/cli/interrupts.ts';
import { SluiceError, UsageError } from '../src/errors.ts';
import { USER_CACHES } from '../test/support/run.ts';
import { printComparison } from './peers/comparison.ts';
import { HELP, type PeersOptions, parseOptions } from './peers/options.ts';
import { judge, type PeersReport } from './peers/report.ts';
import { runSession } from './peers/session.ts';
import { printReport } from './peers/table.ts';

/** What a command line that makes no sense ends with, as for `sluice`. */
const USAGE = 2;

const tell = (line: string): void => void process.stderr.write(`${line}\n`);

async function main(signal: AbortSignal): Promise<number> {
  const options = parseOptions(process.argv.slice(2), { ...process.env, XDG_CACHE_HOME: USER_CACHES });
  if (options.help) {
    process.stdout.write(HELP);
    return 0;
  }
  // Before minutes of work.
  const before = options.compare === undefined ? undefined : await readReport(options.compare);
  const report = await reportOf(options, signal);
  process.stdout.write(printReport(report));
  if (before !== undefined) process.stdout.write(`\n${printComparison(before, report)}`);
  const isMet = report.rows.every((row) => judge(row).every(({ met }) => met));
  return isMet && !report.leftOut.some(({ failed }) => failed) ? 0 : 1;
}

async function reportOf(options: PeersOptions, signal: AbortSignal): Promise<PeersReport> {
  if (options.from !== undefined) return readReport(options.from);
  if (process.platform !== 'linux') throw new UsageError('this comparison needs Linux: it measures with its wait4(2)');
  const report = await runSession({ options, tell, signal });
  if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(report, undefined, 2)}\n`);
  return report;
}

async function readReport(file: string): Promise<PeersReport> {
  const report = JSON.parse(await readFile(file, 'utf8')) as Partial<PeersReport>;
  if (!Array.isArray(report.rows) || report.machine === undefined) throw new UsageError(`'${file}' is no such report`);
  return report as PeersReport;
}

const interrupts = new Interrupts({ first: () => tell('cleaning up'), second: () => {} });
try {
  process.exitCode = await main(interrupts.signal);
} catch (error) {
  if (!interrupts.signal.aborted) tell(describeError(error, { debug: !(error instanceof SluiceError) }));
  process.exitCode = interrupts.exitCode ?? (error instanceof UsageError ? USAGE : 1);
}
interrupts[Symbol.dispose]();
