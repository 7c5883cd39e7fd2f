/** Registrations of paths that need no files, to fill databases of stores with graphs of any size. */
import { hashBytes } from '../../src/formats/hash.ts';
import { DEFAULT_STORE_DIR, makeStorePath, type StorePath } from '../../src/formats/store-path.ts';
import { printRegistration, type Registration } from '../../src/formats/validity-registration.ts';

/** A path for a name: the same in every run. */
export function pathNamed(name: string): StorePath {
  return makeStorePath(DEFAULT_STORE_DIR, 'output:out', hashBytes('sha256', name), name);
}

/** @param references - names. */
export function registered(name: string, references: readonly string[] = []): Registration {
  return {
    path: pathNamed(name),
    narHash: hashBytes('sha256', `contents of ${name}`),
    narSize: 100 + name.length,
    deriver: undefined,
    references: references.map(pathNamed).sort(),
  };
}

/** The text, in pieces that end anywhere. */
export async function* textOf(registrations: Iterable<Registration>): AsyncGenerator<Uint8Array> {
  let rest = '';
  for (const registration of registrations) {
    rest += printRegistration(DEFAULT_STORE_DIR, registration);
    if (rest.length < 20_000) continue;
    yield Buffer.from(rest.slice(0, 19_000));
    rest = rest.slice(19_000);
  }
  yield Buffer.from(rest);
}
