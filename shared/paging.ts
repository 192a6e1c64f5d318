// Lists: `skip` and `limit` in, `items` and `total` out, the same everywhere.
import { z } from "zod";

export const page = z.strictObject({
  skip: z.coerce.number().int().min(0).max(1_000_000_000).default(0),
  limit: z.coerce.number().int().min(1).max(100).default(10),
});

export const listOf = (item: z.ZodType) =>
  z.object({ items: z.array(item), total: z.int().min(0) });
