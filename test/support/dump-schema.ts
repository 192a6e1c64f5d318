// `npm run schema`: writes what is made from the migrations, test/schema.sql and the database's types.
import { writeFileSync } from "node:fs";
import { generateTypes } from "../../supabase/local/postgres/database.ts";
import { root } from "../../supabase/local/root.ts";
import { withFreshDatabase } from "../ci/fresh-database.ts";
import { dumpSchema, schemaFile } from "../ci/schema-dump.ts";

await withFreshDatabase(async (url) => {
  writeFileSync(schemaFile, await dumpSchema(url));
  writeFileSync(`${root}shared/database.types.ts`, await generateTypes(url));
});
