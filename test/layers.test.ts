import assert from 'node:assert/strict';
import { glob, readFile } from 'node:fs/promises';
import { posix } from 'node:path';
import { test } from 'node:test';

/** What each layer may import besides itself. README.md draws the same table. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  'src/errors.ts': [],
  'src/compiled-code.ts': [],
  'src/settings': ['src/errors.ts'],
  'src/formats/': ['src/errors.ts'],
  'src/stores/': ['src/formats/', 'src/settings', 'src/errors.ts'],
  'src/nix-conf/': ['src/formats/', 'src/settings', 'src/errors.ts'],
  'src/substituters/': ['src/stores/', 'src/formats/', 'src/settings', 'src/errors.ts'],
  'src/build/': ['src/pool/', 'src/stores/', 'src/formats/', 'src/settings', 'src/errors.ts'],
  'src/pool/': ['src/formats/', 'src/settings', 'src/errors.ts'],
  'workers/': [
    'src/pool/',
    'src/build/',
    'src/stores/',
    'src/formats/',
    'src/settings',
    'src/errors.ts',
    'src/compiled-code.ts',
  ],
  'src/goals/': ['src/substituters/', 'src/pool/', 'src/stores/', 'src/formats/', 'src/settings', 'src/errors.ts'],
  'src/scheduler/': [
    'src/goals/',
    'src/substituters/',
    'src/pool/',
    'src/stores/',
    'src/formats/',
    'src/settings',
    'src/errors.ts',
  ],
  'src/': ['src/'],
};
const layerOf = (file: string): string => Object.keys(MAY_IMPORT).find((layer) => file.startsWith(layer)) ?? file;
const root = new URL('../', import.meta.url);

for await (const file of glob(['src/**/*.ts', 'workers/*.ts'], { cwd: root })) {
  test(`${file} imports only what its layer may`, async () => {
    const text = await readFile(new URL(file, root), 'utf8');
    const layer = layerOf(file);
    for (const [, target] of text.matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)) {
      const imported = layerOf(posix.join(posix.dirname(file), target!));
      const allowed = [layer, ...MAY_IMPORT[layer]!];
      assert.ok(
        allowed.some((prefix) => imported.startsWith(prefix)),
        `${file} must not import ${target}`,
      );
    }
  });
}
