// Shows openapi.json for people: routes, parameters, answers and types. Text goes in as text, never as HTML.
"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];

// An element with attributes and children; text becomes text.
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

// Paragraphs, lists and `code`: as much of Markdown as our descriptions use.
function prose(text = "") {
  const inline = (line) =>
    line.split("`").map((part, index) => (index % 2 ? element("code", {}, part) : part));
  return text.split(/\n\s*\n/).filter(Boolean).map((block) => {
    // A line that is indented goes on with the one before it.
    const lines = block.replace(/\n {2,}/g, " ").split("\n");
    return lines.every((line) => line.startsWith("- "))
      ? element("ul", {}, lines.map((line) => element("li", {}, inline(line.slice(2)))))
      : element("p", {}, inline(lines.join(" ")));
  });
}

function typeId(name) {
  return `type-${name}`;
}

// A schema in a few words, with links to the types that it names.
function words(schema) {
  if (!schema || Object.keys(schema).length === 0) return ["anything"];
  if (schema.$ref) {
    const name = schema.$ref.split("/").pop();
    return [element("a", { href: `#${typeId(name)}` }, name)];
  }
  if (schema.enum) return [schema.enum.map((value) => JSON.stringify(value)).join(" | ")];
  const several = schema.oneOf || schema.anyOf;
  if (several) return several.flatMap((part, index) => [index ? " | " : "", ...words(part)]);
  if (schema.allOf) return schema.allOf.flatMap((part, index) => [index ? " & " : "", ...words(part)]);
  const types = [schema.type ?? "object"].flat();
  return types.flatMap((type, index) => {
    const between = index ? [" | "] : [];
    if (type === "array") return [...between, "array of ", ...words(schema.items)];
    if (type === "object" && schema.properties) {
      const fields = Object.entries(schema.properties).flatMap(([name, field], at) => [
        at ? ", " : " ", `${name}: `, ...words(field)]);
      return [...between, "{", ...fields, " }"];
    }
    if (type === "object" && schema.additionalProperties) {
      return [...between, "object of ", ...words(schema.additionalProperties)];
    }
    return [...between, schema.format ? `${type} (${schema.format})` : type];
  });
}

function table(heads, rows) {
  if (rows.length === 0) return null;
  return element("div", { class: "scroll" }, element("table", {},
    element("thead", {}, element("tr", {}, heads.map((head) => element("th", { scope: "col" }, head)))),
    element("tbody", {}, rows.map((row) => element("tr", {}, row.map((cell) => element("td", {}, cell)))))));
}

function example(content) {
  if (content.example === undefined) return null;
  const text = typeof content.example === "string" ? content.example : JSON.stringify(content.example, null, 2);
  return element("details", {}, element("summary", {}, "Example"), element("pre", { tabindex: "0" }, text));
}

function headers(described = {}) {
  const rows = Object.entries(described).map(([name, header]) =>
    element("li", {}, element("code", {}, name), `: ${header.description}`));
  return rows.length === 0 ? null : element("details", {}, element("summary", {}, "Headers"), element("ul", {}, rows));
}

function answers(responses) {
  return Object.entries(responses).map(([status, response]) => {
    const contents = Object.entries(response.content ?? {});
    const kinds = contents.flatMap(([kind, content], index) => [
      index ? ", " : "", element("code", {}, kind), ...(content.schema ? [" ", ...words(content.schema)] : []),
      example(content)].filter((part) => part !== null));
    const said = [...prose(response.description), headers(response.headers)];
    return [status === "default" ? "other" : status, said, kinds];
  });
}

function route(path, method, operation) {
  const id = `${method}-${path}`;
  const parameters = (operation.parameters ?? []).map((parameter) => [
    element("code", {}, parameter.name), parameter.in, words(parameter.schema), prose(parameter.description)]);
  const bodies = Object.entries(operation.requestBody?.content ?? {}).map(([kind, content]) => [
    element("code", {}, kind), [...words(content.schema), example(content)].filter((part) => part !== null),
    prose(operation.requestBody.description)]);
  return element("section", { id },
    element("h3", {}, element("span", { class: "method" }, method.toUpperCase()), " ", element("code", {}, path)),
    element("p", { class: "summary" }, operation.summary ?? ""),
    prose(operation.description),
    operation.security ? element("p", {}, "Needs a bearer token.") : null,
    table(["parameter", "in", "type", "meaning"], parameters),
    table(["body", "type", "meaning"], bodies),
    table(["status", "meaning", "body"], answers(operation.responses)));
}

function type(name, schema) {
  const required = new Set(schema.required ?? []);
  const fields = Object.entries(schema.properties ?? {}).map(([field, of]) => [
    element("code", {}, field), words(of), required.has(field) ? "always" : "", prose(of.description)]);
  return element("section", { id: typeId(name) },
    element("h3", {}, name),
    prose(schema.description),
    fields.length ? table(["field", "type", "there", "meaning"], fields) : element("p", {}, words(schema)));
}

function show(api) {
  document.getElementById("title").textContent = `${api.info.title} API ${api.info.version}`;
  document.getElementById("description").replaceChildren(...prose(api.info.description));
  const operations = Object.entries(api.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({ path, method, operation: item[method] })));
  const groups = api.tags.map((tag) => ({
    tag, routes: operations.filter(({ operation }) => (operation.tags ?? []).includes(tag.name)) }));
  document.getElementById("contents").replaceChildren(...groups.map(({ tag, routes }) =>
    element("div", {}, element("h2", {}, tag.name), element("ul", {}, routes.map(({ path, method, operation }) =>
      element("li", {}, element("a", { href: `#${method}-${path}` }, operation.summary ?? path)))))));
  const schemas = Object.entries(api.components.schemas).sort(([one], [other]) => one.localeCompare(other));
  document.getElementById("routes").replaceChildren(
    ...groups.flatMap(({ tag, routes }) => [
      element("h2", {}, tag.name), ...prose(tag.description),
      ...routes.map(({ path, method, operation }) => route(path, method, operation))]),
    element("h2", {}, "types"),
    ...schemas.map(([name, schema]) => type(name, schema)));
  // The place that the address names wasn't there before.
  if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}

fetch("/api/openapi.json")
  .then((answer) => {
    if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
    return answer.json();
  })
  .then(show)
  .catch((error) => {
    document.getElementById("routes").textContent = `openapi.json can't be shown: ${error.message}`;
  });
