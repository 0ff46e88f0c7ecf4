// Drives plainjob and liteque for headpond-bench: node_queues.mjs MODULES NAME FILE FULL|NORMAL.
// Reads "fill COUNT" and "cycles CALLS PER_CALL" from standard input; answers each with the
// microseconds that its calls took.
import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const [modules, name, file, synchronous] = process.argv.slice(2);

// NODE_PATH does not hold for modules: by path.
function load(id) {
  const folder = path.join(modules, id);
  const { main } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
  return import(pathToFileURL(path.join(folder, main)));
}

// Both keep JSON: 500 characters stand for the 500 bytes of the others.
function make(count) {
  return Array.from({ length: count }, () => ({
    key: randomUUID(),
    payload: randomBytes(375).toString('base64'),
  }));
}

async function plainjob() {
  const { default: Database } = await load('better-sqlite3');
  const { better, defineQueue } = await load('plainjob');
  const silent = { debug() {}, info() {}, warn() {}, error() {} };
  const database = new Database(file);
  const queue = defineQueue({ connection: better(database), logger: silent });
  database.pragma(`synchronous = ${synchronous}`); // defineQueue() sets NORMAL
  const type = 'bench';
  return {
    enqueue: (items) =>
      items.length === 1 ? queue.add(type, items[0]) : queue.addMany(type, items),
    lease: (count) => {
      const jobs = [];
      for (let i = 0; i < count; ++i) {
        const job = queue.getJobById(queue.getAndMarkJobAsProcessing(type).id);
        JSON.parse(job.data);
        jobs.push(job);
      }
      return jobs;
    },
    ack: (jobs) => jobs.forEach((job) => queue.markJobAsDone(job.id)),
    clear: () => queue.removeDoneJobs(0),
  };
}

async function liteque() {
  const { buildDBClient, SqliteQueue } = await load('liteque');
  const client = buildDBClient(file, { runMigrations: true });
  client.session.client.pragma(`synchronous = ${synchronous}`); // buildDBClient() sets NORMAL
  const queue = new SqliteQueue('bench', client, {
    defaultJobArgs: { numRetries: 2 },
    keepFailedJobs: false,
  });
  return {
    enqueue: async (items) => {
      for (const item of items) await queue.enqueue(item);
    },
    lease: async (count) => {
      const jobs = [];
      for (let i = 0; i < count; ++i) {
        const job = await queue.attemptDequeue({ timeoutSecs: 60 });
        JSON.parse(job.payload);
        jobs.push(job);
      }
      return jobs;
    },
    ack: async (jobs) => {
      for (const job of jobs) await queue.finalize(job.id, job.allocationId, 'completed');
    },
    clear: () => {},
  };
}

const queue = await { plainjob, liteque }[name]();
console.log('ready');
for await (const line of createInterface({ input: process.stdin })) {
  const [what, first, second] = line.split(' ');
  if (what === 'fill') {
    await queue.enqueue(make(Number(first)));
    console.log(0);
    continue;
  }
  const material = Array.from({ length: Number(first) }, () => make(Number(second)));
  const begin = process.hrtime.bigint();
  for (const items of material) {
    await queue.enqueue(items);
    await queue.ack(await queue.lease(items.length));
  }
  const nanoseconds = process.hrtime.bigint() - begin;
  await queue.clear();
  console.log(Number(nanoseconds) / 1000);
}
process.exit(0); // plainjob's timer would keep it alive
