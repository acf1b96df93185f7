// A checkpoint's life through Neon's SDK: every call waits until its operations are done.
import { createNeonClient } from "@neon/sdk";
import pg from "pg";

const neon = createNeonClient({
  apiKey: process.env.API_KEY,
  baseUrl: process.env.BASE_URL,
  throwOnError: true,
  waitForReadiness: true,
  wait: { pollIntervalMs: 50, timeoutMs: 20_000 },
});

async function run(connectionString, query) {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 5_000 });
  await client.connect();
  try {
    return (await client.query(query)).rows.map((row) => Object.values(row)[0]);
  } finally {
    await client.end();
  }
}

const { project, connectionString } = await neon.projects.createAndConnect({ name: "sdk" });
const projectId = project.id;
const uri = () => neon.postgres.connectionString({ projectId });
const rows = async (address) => run(address ?? (await uri()), "SELECT name FROM step ORDER BY name");
const seen = { projectId, uris: [await uri()] };

await run(connectionString, "CREATE TABLE step AS SELECT 'one' AS name");
const first = await neon.branches.getDefault({ projectId });
const snapshot = await neon.snapshots.create({ projectId, branchId: first.id, name: "at one" });
await run(connectionString, "INSERT INTO step VALUES ('two')");
seen.changed = await rows();

// In one step.
const second = await neon.snapshots.restore({
  projectId,
  snapshotId: snapshot.id,
  targetBranchId: first.id,
  finalize: true,
});
seen.restored = await rows();
seen.uris.push(await uri());
seen.defaults = [first.id, second.id, (await neon.branches.getDefault({ projectId })).id];

// In two steps, the first time with a look that says no.
await run(await uri(), "INSERT INTO step VALUES ('other')");
seen.previews = [];
for (const commit of [false, true]) {
  const branch = await neon.snapshots.restore(
    {
      projectId,
      snapshotId: snapshot.id,
      targetBranchId: second.id,
      preview: async (restored) => {
        const address = await neon.postgres.connectionString({ projectId, branchId: restored.id });
        seen.previews.push({ preview: await rows(address), live: await rows(), status: restored.restore_status });
        return commit;
      },
    },
    {},
  );
  seen.previews.at(-1).after = await rows();
  seen.previews.at(-1).isDefault = (await neon.branches.getDefault({ projectId })).id === branch.id;
}
seen.uris.push(await uri());

const operations = await neon.operations.list({ projectId }).all();
seen.statuses = [...new Set(operations.map((operation) => operation.status))];
seen.branches = (await neon.branches.list({ projectId }).all()).map((branch) => branch.name).sort();
await neon.snapshots.delete({ projectId, snapshotId: snapshot.id });
seen.snapshots = await neon.snapshots.list({ projectId });
console.log(JSON.stringify(seen));
