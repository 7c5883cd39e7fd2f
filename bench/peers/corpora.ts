/** The corpora that rows need: read where they are, made where they are missing and can be. */
import { mkdir } from 'node:fs/promises';
import { whyNoDebian } from '../../test/support/debian-corpus.ts';
import { isOnPath } from '../../test/support/run.ts';
import { type CorpusOnDisk, hasCache, readCorpus } from '../corpus/layout.ts';
import { makeCorpusOf } from '../corpus/make.ts';
import { RECIPES, type Recipe } from '../corpus/recipes.ts';
import type { LeftOut } from './report.ts';
import type { TransferRow } from './rows.ts';

export interface Corpora {
  /** By name. */
  readonly found: ReadonlyMap<string, CorpusOnDisk>;
  /** Rows that cannot be measured without a corpus that is missing. */
  readonly leftOut: readonly LeftOut[];
}

export interface CorporaOptions {
  /** Make what is missing, rather than say so. */
  readonly make: boolean;
  /** Called with a sentence before something takes long. */
  readonly tell: (sentence: string) => void;
}

/** Finds or makes what `rows` need below `directory`. */
export async function openCorpora(
  directory: string,
  rows: readonly TransferRow[],
  { make, tell }: CorporaOptions,
): Promise<Corpora> {
  const found = new Map<string, CorpusOnDisk>();
  const leftOut: LeftOut[] = [];
  for (const recipe of RECIPES) {
    const own = rows.filter(({ corpus }) => corpus === recipe.name);
    if (own.length === 0) continue;
    const reason = make ? await makeWhereMissing(recipe, directory, tell) : undefined;
    const corpus = await readCorpus(directory, recipe.name);
    if (corpus !== undefined) found.set(recipe.name, corpus);
    for (const row of own) {
      if (corpus === undefined)
        leftOut.push({ row: row.name, reason: reason ?? `there is no ${directory}/${row.corpus}` });
      else if (!(await hasCache(corpus, row.compression)))
        leftOut.push({ row: row.name, reason: noCache(corpus, row) });
    }
  }
  return { found, leftOut };
}

/** @returns why it could not be made, if so. */
async function makeWhereMissing(
  recipe: Recipe,
  directory: string,
  tell: (sentence: string) => void,
): Promise<string | undefined> {
  if ((await readCorpus(directory, recipe.name)) !== undefined) return undefined;
  const missing = recipe.needs.filter((program) => !isOnPath(program));
  if (missing.length > 0) return `${missing.join(', ')} to make its corpus with: not on PATH`;
  if (recipe.needs.includes('apt-get')) {
    const why = await whyNoDebian();
    if (why !== undefined) return `${why} (apt-get update)`;
  }
  tell(`making ${directory}/${recipe.name}: ${recipe.about}`);
  await mkdir(directory, { recursive: true });
  await makeCorpusOf(recipe, directory);
  return undefined;
}

function noCache({ directory }: CorpusOnDisk, { compression }: TransferRow): string {
  return `${directory} has no ${compression} cache; when it is removed it is made again, with one`;
}
