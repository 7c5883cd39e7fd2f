import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { parsePrintableJson, printJson } from '../../src/formats/json-print.ts';

describe('printed JSON', () => {
  test('has its numbers as they were spelled', () => {
    const text = '[1.0,1e400,-0,12345678901234567890]';
    assert.equal(printJson(parsePrintableJson('x', text)), text);
  });

  test('has sorted keys, and those of maps in their order', () => {
    assert.equal(printJson({ b: true, '10': null, '9': 'x' }), '{"10":null,"9":"x","b":true}');
    const map = new Map([
      ['b', true],
      ['10', false],
    ]);
    assert.equal(printJson(map), '{"b":true,"10":false}');
  });

  test('is what JSON.stringify prints, where that sorts', () => {
    const anyValue = fc.letrec((tie) => ({
      value: fc.oneof(
        fc.constantFrom(null, true, false),
        fc.string({ unit: 'grapheme' }),
        fc.array(tie('value'), { maxLength: 3 }),
        fc
          .array(tie('value'), { maxLength: 3 })
          .map((values) => ({ ...Object.fromEntries(values.map((each, index) => [`k${index}`, each])) })),
      ),
    })).value;
    fc.assert(
      fc.property(anyValue, fc.constantFrom(0, 2), (value, indent) => {
        assert.equal(printJson(value as never, indent), JSON.stringify(value, undefined, indent));
      }),
    );
  });
});
