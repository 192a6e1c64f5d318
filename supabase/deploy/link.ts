// Links the checkout to the project: where its pooler is, and that the log-in may administer it.
import { existsSync, readFileSync } from "node:fs";
import { root } from "../local/root.ts";
import { CliError, supabase } from "./cli.ts";
import type { Step } from "./step.ts";
import { changed, unchanged } from "./step.ts";
import { Stop } from "./stop.ts";

const file = `${root}supabase/.temp/project-ref`;
const linked = () => existsSync(file) ? readFileSync(file, "utf8").trim() : "";

export const link: Step = {
  name: "link",
  plan: ({ projectRef }) => [`supabase link --project-ref ${projectRef}`],
  async run({ projectRef }) {
    const before = linked();
    try {
      await supabase("link", "--project-ref", projectRef);
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      throw new Stop(
        error.message,
        "Is the ref right, and is the log-in (supabase login, SUPABASE_ACCESS_TOKEN) of somebody who may administer the project?",
      );
    }
    if (before === projectRef) return unchanged("was linked already");
    return changed(before ? `linked; it was linked to ${before} before` : "linked");
  },
};
