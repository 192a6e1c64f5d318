// What the ledger does, without locks, rows or time: the model that SQL is held against.

export class Refusal extends Error {
  constructor(readonly code: string) {
    super(code);
  }
}

/** A mistake of ours, for which SQL has no code of its own. */
const MISTAKE = "P0001";
const NO_ROW = "P0002";
const CHECK = "23514";

interface Account {
  kind: string;
  currency: string;
  /** The account of what the user owes. */
  receivable?: string;
  balance: number;
  held: number;
  debt: number;
  suspended: boolean;
}

interface Hold {
  account: string;
  cents: number;
  active: boolean;
  due: boolean;
}

type Entry = readonly [account: string, cents: number];

export class LedgerModel {
  accounts = new Map<string, Account>();
  holds: Hold[] = [];
  transactions: { entries: Entry[]; reversed: boolean }[] = [];

  copy(): LedgerModel {
    return Object.assign(new LedgerModel(), structuredClone({ ...this }));
  }

  open(id: string, account: Pick<Account, "kind" | "currency" | "receivable">) {
    this.accounts.set(id, { ...account, balance: 0, held: 0, debt: 0, suspended: false });
  }

  post(entries: Entry[], evenSuspended = false) {
    const sums = new Map<string, number>();
    for (const [id, cents] of entries) {
      const account = this.accounts.get(id);
      if (!account || cents === 0) throw new Refusal(MISTAKE);
      sums.set(account.currency, (sums.get(account.currency) ?? 0) + cents);
    }
    if (entries.length < 2 || [...sums.values()].some((sum) => sum !== 0)) {
      throw new Refusal(MISTAKE);
    }
    for (const [id, account] of this.users(entries)) {
      const change = entries.reduce((sum, [to, cents]) => to === id ? sum + cents : sum, 0);
      if (change < 0 && isSuspended(account) && !evenSuspended) {
        throw new Refusal("wallet_suspended");
      }
      if (change < 0 && available(account) + change < 0) throw new Refusal("balance_insufficient");
      account.balance += change;
    }
    this.transactions.push({ entries, reversed: false });
    this.collectDebts(entries);
  }

  placeHold(id: string, cents: number) {
    const account = this.accounts.get(id)!;
    if (isSuspended(account)) throw new Refusal("wallet_suspended");
    if (available(account) < cents) throw new Refusal("balance_insufficient");
    if (cents <= 0) throw new Refusal(CHECK);
    account.held += cents;
    this.holds.push({ account: id, cents, active: true, due: false });
  }

  releaseHold(n: number) {
    const hold = this.endHold(n, false);
    this.collectDebts([[hold.account, 0]]);
  }

  captureHold(n: number, to: string) {
    const hold = this.endHold(n, true);
    this.post([[hold.account, -hold.cents], [to, hold.cents]], true);
  }

  makeDue(n: number) {
    if (this.holds[n]) this.holds[n].due = true;
  }

  expireHolds() {
    this.holds.map((hold, n) => ({ hold, n }))
      .filter(({ hold }) => hold.active && hold.due)
      .sort((one, other) => byId(one.hold.account, other.hold.account) || one.n - other.n)
      .forEach(({ n }) => this.releaseHold(n));
  }

  reverse(n: number) {
    const taken = this.transactions[n];
    if (!taken) throw new Refusal("transaction_not_found");
    if (taken.reversed) throw new Refusal("transaction_already_reversed");
    if (taken.entries.some(([id]) => this.accounts.get(id)!.kind === "RECEIVABLE")) {
      throw new Refusal(MISTAKE);
    }
    taken.reversed = true;
    this.post(taken.entries.map(([id, cents]) => [id, -cents]), true);
  }

  chargeBack(id: string, cents: number, clearing: string) {
    const account = this.accounts.get(id)!;
    const debt = cents > 0
      ? Math.max(cents - available(account), 0)
      : Math.max(cents, -account.debt);
    account.debt += debt;
    const entries: Entry[] = [[id, debt - cents], [account.receivable!, -debt], [clearing, cents]];
    this.post(entries.filter(([, change]) => change !== 0), true);
  }

  suspend(id: string, suspended: boolean) {
    this.accounts.get(id)!.suspended = suspended;
  }

  currencyOf(id: string) {
    return this.accounts.get(id)!.currency;
  }

  wallets() {
    return this.users([...this.accounts.keys()].map((id) => [id, 0])).map(([id, account]) => ({
      id,
      balance: account.balance,
      held: account.held,
      debt: account.debt,
      status: isSuspended(account) ? "SUSPENDED" : "ACTIVE",
    }));
  }

  private endHold(n: number, capture: boolean): Hold {
    const hold = this.holds[n];
    if (!hold) throw new Refusal(NO_ROW);
    if (!hold.active || (capture && hold.due)) throw new Refusal("hold_not_active");
    hold.active = false;
    this.accounts.get(hold.account)!.held -= hold.cents;
    return hold;
  }

  private collectDebts(entries: Entry[]) {
    for (const [id, account] of this.users(entries)) {
      const cents = Math.min(account.debt, available(account));
      if (cents === 0) continue;
      account.debt -= cents;
      this.post([[id, -cents], [account.receivable!, cents]], true);
    }
  }

  /** The users among the accounts, in the order in which they are locked. */
  private users(entries: Entry[]): [string, Account][] {
    return [...new Set(entries.map(([id]) => id))].sort(byId)
      .map((id): [string, Account] => [id, this.accounts.get(id)!])
      .filter(([, account]) => account.kind === "USER");
  }
}

const byId = (one: string, other: string) => Number(one) - Number(other);
const available = ({ balance, held }: Account) => balance - held;
const isSuspended = ({ suspended, debt }: Account) => suspended || debt > 0;
