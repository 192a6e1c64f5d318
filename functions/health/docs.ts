// A page that reads openapi.json beside it and lays it out; no script or style from elsewhere.
export const docsPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Rafflebase API</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1c2430; }
  h2 { margin-top: 2.5rem; border-bottom: 1px solid #d5dae1; }
  details { margin: .5rem 0; border: 1px solid #d5dae1; border-radius: .5rem; padding: .5rem 1rem; }
  summary { cursor: pointer; }
  .method { display: inline-block; min-width: 4.5rem; font-weight: 700; text-transform: uppercase; }
  .get { color: #0a7d4f } .post { color: #1f5fbf } .put, .patch { color: #a15c00 } .delete { color: #b3261e }
  code, pre { font: 14px/1.45 ui-monospace, monospace; background: #f4f6f8; border-radius: .25rem; }
  pre { padding: .75rem; overflow: auto; } code { padding: 0 .25rem; }
</style>
<h1>Rafflebase API</h1>
<p>Made from <a href="openapi.json">openapi.json</a>, which is made from the schemas that requests are checked with.</p>
<main>Loading ...</main>
<script type="module">
  const api = await (await fetch("openapi.json")).json();
  const main = document.querySelector("main");
  main.replaceChildren();
  const make = (tag, text, className) => Object.assign(document.createElement(tag), { textContent: text, className: className ?? "" });
  const byTag = {};
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      (byTag[operation.tags[0]] ??= []).push({ path, method, operation });
    }
  }
  for (const [tag, operations] of Object.entries(byTag)) {
    main.append(make("h2", tag));
    for (const { path, method, operation } of operations) {
      const box = make("details", "");
      const summary = make("summary", "");
      summary.append(make("span", method, "method " + method), make("code", path), " " + operation.summary);
      box.append(summary);
      for (const [needed] of operation.security.map(Object.keys)) box.append(make("p", "Needs a " + needed + ": Authorization: Bearer ..."));
      for (const one of operation.parameters) box.append(make("p", one.in + " " + one.name + ": " + JSON.stringify(one.schema)));
      const body = operation.requestBody?.content["application/json"].schema;
      if (body) box.append(make("h4", "Body"), make("pre", JSON.stringify(body, null, 2)));
      for (const [status, answer] of Object.entries(operation.responses)) {
        box.append(make("h4", status), make("p", answer.description));
        const schema = answer.content["application/json"].schema;
        if (status < "400") box.append(make("pre", JSON.stringify(schema, null, 2)));
      }
      main.append(box);
    }
  }
</script>
</html>`;
