/** application/x-www-form-urlencoded as Stripe reads it: `a[b][0][c]=x`, `a[]=x`. */
export type FormValue = string | Form;
export interface Form {
  [key: string]: FormValue;
}

const MAX_DEPTH = 10;

export function decodeForm(encoded: string): Form {
  const form = emptyForm();
  for (const [name, value] of new URLSearchParams(encoded)) set(form, keysOf(name), value);
  return form;
}

/** No prototype: a parameter may be called `__proto__` or `constructor`. */
function emptyForm(): Form {
  return Object.create(null);
}

function keysOf(name: string): string[] {
  const [head, ...rest] = name.split("[");
  return [head, ...rest.map((part) => part.replace(/\]$/, ""))].slice(0, MAX_DEPTH);
}

function set(form: Form, keys: string[], value: string): void {
  let at = form;
  keys.forEach((raw, index) => {
    const key = raw === "" && index > 0 ? String(Object.keys(at).length) : raw;
    if (index === keys.length - 1) {
      at[key] = value;
      return;
    }
    const next = at[key];
    at = at[key] = typeof next === "object" ? next : emptyForm();
  });
}

/** The same text for the same parameters, in whatever order they came. */
export function canonical(value: FormValue): string {
  if (typeof value === "string") return JSON.stringify(value);
  const members = Object.keys(value).sort()
    .map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`);
  return `{${members.join(",")}}`;
}
