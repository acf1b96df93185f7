// Runs a query with Node's pg on each URI, all at the same time, and prints the rows of each.
import pg from "pg";

const [query, ...uris] = process.argv.slice(2);
const rows = async (connectionString) => {
  const pool = new pg.Pool({ connectionString, connectionTimeoutMillis: 5_000, max: 2 });
  try {
    const answers = await Promise.all([pool.query({ text: query, rowMode: "array" }), pool.query("SELECT 1")]);
    return answers[0].rows;
  } finally {
    await pool.end();
  }
};
console.log(JSON.stringify(await Promise.all(uris.map(rows))));
