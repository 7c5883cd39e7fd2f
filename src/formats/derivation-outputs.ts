/**
 * The outputs of a derivation, read from the start of its file: `Derive([("out","/nix/store/…","",""),…],…`.
 * A local store keeps them in its database, so that the collector finds the derivation of an output. Here derivations
 * of every kind are read, also those that cannot be built.
 *
 * Source: Nix 2.35 manual, "Derivation ATerm format"; libstore/derivations.cc.
 */
import { AtermReader } from './aterm.ts';

/** An output by name. */
export interface NamedOutput {
  /** Such as `out` or `dev`. */
  readonly name: string;
  /** The full store path, as the file has it; undefined where it is only known once it is built. */
  readonly path: string | undefined;
}

/**
 * Reads the outputs of a derivation.
 *
 * @param text - the file in latin1, or as much of its start as holds the outputs.
 * @throws {FormatError} on text that does not start as a derivation does, or ends within the outputs.
 */
export function parseDerivationOutputs(text: string): readonly NamedOutput[] {
  const reader = new AtermReader('derivation', text, 'latin1');
  if (reader.accepts('DrvWithVersion(')) {
    reader.string();
    reader.expect(',');
  } else {
    reader.expect('Derive(');
  }
  const outputs: NamedOutput[] = [];
  reader.list(() => {
    reader.expect('(');
    const name = reader.string();
    reader.expect(',');
    const path = reader.string();
    for (let field = 0; field < 2; field++) {
      reader.expect(',');
      reader.string();
    }
    reader.expect(')');
    outputs.push({ name, path: path === '' ? undefined : path });
  });
  return outputs;
}
