// A reader of ABNF (RFC 5234) for bytes, as far as docs/protocol.md uses it: no prose, %d or %b, incremental alternatives
// and core rules.

type Node =
  | { readonly type: 'range'; readonly from: number; readonly to: number }
  | { readonly type: 'bytes'; readonly bytes: readonly number[] }
  | { readonly type: 'rule'; readonly name: string }
  | Repeat
  | { readonly type: 'sequence'; readonly items: readonly Node[] }
  | { readonly type: 'choice'; readonly items: readonly Node[] };

interface Repeat {
  readonly type: 'repeat';
  readonly min: number;
  readonly max: number;
  readonly item: Node;
}

export class Grammar {
  readonly #rules = new Map<string, Node>();
  /** Rules that are used and not defined. */
  readonly missing: readonly string[];

  /** One rule a line. @throws Error if a line is no rule */
  constructor(text: string) {
    const used = new Set<string>();
    for (const line of text.split('\n').map((one) => one.replace(/\s*;.*$/, ''))) {
      if (line === '') continue;
      const [, name, definition] = /^([A-Za-z][\w-]*) = (.+)$/.exec(line) ?? [];
      if (name === undefined || definition === undefined) throw new Error(`no rule: ${line}`);
      if (this.#rules.has(name)) throw new Error(`${name} is defined twice`);
      this.#rules.set(name, new Parser(definition, used).parse());
    }
    this.missing = Array.from(used).filter((name) => !this.#rules.has(name));
  }

  get names(): readonly string[] {
    return Array.from(this.#rules.keys());
  }

  /** Whether all of the bytes are this rule. */
  matches(rule: string, bytes: Uint8Array): boolean {
    return this.#ends({ type: 'rule', name: rule }, bytes, 0).has(bytes.length);
  }

  /** Every position at which the node may end. */
  #ends(node: Node, bytes: Uint8Array, at: number): ReadonlySet<number> {
    switch (node.type) {
      case 'range': {
        const byte = bytes[at];
        return new Set(byte !== undefined && byte >= node.from && byte <= node.to ? [at + 1] : []);
      }
      case 'bytes':
        return new Set(node.bytes.every((byte, index) => bytes[at + index] === byte) ? [at + node.bytes.length] : []);
      case 'rule': {
        const rule = this.#rules.get(node.name);
        if (!rule) throw new Error(`${node.name} is not defined`);
        return this.#ends(rule, bytes, at);
      }
      case 'choice':
        return new Set(node.items.flatMap((item) => Array.from(this.#ends(item, bytes, at))));
      case 'sequence':
        return node.items.reduce<ReadonlySet<number>>((ends, item) => this.#endsFrom(item, bytes, ends), new Set([at]));
      case 'repeat':
        return this.#repeatedEnds(node, bytes, at);
      default:
        throw new Error('an unknown node');
    }
  }

  #repeatedEnds({ item, min, max }: Repeat, bytes: Uint8Array, at: number): ReadonlySet<number> {
    const found = new Set<number>(min === 0 ? [at] : []);
    let ends: ReadonlySet<number> = new Set([at]);
    for (let count = 1; count <= max && ends.size > 0; count += 1) {
      const next = this.#endsFrom(item, bytes, ends);
      // An item without a byte would repeat for ever.
      ends = new Set(Array.from(next).filter((end) => count <= min || !found.has(end)));
      if (count >= min) for (const end of ends) found.add(end);
    }
    return found;
  }

  #endsFrom(node: Node, bytes: Uint8Array, starts: ReadonlySet<number>): ReadonlySet<number> {
    return new Set(Array.from(starts).flatMap((start) => Array.from(this.#ends(node, bytes, start))));
  }
}

/** Reads one definition. */
class Parser {
  readonly #tokens: readonly string[];
  readonly #used: Set<string>;
  #at = 0;

  constructor(definition: string, used: Set<string>) {
    this.#tokens = definition.match(TOKEN) ?? [];
    this.#used = used;
    if (this.#tokens.join('') !== definition.replaceAll(' ', '')) throw new Error(`cannot read: ${definition}`);
  }

  parse(): Node {
    const node = this.#choice();
    if (this.#at < this.#tokens.length) throw new Error(`not expected: ${this.#tokens[this.#at]}`);
    return node;
  }

  #choice(): Node {
    const items = [this.#sequence()];
    while (this.#tokens[this.#at] === '/') {
      this.#at += 1;
      items.push(this.#sequence());
    }
    return { type: 'choice', items };
  }

  #sequence(): Node {
    const items: Node[] = [];
    for (let next = this.#tokens[this.#at]; next !== undefined && !/^[/)\]]$/.test(next); next = this.#tokens[this.#at])
      items.push(this.#repeat());
    if (items.length === 0) throw new Error('nothing between two alternatives');
    return { type: 'sequence', items };
  }

  #repeat(): Node {
    const token = this.#tokens[this.#at] ?? '';
    if (!/^[\d*]/.test(token)) return this.#element();
    this.#at += 1;
    const [min = '', max = min] = token.split('*');
    const most = token.includes('*') ? (max === '' ? Infinity : Number(max)) : Number(min);
    return { type: 'repeat', min: Number(min), max: most, item: this.#element() };
  }

  #element(): Node {
    const token = this.#tokens[this.#at] ?? '';
    this.#at += 1;
    if (token === '(' || token === '[') {
      const inner = this.#choice();
      if (this.#tokens[this.#at] !== (token === '(' ? ')' : ']')) throw new Error('a group is not closed');
      this.#at += 1;
      return token === '(' ? inner : { type: 'repeat', min: 0, max: 1, item: inner };
    }
    if (token.startsWith('"')) return { type: 'bytes', bytes: Array.from(Buffer.from(token.slice(1, -1))) };
    if (token.startsWith('%x')) {
      const numbers = token
        .slice(2)
        .split(/[-.]/)
        .map((digits) => Number.parseInt(digits, 16));
      const [from = 0, to = 0] = numbers;
      return token.includes('-') ? { type: 'range', from, to } : { type: 'bytes', bytes: numbers };
    }
    this.#used.add(token);
    return { type: 'rule', name: token };
  }
}

const TOKEN = /%x[\dA-F]{2}(?:-[\dA-F]{2}|(?:\.[\dA-F]{2})*)|"[^"]*"|\d*\*\d*|\d+|[A-Za-z][\w-]*|[/()[\]]/g;
