// `npm run types`: shared/database.types.ts from the schema of the running stack.
import { writeFileSync } from "node:fs";
import { generateTypes } from "./postgres/database.ts";
import { root } from "./root.ts";
import { runningStack } from "./stack.ts";

const stack = runningStack(`${root}supabase/.local`);
if (!stack) throw new Error("No stack is running here: npm start");
writeFileSync(`${root}shared/database.types.ts`, await generateTypes(stack.db_url));
