/** The closures that are measured: what is in them, and in which compressions their caches are needed. */

import type { CorpusObject } from '../../test/support/corpus.ts';
import { makeDebianObjects } from '../../test/support/debian-corpus.ts';
import { makeSyntheticObjects } from '../../test/support/synthetic-corpus.ts';
import { makeHugeObject } from './huge-object.ts';

export interface Recipe {
  /** The name of its directory, and the first word of the rows that need it. */
  readonly name: string;
  /** What is in it, in words. */
  readonly about: string;
  /** As parameters of a cache: `xz`, `xz&compression-level=1`. */
  readonly compressions: readonly string[];
  /** Programs without which its trees cannot be made. */
  readonly needs: readonly string[];
  /** Makes the trees below a directory; references first, the last one is the top. */
  makeObjects(directory: string): Promise<CorpusObject[]>;
}

const TINY_PATHS = 2_000;
const HUGE_BYTES = 2_000_000_000;
const DEBIAN = ['apt-cache', 'apt-get', 'dpkg-deb'];

export const RECIPES: readonly Recipe[] = [
  {
    name: 'one',
    about: 'one tiny path',
    compressions: ['zstd'],
    needs: [],
    makeObjects: (directory) => makeSyntheticObjects(directory, 1),
  },
  {
    name: 'tiny',
    about: '2,000 tiny paths in a deep graph',
    compressions: ['none', 'zstd'],
    needs: [],
    makeObjects: (directory) => makeSyntheticObjects(directory, TINY_PATHS),
  },
  {
    name: 'deb',
    about: 'about 130 Debian packages',
    compressions: ['none', 'zstd', 'xz'],
    needs: DEBIAN,
    makeObjects: (directory) => makeDebianObjects(directory, ['git', 'imagemagick', 'python3-pil', 'nginx-light']),
  },
  {
    name: 'large',
    about: 'about 460 Debian packages, 3.5 GB',
    compressions: ['none', 'zstd'],
    needs: DEBIAN,
    makeObjects: (directory) =>
      makeDebianObjects(directory, ['ffmpeg', 'build-essential', 'python3-scipy', 'git', 'nginx']),
  },
  {
    name: 'huge',
    about: 'one path of 2 GB, of files of this machine',
    // A low level decodes as fast as a high one, and this is much to compress.
    compressions: ['zstd', 'xz&compression-level=1'],
    needs: [],
    makeObjects: (directory) => makeHugeObject(directory, HUGE_BYTES),
  },
];
