// How Neon's SDK understands what the plane refuses: prints the kind, status, code and message of each error.
import { createNeonClient } from "@neon/sdk";

const neon = createNeonClient({ apiKey: process.env.API_KEY, baseUrl: process.env.BASE_URL });
const stranger = createNeonClient({ apiKey: "not-the-key", baseUrl: process.env.BASE_URL });
const projectId = process.argv[2];
const tell = ({ error }) => ({
  kind: error?.kind,
  status: error?.status,
  message: error?.message,
  hasRequestId: Boolean(error?.requestId),
});

const branch = (await neon.branches.getDefault({ projectId })).data;
console.log(
  JSON.stringify({
    unknown: tell(await neon.projects.get({ projectId: "no-such-12345678" })),
    key: tell(await stranger.projects.list().all()),
    default: tell(await neon.branches.delete({ projectId, branchId: branch.id })),
    schedule: tell(await neon.snapshots.setSchedule({ projectId, branchId: branch.id, schedule: [] })),
    cloud: tell(
      await neon.snapshots.create({ projectId, branchId: branch.id, timestamp: "2026-01-01T00:00:00Z" }),
    ),
  }),
);
