/**
 * The credentials for S3, from where AWS's own tools have them: environment, shared profiles, single sign-on, a process,
 * web identity, container, instance.
 */
import { StoreError } from '../../errors.ts';

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** Answers the credentials of the moment; undefined where there are none, which is how public buckets are read. */
export type S3CredentialSource = () => Promise<S3Credentials | undefined>;

export interface S3CredentialPlace {
  /** The profile of the shared configuration, where one is named: then there must be credentials. */
  readonly profile: string | undefined;
  /** Where to ask for those of a role, unless the configuration says. */
  readonly region: string;
}

/** What it says when no place has any, in place of why one that should have them does not. */
const NOWHERE = 'Could not load credentials from any providers';

/** Its warnings would go to the terminal, past whatever is shown there. */
const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

/** They are kept until five minutes before they expire. That there are none is remembered. */
export function findS3Credentials(place: S3CredentialPlace): S3CredentialSource {
  const { profile } = place;
  let provider: ReturnType<typeof openProvider> | undefined;
  let anonymous = false;
  return async () => {
    if (anonymous) return undefined;
    try {
      provider ??= openProvider(place);
      return await (await provider)();
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      if (profile === undefined && reason.startsWith(NOWHERE)) {
        anonymous = true;
        return undefined;
      }
      const whose = profile === undefined ? '' : ` of profile '${profile}'`;
      throw new StoreError(`cannot get the AWS credentials${whose}: ${reason}`, {
        cause,
        hint: 'the command line of AWS looks in the same places: aws configure list',
      });
    }
  };
}

/** What AWS has for it is loaded when it is first needed: 20 packages, and few runs need them. */
async function openProvider({ profile, region }: S3CredentialPlace): Promise<() => Promise<S3Credentials>> {
  const { defaultProvider } = await import('@aws-sdk/credential-provider-node');
  return defaultProvider({
    ...(profile !== undefined && { profile }),
    logger: SILENT,
    clientConfig: { region: process.env.AWS_REGION || process.env.AWS_DEFAULT_REGION || region },
  });
}
