/** A clock that tests may stop and move; untouched, it is the real one. Milliseconds. */
export class Clock {
  #real: () => number;
  #offset = 0;
  #frozenAt: number | null = null;

  constructor(real: () => number = Date.now) {
    this.#real = real;
  }

  now(): number {
    return this.#frozenAt ?? this.#real() + this.#offset;
  }

  get frozen(): boolean {
    return this.#frozenAt !== null;
  }

  freeze(): void {
    this.#frozenAt = this.now();
  }

  /** Runs on from where it stood, so that time never jumps back by itself. */
  resume(): void {
    if (this.#frozenAt === null) return;
    this.#offset = this.#frozenAt - this.#real();
    this.#frozenAt = null;
  }

  moveTo(milliseconds: number): void {
    if (this.#frozenAt === null) this.#offset = milliseconds - this.#real();
    else this.#frozenAt = milliseconds;
  }

  reset(): void {
    this.#offset = 0;
    this.#frozenAt = null;
  }
}
