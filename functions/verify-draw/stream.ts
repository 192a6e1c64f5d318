// A whole draw as lines of JSON: first what was sealed, then each ticket. Page after page is read as the
// client takes them, so that a raffle of millions needs no more memory than one of a hundred.
export interface Page {
  tickets: object[];
  [field: string]: unknown;
}

const PAGE = 10_000;

export async function streamLines(read: (skip: number, count: number) => Promise<Page>) {
  const { tickets, ...seal } = await read(0, PAGE); // outside the stream: a refusal still has its status
  let page = tickets;
  let skip = 0;
  const encoder = new TextEncoder();
  const lines = (list: object[]) =>
    encoder.encode(list.map((one) => `${JSON.stringify(one)}\n`).join(""));
  const body = new ReadableStream({
    start: (controller) => controller.enqueue(lines([seal])),
    async pull(controller) {
      if (page.length > 0) controller.enqueue(lines(page));
      if (page.length < PAGE) return controller.close();
      page = (await read(skip += PAGE, PAGE)).tickets;
    },
  });
  return new Response(body, { headers: { "content-type": "application/x-ndjson" } });
}
