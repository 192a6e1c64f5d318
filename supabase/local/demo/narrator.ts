// Tells the story: as lines for people, or as one JSON object for machines.
export interface Narrator {
  /** A new part of the story. */
  act(title: string): void;
  /** Something that happened, in words, with its facts for machines. */
  tell(line: string, facts?: Record<string, unknown>): void;
  /** While something is waited for; on a terminal each line takes the place of the one before. */
  wait(line: string): void;
  end(outcome: Record<string, unknown>): void;
}

const seconds = (since: number) => Math.round((performance.now() - since) / 100) / 10;

export function narrateInWords(): Narrator {
  const began = performance.now();
  const isTerminal = Deno.stdout.isTerminal();
  let waiting = false;
  const clear = () => {
    if (waiting) Deno.stdout.writeSync(new TextEncoder().encode("\r\x1b[K"));
    waiting = false;
  };
  let number = 0;
  return {
    act(title) {
      clear();
      console.log(`\n${++number}. ${title}`);
    },
    tell(line) {
      clear();
      console.log(`   ${line}`);
    },
    wait(line) {
      if (!isTerminal) return;
      clear();
      Deno.stdout.writeSync(new TextEncoder().encode(`   ${line}`));
      waiting = true;
    },
    end() {
      clear();
      console.log(`\nThat was everything, in ${seconds(began)} seconds.`);
    },
  };
}

export function narrateInJson(): Narrator {
  const began = performance.now();
  const acts: { title: string; at: number; told: Record<string, unknown>[] }[] = [];
  return {
    act: (title) => void acts.push({ title, at: seconds(began), told: [] }),
    tell: (line, facts = {}) => void acts.at(-1)!.told.push({ line, ...facts }),
    wait: () => {},
    end: (outcome) =>
      console.log(JSON.stringify({ ok: true, seconds: seconds(began), ...outcome, acts }, null, 2)),
  };
}
