// The documents of the API are documents of their kind, by the schemas that OpenAPI and AsyncAPI publish for them; and the
// page that shows one of them can be read by anyone.

import asyncapi from "@asyncapi/specs";
import { AxeBuilder } from "@axe-core/playwright";
import { registerSchema, validate as validateDraft07 } from "@hyperjump/json-schema/draft-07";
import { validate } from "@hyperjump/json-schema/openapi-3-1";
import { parse } from "yaml";

import { expect, test } from "./fixtures.ts";

type Document = Record<string, any>;
type Validator = (document: Document) => Promise<boolean>;

const OPENAPI = "https://spec.openapis.org/oas/3.1/schema-base";
const ASYNCAPI = "https://tallyboard.example/asyncapi-3.0.0";

/** Whether a document is valid, and no longer is after each of these changes. */
async function expectValid(document: Document, isValid: Validator, faults: ((document: Document) => void)[]) {
  expect(await isValid(document)).toBe(true);
  for (const fault of faults) {
    const damaged = structuredClone(document);
    fault(damaged);
    expect(await isValid(damaged), String(fault)).toBe(false);
  }
}

test("the OpenAPI document keeps the rules of OpenAPI 3.1", async ({ serve }) => {
  const server = await serve();
  const document = await (await fetch(`${server.url}/api/openapi.json`)).json();
  const isValid: Validator = async (document) => (await validate(OPENAPI, document)).valid;
  await expectValid(document, isValid, [
    (document) => delete document.info.title,
    (document) => (document.paths["/livez"].get.responses = { nonsense: {} }),
    (document) => (document.components.schemas.Results.type = "nonsense"),
  ]);
});

test("the AsyncAPI document keeps the rules of AsyncAPI 3.0", async ({ serve }) => {
  const server = await serve();
  const document = parse(await (await fetch(`${server.url}/api/asyncapi.yaml`)).text());
  registerSchema(structuredClone(asyncapi.schemasWithoutId["3.0.0"]), ASYNCAPI);
  const isValid: Validator = async (document) => (await validateDraft07(ASYNCAPI, document)).valid;
  await expectValid(document, isValid, [
    (document) => delete document.info.title,
    (document) => (document.operations.receive_votes_topic.action = "nonsense"),
    (document) => (document.components.schemas.Results.type = "nonsense"),
  ]);
});

test("the page of the API shows routes with their examples, and axe finds nothing", async ({ page, serve }) => {
  const server = await serve();
  await page.goto(`${server.url}/api`);
  const votes = page.locator('section[id="post-/api/v1/votes"]');
  await votes.locator("summary").first().click();
  await expect(votes.locator("pre").first()).toContainText('"voter_id"');
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target)}`)).toEqual([]);
});
