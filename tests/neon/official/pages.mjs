// All projects through both of Neon's clients for JavaScript, page by page.
import { createNeonClient } from "@neon/sdk";
import { createApiClient } from "@neondatabase/api-client";

const neon = createNeonClient({ apiKey: process.env.API_KEY, baseUrl: process.env.BASE_URL, throwOnError: true });
const older = createApiClient({ apiKey: process.env.API_KEY, baseURL: process.env.BASE_URL });
const search = process.argv[2];
const names = (projects) => projects.map((project) => project.name).sort();

const streamed = [];
for await (const project of neon.projects.list({ search, limit: 7 })) streamed.push(project);

const paged = [];
for (let cursor; ; ) {
  const { data } = await older.listProjects({ search, limit: 9, cursor });
  paged.push(...data.projects);
  cursor = data.pagination?.cursor;
  if (!cursor || data.projects.length === 0) break;
}

console.log(
  JSON.stringify({
    all: names(await neon.projects.list({ search }).all()),
    streamed: names(streamed),
    paged: names(paged),
    first: (await neon.projects.list({ search }).page()).items.length,
    ids: new Set(streamed.map((project) => project.id)).size,
  }),
);
