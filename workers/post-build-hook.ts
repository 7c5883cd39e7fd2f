/** What setting post-build-hook wants done after a build. */
import { runPostBuildHook } from '../src/build/hooks/post-build-hook.ts';
import type { Handler } from '../src/pool/serve.ts';

const postBuildHook: Handler<'postBuildHook'> = async ({ drvPath, outPaths }, context) => {
  await runPostBuildHook(drvPath, outPaths, context);
  return {};
};
export default postBuildHook;
