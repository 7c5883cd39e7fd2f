/** The objects that tests and their second processes agree on. */
import { makeObject, type StoreObject } from './store-objects.ts';
import { directory, file } from './trees.ts';

/** A small tree with a read-only directory in it, another one for each `id`. */
export function numberedObject(id: number): StoreObject {
  return makeObject(`object-${id}`, directory({ inner: directory({ file: file(String(id)) }) }));
}
