/**
 * Derivations in JSON, in two forms. The current one, version 4, has the base names of store paths, and structured
 * attributes as such. The one of Nix 2.8 has no version, full store paths, and the variables as they are.
 *
 * Source: Nix 2.35 manual, "Derivation JSON Format"; libstore/derivations.cc. Nix 2.8 nix/show-derivation.cc.
 */
import type { ContentAddress } from './content-address.ts';
import { printContentAddressMethod } from './content-address.ts';
import type { Derivation, DerivationOutput } from './derivation.ts';
import { printDigest, printHash } from './hash.ts';
import { JsonNumber, type PrintableJson, parsePrintableJson, printJson } from './json-print.ts';
import { printStorePath, type StoreDir, type StorePath } from './store-path.ts';
import { STRUCTURED_ATTRS_VARIABLE } from './structured-attrs.ts';

/** `2.8` is what Nix prints up to 2.8, without a version; `4` is that of Nix 2.35. */
export const DERIVATION_JSON_FORMATS = ['4', '2.8'] as const;
/** One of {@link DERIVATION_JSON_FORMATS}. */
export type DerivationJsonFormat = (typeof DERIVATION_JSON_FORMATS)[number];

const VERSION = new JsonNumber('4');

/**
 * The derivations by path, as `nix derivation show` prints them (version 4) or `nix show-derivation` (2.8); without a
 * newline at the end.
 *
 * @throws {FormatError} on structured attributes that are no JSON, in version 4.
 */
export function printDerivationsJson(
  storeDir: StoreDir,
  derivations: ReadonlyMap<StorePath, Derivation>,
  format: DerivationJsonFormat,
): string {
  if (format === '4') {
    const shown = Array.from(derivations, ([path, derivation]) => [path, currentForm(derivation)] as const);
    return printJson({ derivations: new Map<string, PrintableJson>(shown), version: VERSION }, 2);
  }
  const shown = Array.from(
    derivations,
    ([path, derivation]) => [printStorePath(storeDir, path), oldForm(storeDir, derivation)] as const,
  );
  return printOldJson(new Map(shown));
}

/** One derivation in the form of version 4. */
export function printDerivationJson(derivation: Derivation): string {
  return printJson(currentForm(derivation), 2);
}

function currentForm({ name, outputs, inputDrvs, inputSrcs, system, builder, args, env }: Derivation): PrintableJson {
  const attributes = env.get(STRUCTURED_ATTRS_VARIABLE);
  const variables = new Map([...env].filter(([variable]) => variable !== STRUCTURED_ATTRS_VARIABLE));
  const drvs = Array.from(inputDrvs, ([path, names]) => [path, { dynamicOutputs: {}, outputs: names }] as const);
  return {
    name,
    version: VERSION,
    outputs: new Map(Array.from(outputs, ([output, value]) => [output, currentOutput(value)])),
    inputs: { srcs: inputSrcs, drvs: new Map<string, PrintableJson>(drvs) },
    system,
    builder,
    args,
    env: variables,
    ...(attributes !== undefined && { structuredAttrs: parsePrintableJson('structured attributes', attributes) }),
  };
}

function currentOutput({ path, contentAddress }: DerivationOutput): PrintableJson {
  return contentAddress === undefined ? { path } : currentContentAddress(contentAddress);
}

function currentContentAddress({ method, hash }: ContentAddress): PrintableJson {
  return { method, hash: printHash(hash, 'sri') };
}

function oldForm(storeDir: StoreDir, derivation: Derivation): PrintableJson {
  const print = (path: StorePath): string => printStorePath(storeDir, path);
  const outputs = Array.from(derivation.outputs, ([name, { path, contentAddress }]) => {
    const fields = new Map([['path', print(path)]]);
    if (contentAddress !== undefined) {
      fields.set('hashAlgo', printContentAddressMethod(contentAddress));
      fields.set('hash', printDigest(contentAddress.hash, 'base16'));
    }
    return [name, fields] as const;
  });
  return new Map<string, PrintableJson>([
    ['outputs', new Map(outputs)],
    ['inputSrcs', derivation.inputSrcs.map(print)],
    ['inputDrvs', new Map(Array.from(derivation.inputDrvs, ([path, names]) => [print(path), names]))],
    ['system', derivation.system],
    ['builder', derivation.builder],
    ['args', derivation.args],
    ['env', derivation.env],
  ]);
}

/** Nix 2.8 has no short escapes for these two. */
function printOldJson(value: PrintableJson): string {
  return printJson(value, 2).replace(/\\[\s\S]/g, (pair) =>
    pair === '\\b' ? '\\u0008' : pair === '\\f' ? '\\u000c' : pair,
  );
}
