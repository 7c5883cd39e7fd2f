/** Reading which files are in `.links`. */
import type { Handler } from '../src/pool/serve.ts';
import { bytePath } from '../src/stores/optimise/byte-path.ts';
import { makeInodeSet } from '../src/stores/optimise/inode-set.ts';
import { readInodes } from '../src/stores/optimise/read-directory.ts';

const readLinks: Handler<'readLinks'> = async ({ linksDir }) => ({
  linked: makeInodeSet(readInodes(bytePath(linksDir))),
});
export default readLinks;
