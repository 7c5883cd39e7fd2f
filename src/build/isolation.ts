/**
 * Whether a build runs in a sandbox, and what if there can be none.
 *
 * Source: Nix 2.35 libstore/unix/build/derivation-builder.cc, makeDerivationBuilder.
 */
import { BuildError } from '../errors.ts';
import type { DerivationOptions } from '../formats/derivation-options.ts';
import type { Notice } from '../pool/messages.ts';
import type { Settings } from '../settings.ts';
import { type Bubblewrap, type SandboxSupport, sandboxSupport } from './sandbox/probe.ts';

export interface IsolationInput {
  /** The derivation, with the store directory. */
  readonly drvPath: string;
  readonly options: DerivationOptions;
  readonly settings: Settings;
  /** Whether its output is known by its contents. */
  readonly fixed: boolean;
  /** Whether paths lie elsewhere than they are called: builders then see them only in a sandbox. */
  readonly diverted: boolean;
  readonly tell: (notice: Notice) => void;
}

let warned = false;

/**
 * What to isolate the build with; undefined where it runs as any other program.
 *
 * @throws {BuildError} where it must be isolated and cannot, or must and does not want to.
 */
export async function chooseIsolation(
  { drvPath, options, settings, fixed, diverted, tell }: IsolationInput,
  support: () => Promise<SandboxSupport> = sandboxSupport,
): Promise<Bubblewrap | undefined> {
  const { sandbox, sandboxFallback } = settings;
  if (sandbox === 'true' && options.noChroot) {
    throw new BuildError(
      `derivation '${drvPath}' has '__noChroot' set, which is not allowed when 'sandbox' is 'true'`,
      {
        failure: { status: 'inputRejected' },
        hint: 'allow it with setting sandbox = relaxed',
      },
    );
  }
  const wanted = sandbox === 'true' || (sandbox === 'relaxed' && !fixed && !options.noChroot);
  if (!wanted && !diverted) return undefined;
  const found = await support();
  if ('bubblewrap' in found) return found.bubblewrap;
  if (diverted || !sandboxFallback) {
    const why = diverted
      ? `; the store of '${drvPath}' lies elsewhere than it is called, so there must be a sandbox`
      : '';
    throw new BuildError(`cannot build '${drvPath}' in a sandbox: ${found.problem}${why}`, {
      failure: { status: 'inputRejected' },
      hint: found.hint,
    });
  }
  if (!warned) {
    warned = true;
    tell({ kind: 'warning', message: `builds run without a sandbox: ${found.problem} (${found.hint})` });
  }
  return undefined;
}
