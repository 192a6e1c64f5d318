import { html } from "hono/html";
import type { Message } from "./messages.ts";

/** The recorded messages for human eyes. `html` escapes everything it is given. */
export function renderPage(items: Message[], total: number, skip: number) {
  return html`
    <!DOCTYPE html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <title>Novu recorder</title>
        <style>
    body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }
    article { border-top: 1px solid #ccc; padding: .75rem 0 }
    pre { background: #f4f4f4; overflow: auto; padding: .5rem }
    small { color: #666 }
    </style>
      </head>
      <body>
    <h1>Messages</h1>
    <p>${items.length} of ${total}, newest first${skip > 0 ? `, after the first ${skip}` : ""}.
    Narrow with ?transactionId= ?subscriberId= ?workflow= ?skip= ?limit=</p>
    ${items.map(renderMessage)}
      </body>
    </html>
  `;
}

function renderMessage(message: Message) {
  const to = message.kind === "broadcast" ? "everybody" : message.subscriberIds.join(", ");
  const notes = [
    message.attempts > 1 ? `sent ${message.attempts} times, delivered once` : "",
    message.differing > 0 ? `${message.differing} of them differed and were lost` : "",
    message.cancelled ? "cancelled" : "",
  ].filter((note) => note !== "").join("; ");
  return html`
    <article>
    <strong>${message.workflow}</strong> to ${to}<br>
    <small>${message.receivedAt} · ${message.kind} · ${message.transactionId}</small>
    ${notes === "" ? "" : html`<br><em>${notes}</em>`}
    <pre>${JSON.stringify(message.request, null, 2)}</pre>
    </article>
  `;
}
