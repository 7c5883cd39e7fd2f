import { BuildError } from '../errors.ts';
import { ReferenceScanner } from '../formats/reference-scanner.ts';
import type { BuildRequest, BuiltOutput } from '../pool/messages.ts';
import { dumpNar } from '../stores/nar-fs.ts';
import { hashNar } from '../stores/verify/hash-nar.ts';
export async function finishOutputs(
  request: BuildRequest,
  produced: ReadonlyMap<string, string>,
  _context: unknown,
): Promise<BuiltOutput[]> {
  return await Promise.all(
    request.outputs.map(async ({ name, path }) => {
      const location = produced.get(name);
      if (location === undefined)
        throw new BuildError(`failed to produce output path for output '${name}'`, {
          failure: { status: 'outputRejected' },
        });
      const { narHash, narSize } = await hashNar(location, new AbortController().signal, () => {});
      const scanner = new ReferenceScanner([...request.inputPaths, ...request.outputs.map((o) => o.path)]);
      await dumpNar(location, (chunk) => scanner.push(chunk) as never);
      const references = scanner.finish();
      return {
        name,
        location,
        info: { path, narHash, narSize, references, deriver: request.drvPath, signatures: [], ultimate: true },
      };
    }),
  );
}
