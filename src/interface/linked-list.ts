interface Link<Item> {
  readonly item: Item;
  previous: Link<Item> | undefined;
  next: Link<Item> | undefined;
  isRemoved: boolean;
}

/**
 * Items in the order in which they were added, for what comes and goes all the time. A `Set` moves to a new table every so often,
 * and a table that it has left keeps the items that it had, and the table after it, until a collection of the whole heap.
 */
export class LinkedList<Item> {
  #first: Link<Item> | undefined;
  #last: Link<Item> | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Adds an item at the end. Returns a function that removes it, whose second call has no effect. */
  add(item: Item): () => void {
    const link: Link<Item> = { item, previous: this.#last, next: undefined, isRemoved: false };
    if (link.previous) link.previous.next = link;
    else this.#first = link;
    this.#last = link;
    this.#size += 1;
    return () => this.#remove(link);
  }

  /** The items that are in the list now, less those that are removed meanwhile. */
  *[Symbol.iterator](): Generator<Item, void> {
    const links: Link<Item>[] = [];
    for (let link = this.#first; link; link = link.next) links.push(link);
    for (const { isRemoved, item } of links) if (!isRemoved) yield item;
  }

  #remove(link: Link<Item>): void {
    if (link.isRemoved) return;
    const { previous, next } = link;
    if (previous) previous.next = next;
    else this.#first = next;
    if (next) next.previous = previous;
    else this.#last = previous;
    // What is removed must not keep its neighbours.
    link.previous = undefined;
    link.next = undefined;
    link.isRemoved = true;
    this.#size -= 1;
  }
}
