/** How this program introduces itself to servers. */
import { UsageError } from '../../errors.ts';

/** Without any suffix. */
export const USER_AGENT = 'sluice/0.1.0';

/**
 * The value of header `User-Agent`.
 *
 * @param suffix - setting `user-agent-suffix`.
 * @throws {UsageError} where it holds what no header may.
 */
export function userAgent(suffix: string): string {
  if (suffix === '') return USER_AGENT;
  if (!/^[\t\x20-\x7e]*$/.test(suffix)) {
    throw new UsageError("setting 'user-agent-suffix' wants printable ASCII characters in one line");
  }
  return `${USER_AGENT} ${suffix}`;
}
