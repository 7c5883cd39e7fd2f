/** Deletion of files in `.links` that nothing shares. */
import type { Handler } from '../src/pool/serve.ts';
import { deleteUnusedLinks } from '../src/stores/gc/unused-links.ts';

const deleteLinks: Handler<'deleteLinks'> = async ({ linksDir, part, parts }) =>
  deleteUnusedLinks(linksDir, part, parts);
export default deleteLinks;
