/**
 * The outputs of a derivation, read from the start of its file: `Derive([("out","/nix/store/…","",""),…],…`.
 * A local store keeps them in its database, so that the collector finds the derivation of an output.
 *
 * Source: Nix 2.35 manual, "Derivation ATerm format"; libstore/derivations.cc.
 */
import { FormatError } from '../errors.ts';

export interface DerivationOutput {
  /** Such as `out` or `dev`. */
  readonly name: string;
  /** The full store path, as the file has it; undefined where it is only known once it is built. */
  readonly path: string | undefined;
}

/** A string of the format: anything but quotes and backslashes, or an escaped character. */
const STRING = String.raw`"([^"\\]*(?:\\.[^"\\]*)*)"`;
const START = /^(?:Derive\(\[|DrvWithVersion\("[^"\\]*",\[)/;
const OUTPUT = new RegExp(String.raw`\(${STRING},${STRING},${STRING},${STRING}\)([,\]])`, 'sy');

/**
 * Reads the outputs of a derivation.
 *
 * @param text - the file, or as much of its start as holds the outputs.
 * @throws {FormatError} on text that does not start as a derivation does, or ends within the outputs.
 */
export function parseDerivationOutputs(text: string): readonly DerivationOutput[] {
  const start = START.exec(text);
  if (start === null) throw new FormatError('derivation', 0, "wanted 'Derive([' or 'DrvWithVersion('");
  const outputs: DerivationOutput[] = [];
  OUTPUT.lastIndex = start[0].length;
  for (;;) {
    const offset = OUTPUT.lastIndex;
    const match = OUTPUT.exec(text);
    if (match === null) throw new FormatError('derivation', offset, 'wanted an output of four strings');
    const [, name, path, , , next] = match;
    outputs.push({ name: unescapeText(name!), path: path === '' ? undefined : unescapeText(path!) });
    if (next === ']') return outputs;
  }
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

function unescapeText(text: string): string {
  return text.replace(/\\(.)/gs, (_, character: string) => ESCAPES[character] ?? character);
}
