// Where in a file the line of each name stands, in columns: 100 000 names take 3 MB, and their lines 60. Knows nothing of names or lines but their hashes and places.

/** `offset` is counted in bytes as `LineSource` counts them. */
export interface Place {
  readonly offset: number;
  readonly length: number;
}

/** As it can be kept in a file. */
export interface PlaceColumns {
  /** Entry plus one at the slot of its hash, or at one of the next; 0 where nothing is. */
  readonly slots: Uint32Array;
  readonly hashes: Uint32Array;
  readonly offsets: Float64Array;
  /** 0 of an entry that was removed. */
  readonly lengths: Uint32Array;
  readonly count: number;
  readonly live: number;
}

/** FNV-1a of the characters, with its bits mixed at the end. */
export function hashOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i += 1) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}

const firstRoom = 256;

/** Lives as long as the shelf it belongs to. Two names of one hash are told apart by whoever can read their lines. */
export class Places {
  #slots: Uint32Array = new Uint32Array(2 * firstRoom);
  #hashes: Uint32Array = new Uint32Array(firstRoom);
  #offsets: Float64Array = new Float64Array(firstRoom);
  #lengths: Uint32Array = new Uint32Array(firstRoom);
  #count = 0;
  #live = 0;

  /** How many there are. */
  get size(): number {
    return this.#live;
  }

  /** The entry of a name, or -1. `isIt` says whether the line at a place is the name's. */
  find(hash: number, isIt: (place: Place) => boolean): number {
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const entry = (this.#slots[slot] ?? 0) - 1;
      if (entry < 0) return -1;
      if (this.#hashes[entry] === hash && this.#lengths[entry] !== 0 && isIt(this.at(entry))) return entry;
    }
  }

  at(entry: number): Place {
    return { offset: this.#offsets[entry] ?? 0, length: this.#lengths[entry] ?? 0 };
  }

  /** Of a name that has no entry. */
  add(hash: number, place: Place): void {
    if (this.#count === this.#hashes.length) this.#grow();
    const entry = this.#count;
    this.#count += 1;
    this.#live += 1;
    this.#hashes[entry] = hash;
    this.set(entry, place);
    this.#enter(entry);
  }

  set(entry: number, { offset, length }: Place): void {
    this.#offsets[entry] = offset;
    this.#lengths[entry] = length;
  }

  remove(entry: number): void {
    this.#lengths[entry] = 0;
    this.#live -= 1;
  }

  /** In the order in which the names came. */
  *all(): Generator<Place> {
    for (let entry = 0; entry < this.#count; entry += 1) if (this.#lengths[entry] !== 0) yield this.at(entry);
  }

  clear(): void {
    this.#slots.fill(0);
    this.#count = 0;
    this.#live = 0;
  }

  columns(): PlaceColumns {
    const count = this.#count;
    return {
      slots: this.#slots,
      hashes: this.#hashes.slice(0, count),
      offsets: this.#offsets.slice(0, count),
      lengths: this.#lengths.slice(0, count),
      count,
      live: this.#live,
    };
  }

  /** Takes the place of all that there is. The columns are its own from now on. */
  load({ slots, hashes, offsets, lengths, count, live }: PlaceColumns): void {
    this.#slots = slots;
    this.#hashes = hashes;
    this.#offsets = offsets;
    this.#lengths = lengths;
    this.#count = count;
    this.#live = live;
  }

  #enter(entry: number): void {
    const mask = this.#slots.length - 1;
    let slot = (this.#hashes[entry] ?? 0) & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = entry + 1;
  }

  #grow(): void {
    const room = Math.max(firstRoom, 2 * this.#count);
    const into = <T extends Uint32Array | Float64Array>(next: T, old: T): T => {
      next.set(old);
      return next;
    };
    this.#hashes = into(new Uint32Array(room), this.#hashes);
    this.#offsets = into(new Float64Array(room), this.#offsets);
    this.#lengths = into(new Uint32Array(room), this.#lengths);
    if (this.#slots.length >= 2 * room) return;
    // A power of two, never more than half full.
    this.#slots = new Uint32Array(2 ** Math.ceil(Math.log2(2 * room)));
    for (let entry = 0; entry < this.#count; entry += 1) this.#enter(entry);
  }
}
