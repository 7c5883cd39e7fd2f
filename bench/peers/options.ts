/** The command line of the comparison. */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { UsageError } from '../../src/errors.ts';
import { RECIPES } from '../corpus/recipes.ts';
import { ROWS, type Selection, selectRows } from './rows.ts';

export interface PeersOptions extends Selection {
  readonly help: boolean;
  /** Look whether all is there, and measure nothing. */
  readonly check: boolean;
  /** Where corpora are, and are made. */
  readonly corpora: string;
  readonly pairs: number;
  /** Entry of the command line to measure, in place of what is built from this checkout. */
  readonly sluice: string | undefined;
  /** Where the report is written. */
  readonly json: string | undefined;
  /** A report to print beside this one. */
  readonly compare: string | undefined;
  /** A report to print; nothing is measured then. */
  readonly from: string | undefined;
}

export const HELP: string = `Usage: npm run bench:peers [-- OPTIONS]

Compares Sluice with the Nix on PATH: each substitutes the same closures from the same nginx into a fresh store, in
turns. Needs Linux; nginx with its echo module; Nix, zstd and xz where they are to be compared with. What is missing is
said, and what can be measured without it is measured. Ends with 1 where a target is missed.

  --rows WORD      measure only rows whose name has the word, or all of several: tiny, xz, deb-20ms; may come again
  --large          measure corpus 'large' as well: it takes gigabytes of downloads, disk and memory
  --pairs N        runs of each program, a row (default 5)
  --corpora DIR    where corpora are, and are made where they are missing (default: ~/.cache/sluice/bench-corpora)
  --sluice FILE    measure this main.js instead of what 'npm pack' makes of the checkout
  --json FILE      write the report, for --compare and --from
  --compare FILE   print another report beside this one, such as that of another commit
  --from FILE      print the report in a file, and measure nothing
  --check          see whether everything is there, and whether delays are, and measure nothing
  --help           show this help

Corpora:
${RECIPES.map(({ name, about }) => `  ${name.padEnd(6)} ${about}`).join('\n')}

Rows:
  ${ROWS.map(({ name }) => name).join(' ')}

Examples:
  npm run bench:peers -- --check
  npm run bench:peers -- --rows tiny --rows deb-20ms --pairs 9 --json after.json --compare before.json
`;

/** @throws {UsageError} on what is no option, or makes no sense. */
export function parseOptions(args: readonly string[], environment: NodeJS.ProcessEnv = process.env): PeersOptions {
  const values = parse(args);
  const cache = environment.XDG_CACHE_HOME || join(environment.HOME || homedir(), '.cache');
  const path = (text: string | undefined): string | undefined => (text === undefined ? undefined : resolve(text));
  const options = {
    help: values.help ?? false,
    check: values.check ?? false,
    large: values.large ?? false,
    words: values.rows ?? [],
    corpora: path(values.corpora) ?? join(cache, 'sluice', 'bench-corpora'),
    pairs: parsePairs(values.pairs ?? '5'),
    sluice: path(values.sluice),
    json: path(values.json),
    compare: path(values.compare),
    from: path(values.from),
  };
  for (const word of options.words) {
    if (selectRows({ words: [word], large: true }).length > 0) continue;
    throw new UsageError(`no row has '${word}' in its name`, { hint: '--help lists the rows' });
  }
  return options;
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        help: { type: 'boolean', short: 'h' },
        check: { type: 'boolean' },
        large: { type: 'boolean' },
        rows: { type: 'string', multiple: true },
        corpora: { type: 'string' },
        pairs: { type: 'string' },
        sluice: { type: 'string' },
        json: { type: 'string' },
        compare: { type: 'string' },
        from: { type: 'string' },
      },
    }).values;
  } catch (cause) {
    throw new UsageError((cause as Error).message, { cause });
  }
}

function parsePairs(text: string): number {
  if (/^[1-9]\d{0,2}$/.test(text)) return Number(text);
  throw new UsageError(`'--pairs' wants a whole number above zero, got '${text}'`);
}
