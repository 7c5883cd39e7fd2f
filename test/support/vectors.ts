/** Upstream's data vectors, from the folder that SLUICE_NIX_VECTORS names. They are no part of this project. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

const folder = process.env.SLUICE_NIX_VECTORS;

/** Options for a test that reads vectors: it is skipped where there are none. */
export const needsVectors: { readonly skip: string | false } = {
  skip: folder ? false : 'SLUICE_NIX_VECTORS names no folder',
};

/** Where a vector is, by its path inside the folder. */
export function vectorPath(path: string): string {
  return join(folder ?? '', path);
}

/** The text of a vector. */
export function readVector(path: string): Promise<string> {
  return readFile(vectorPath(path), 'utf8');
}

/** The value of a JSON vector. */
export async function readJsonVector(path: string): Promise<unknown> {
  return JSON.parse(await readVector(path));
}
