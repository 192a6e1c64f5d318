// `npm run schema`: writes test/schema.sql from a database made for it.
import { writeFileSync } from "node:fs";
import { withFreshDatabase } from "../ci/fresh-database.ts";
import { dumpSchema, schemaFile } from "../ci/schema-dump.ts";

writeFileSync(schemaFile, await withFreshDatabase(dumpSchema));
