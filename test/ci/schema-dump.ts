// The schema as text, so that the net effect of a migration is one diff: test/schema.sql.
import { withDatabase } from "../../supabase/local/postgres/database.ts";
import { root } from "../../supabase/local/root.ts";
import { sections } from "./catalogue.ts";

export const schemaFile = `${root}test/schema.sql`;

const HEAD = `-- What the migrations make: schemas public and app, and what they leave elsewhere.
-- Written by npm run schema, compared by a test; to be read, not to be run.
`;

const heading = (title: string) => `\n-- ${title} ${"-".repeat(94 - title.length)}\n`;

export function dumpSchema(url: string): Promise<string> {
  return withDatabase(
    url,
    (sql) =>
      sql.begin("isolation level repeatable read read only", async (transaction) => {
        // With nothing on the path every name is printed with its schema.
        await transaction`set local search_path = ''`;
        const parts = [HEAD];
        for (const [title, queries] of Object.entries(sections)) {
          // All that belongs to one object stands together, whichever query found it.
          const blocks = new Map<string, string>();
          for (const query of queries) {
            for (const { object, line } of await transaction.unsafe(query)) {
              blocks.set(object, `${blocks.get(object) ?? ""}${line.trimEnd()}\n`);
            }
          }
          const names = [...blocks.keys()].sort();
          if (names.length > 0) {
            parts.push(
              heading(title),
              ...names.map((name) => blocks.get(name)!),
            );
          }
        }
        return parts.join("\n");
      }),
  ) as Promise<string>;
}
