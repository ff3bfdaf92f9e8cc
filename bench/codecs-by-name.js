/**
 * Each is loaded only if it is used.
 * @type {Record<'legacy' | 'json' | 'msgpack', () => Promise<import('../dist/index.js').Codec<any>>>}
 */
export const codecs = {
  legacy: async () => (await import('../dist/index.js')).legacy(),
  json: async () => (await import('../dist/codecs/json.js')).json(),
  msgpack: async () => (await import('../dist/codecs/msgpack.js')).msgpack(),
};
